"""What people are told of a cure: the entry in the deal's record, and alerts; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.audit.model import Act
from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.execution.alerts import about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.audit.model import JsonValue
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg

_CODE: Final = "deal.cure"
PRICE_STALE: Final = "deal.price_stale"


def cure_act(deal: DealRecord, seen: Seen, legs: Sequence[Leg]) -> Act:
    """The cure as the worker's entry in the deal's record."""
    facts = _facts(seen, legs)
    return Act(deal.deal_id, deal.bank, deal.chain_id, "worker", _CODE, "deal", facts)


def cure_begun(deal: DealRecord, seen: Seen, legs: Sequence[Leg]) -> Alert:
    """The market made the deal repay, or sell of its reserve."""
    return about(
        deal,
        _CODE,
        Severity.WARNING,
        text="the market has moved against this deal: it repays, or turns ether of its reserve "
        "into cash, by itself. Nothing has to be done; where a cure does not restore it, the deal "
        "holds and goes home",
        fields=_facts(seen, legs),
    )


def cure_over(deal: DealRecord) -> Ended:
    """The deal needs no cure any more."""
    return Ended(_CODE, str(deal.deal_id))


def price_stale(deal: DealRecord, seen: Seen) -> Alert:
    """The deal does nothing that needs ETH's price, since that is too old."""
    return about(
        deal,
        PRICE_STALE,
        Severity.CRITICAL,
        text="the price of ETH is too old to act on: the deal adds no risk, and neither repays nor "
        "sells for a price until the feed is updated. `deal close` brings it home all the same",
        fields=_facts(seen, ()),
    )


def _facts(seen: Seen, legs: Sequence[Leg]) -> dict[str, JsonValue]:
    return {
        "legs": [leg.label for leg in legs],
        "block": seen.head.ref.number,
        "eth_price_usd8": seen.eth_price,
        "ltv_bps": str(seen.ltv_bps),
        "breaches": list(seen.venues.breaches),
        "position": dict(seen.position.told),
    }
