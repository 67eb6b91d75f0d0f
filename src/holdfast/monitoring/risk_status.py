"""The risk monitor's last tick as a document; reads the database alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from holdfast.execution.store.labels import open_labels
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import history
from holdfast.monitoring.tick_watch import LATE_SECONDS
from holdfast.monitoring.ticks import MOST, State
from holdfast.planning.json_values import block, cover, percent, usd
from holdfast.risk.store import trading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.common.db import Database, Session
    from holdfast.execution.store.labels import Label
    from holdfast.monitoring.records import KeptAlert
    from holdfast.monitoring.ticks import Tick

_ALERTS: Final = 1_000
_ON_RISK: Final = ("risk.", "exit.", "limits.", "market.", "desk.")

_MARKET: Final[Mapping[str, tuple[str, Callable[[int], object]]]] = {
    "eth_price": ("eth_usd", usd),
    "eth_pool_price": ("eth_pool_usd", usd),
    "deviation_bps": ("eth_deviation_percent", percent),
    "oracle_age_seconds": ("eth_feed_age_seconds", int),
    "cash_price": ("usdt_usd", usd),
    "off_peg_bps": ("usdt_off_peg_percent", percent),
    "cash_oracle_age_seconds": ("usdt_feed_age_seconds", int),
    "token_price": ("token_usd", usd),
    "loan_utilisation_bps": ("usdt_utilisation_percent", percent),
    "collateral_utilisation_bps": ("weth_utilisation_percent", percent),
    "threshold_bps": ("liquidation_threshold_percent", percent),
    "base_fee_wei": ("base_fee_wei", str),
    "is_frozen": ("redemption_is_frozen", bool),
    "lag_seconds": ("lag_seconds", int),
}
"""What a tick keeps of the market, the key it is told by, and how."""

_SHARES: Final[Mapping[str, tuple[str, Callable[[int], str | None]]]] = {
    "ltv_bps": ("ltv_percent", percent),
    "cover_bps": ("debt_cover", cover),
    "exposure_bps": ("exposure_percent", percent),
    "freeze_exposure_bps": ("freeze_exposure_percent", percent),
}
"""The same of each deal; `MOST` is unbounded there."""


class RiskStatus:
    """Answers also when no node does and no worker runs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def report(self) -> dict[str, Any]:
        """The newest tick of each chain, trading states and the open alerts on risk.

        `trading` are the scopes that are not active; none of them means that all may trade.

        Raises:
            Transient: `database.unavailable`.
        """
        async with self._db.begin() as session:
            ids = await history.chains(session)
            chains = [await _chain(session, await history.newest(session, one)) for one in ids]
            alerts = await alert_store.recent(session, with_closed=False, limit=_ALERTS)
            settings = await trading.settings(session)
        return {
            "trading": [one.as_dict() for one in settings if not one.is_active],
            "chains": chains,
            "alerts": [_alert(one) for one in alerts if one.code.startswith(_ON_RISK)],
        }


async def _chain(session: Session, tick: Tick) -> dict[str, Any]:
    age = await history.age_seconds(session, tick.chain_id) or 0.0
    labels = {one.number: one for one in await open_labels(session, tick.chain_id)}
    return {
        "chain_id": tick.chain_id,
        "block": block(tick.at),
        "tick": {
            "taken_at": tick.taken_at.isoformat(),
            "age_seconds": round(age, 1),
            "took_seconds": round(tick.seconds, 3),
            "is_late": age >= LATE_SECONDS,
        },
        "market": _market(tick.market),
        "deals": [_deal(row, labels.get(row["number"])) for row in tick.rows()],
    }


def _deal(row: dict[str, int], label: Label | None) -> dict[str, Any]:
    """One deal at the tick; without a label when it is not open any more."""
    known: dict[str, Any] = {
        "deal_id": None,
        "bank": None,
        "module": None,
        "status": None,
        "hold_reason": None,
    }
    if label is not None:
        known = {**asdict(label), "deal_id": str(label.deal_id)}
        del known["number"]
    figures = dict(_figure(name, value) for name, value in row.items() if name != "state")
    return {**known, **figures, "state": State(row["state"]).name.lower()}


def _figure(name: str, value: int) -> tuple[str, object]:
    if name == "number":
        return "deal_number", value
    if name not in _SHARES:
        return name, str(value)  # whole dollars
    told, written = _SHARES[name]
    return told, None if value == MOST else written(value)


def _market(kept: Mapping[str, int | bool | None]) -> dict[str, Any]:
    """Null for what the tick of another version did not keep."""
    found = ((told, written, kept.get(name)) for name, (told, written) in _MARKET.items())
    return {told: None if value is None else written(value) for told, written, value in found}


def _alert(alert: KeptAlert) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "code": alert.code,
        "severity": str(alert.severity),
        "subject": alert.subject,
        "text": alert.text,
        "opened_at": alert.opened_at.isoformat(),
    }
