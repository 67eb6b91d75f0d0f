"""Whom to tell of what a tick showed, and in which words; pure.

A code names its kind before the check, `risk.breach.I6.ltv` or `risk.warning.I6.ltv_warning`: an
alert ends together with all whose codes begin like its own, so no code may begin another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from holdfast.common.alerts import Alert, Severity
from holdfast.common.money import BPS, USD8, Bps, Usd8
from holdfast.execution.alerts import about
from holdfast.monitoring.assessment import ACTS
from holdfast.monitoring.ticks import State
from holdfast.risk.invariants import Moment, Reaction, reaction
from holdfast.risk.model import Severity as Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from holdfast.common.ids import ChainId
    from holdfast.execution.book_rows import BookRow
    from holdfast.execution.open_deals import Unreadable
    from holdfast.monitoring.assessment import Assessed
    from holdfast.risk.market import RiskMarket
    from holdfast.risk.model import Check

UNREADABLE: Final = "risk.deal_unreadable"

CODES: Final = ("risk.breach.", "risk.warning.", "risk.market.", UNREADABLE)
"""How the codes of all alerts begin that a tick raises, and that a later one ends."""

_FOLLOWS: Final[Mapping[Reaction | None, str]] = {
    Reaction.CURE_REPAY: "the deal repays debt",
    Reaction.CURE_CONVERT: "the deal turns bucket ETH into cash",
    Reaction.HOLD: "all debt is repaid and collateral comes home",
    Reaction.REDUCE: "no deal of the chain adds risk until it is over",
    Reaction.BLOCK: "nothing is bought until it is over",
    Reaction.WARN: "nothing is done by itself",
}


_Trouble: TypeAlias = "tuple[str, Severity, str, int]"
"""The name of what is wrong, how grave it is, a sentence, and the figure."""

_RESTS: Final = "the deal has nothing to do for it now"


@dataclass(frozen=True, slots=True)
class Watchpoints:
    """From where on people are told of what no invariant names.

    Attributes:
        off_peg: how far the debt currency may be from a dollar; one per cent is more than fees
            explain.
        far_off_peg: where it is grave: well before the five per cent that every deal was stressed
            with (RISK.md, scenarios).
        exit_depth: dollars that move the price of the pool by one per cent in which buckets are
            sold; the market's score counts nothing from here down (docs/limits.md).
        utilisation: of a lending reserve; from here on withdrawing may have to wait.
    """

    off_peg: Bps = Bps(100)
    far_off_peg: Bps = Bps(300)
    exit_depth: Usd8 = Usd8(200_000 * USD8)
    utilisation: Bps = Bps(9_500)


def deal_alerts(one: Assessed) -> Iterator[Alert]:
    """An alert for each check of the deal that fails; of one measure the gravest alone."""
    deal = one.row.deal
    broken = {f"{check.code}_warning" for check in one.failed}
    for check in one.failed:
        if check.code in broken:  # two texts on one figure would say that something is done and not
            continue
        yield about(
            deal,
            f"risk.{_kind(check)}.{check.code}",
            _gravity(check),
            text=f"deal {deal.deal_number}: {check.text}; {_deal_follows(check, one)}",
            fields=_fields(one.row, check),
        )


def unreadable_alerts(unreadable: Iterable[Unreadable], chain_id: ChainId) -> Iterator[Alert]:
    """An alert for each deal that no rule can be asked of, since its record cannot be used."""
    for one in unreadable:
        deal = one.booking
        yield Alert(
            code=UNREADABLE,
            severity=Severity.CRITICAL,
            subject=str(deal.deal_id),
            text=f"deal {deal.number} cannot be read, so nobody watches or cures it: {one.why}. "
            "All other deals are watched; nothing new is planned or started meanwhile",
            chain_id=chain_id,
            deal_id=deal.deal_id,
            bank_id=deal.bank,
            fields={"code": one.code},
        )


def shared_alerts(
    checks: Iterable[tuple[str, Check]], chain_id: ChainId, block: int
) -> Iterator[Alert]:
    """An alert for each check that fails of what deals share, beside its subject."""
    for subject, check in checks:
        yield Alert(
            code=f"risk.{_kind(check)}.{check.code}",
            severity=_gravity(check),
            subject=subject,
            text=f"{check.text}; {_follows(check)}",
            chain_id=chain_id,
            fields={"limit": check.limit, "value": check.value, "block": block},
        )


def market_alerts(market: RiskMarket, points: Watchpoints, chain_id: ChainId) -> tuple[Alert, ...]:
    """What people must know of venues and of the debt currency."""
    found = (
        *_venue_troubles(market),
        *_lending_troubles(market, points),
        *_price_troubles(market, points),
    )
    return tuple(
        Alert(
            code=f"risk.market.{name}",
            severity=severity,
            subject=f"chain:{chain_id}",
            text=text,
            chain_id=chain_id,
            fields={"value": value, "block": market.at.number},
        )
        for name, severity, text, value in found
    )


def _kind(check: Check) -> str:
    """Apart from the code: an alert ends with all whose codes begin like its own."""
    return "breach" if check.severity is Weight.HARD else "warning"


def _gravity(check: Check) -> Severity:
    return Severity.CRITICAL if check.severity is Weight.HARD else Severity.WARNING


def _follows(check: Check) -> str:
    return _FOLLOWS.get(reaction(check, Moment.TICK), "a person has to look")


def _deal_follows(check: Check, one: Assessed) -> str:
    """What the deal does, where it does anything: a cure may not be needed, or be under way."""
    acts = reaction(check, Moment.TICK) in ACTS
    return _follows(check) if one.state is State.DUE or not acts else _RESTS


def _fields(row: BookRow, check: Check) -> dict[str, object]:
    return {
        "limit": check.limit,
        "value": check.value,
        "unit": str(check.unit),
        "block": row.position.at.number,
        "status": str(row.deal.status),
    }


def _price_troubles(market: RiskMarket, points: Watchpoints) -> Iterator[_Trouble]:
    depth, off_peg = market.eth_pool.depth, market.off_peg
    if depth <= points.exit_depth:
        text = (
            f"${depth // USD8:,} move the pool by one per cent in which buckets are sold: debt "
            "cover reckons with it, and reserves are sold in parts"
        )
        yield "exit_depth", Severity.CRITICAL, text, depth
    if off_peg >= points.off_peg:
        severity = Severity.CRITICAL if off_peg >= points.far_off_peg else Severity.WARNING
        yield "peg", severity, f"the debt currency is {off_peg / 100:.2f} % off its peg", off_peg


def _venue_troubles(market: RiskMarket) -> Iterator[_Trouble]:
    if market.desk.is_frozen:
        text = "the redemption desk is frozen: deals repay from the reserve and keep their claim"
        yield "frozen", Severity.CRITICAL, text, 1
    loan, collateral = market.loan.configuration, market.collateral.configuration
    if not (loan.takes_new_positions and loan.can_be_borrowed):
        yield "borrowing_off", Severity.WARNING, "the venue lends no debt currency", 1
    for name, state in (("loan", loan), ("collateral", collateral)):
        if not state.lets_positions_end:
            text = f"the venue's {name} reserve is paused: debt cannot be repaid, or ETH withdrawn"
            yield f"paused_{name}", Severity.CRITICAL, text, 1


def _lending_troubles(market: RiskMarket, points: Watchpoints) -> Iterator[_Trouble]:
    for name, reserve in (("loan", market.loan), ("collateral", market.collateral)):
        used = reserve.utilisation
        if used >= points.utilisation:
            text = f"{used / 100:.2f} % of the venue's {name} reserve is lent out"
            severity = Severity.CRITICAL if used >= BPS else Severity.WARNING
            yield f"utilisation_{name}", severity, text, used
