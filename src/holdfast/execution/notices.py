"""What people are told with what one look at a deal led to, and when it is over; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.common.alerts import Ended
from holdfast.execution.alerts import (
    BLOCKED,
    DEAR_GAS_PAID,
    GAS_TOO_DEAR,
    blocked,
    dear_gas_paid,
    gas_too_dear,
)
from holdfast.execution.cure_records import PRICE_STALE, cure_begun, cure_over, price_stale
from holdfast.execution.model import Wait, WaitFor
from holdfast.execution.patience import waits_for
from holdfast.execution.records import is_cure
from holdfast.model.deal import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from holdfast.common.alerts import Alert
    from holdfast.execution.prepared import Prepared
    from holdfast.execution.records import DealRecord

_ALL: Final = "deal."
"""How the codes of all alerts about one deal begin; none outlives the deal."""

_TOLD_OF: Final = {
    WaitFor.LIMITS: (BLOCKED,),
    WaitFor.GAS: (GAS_TOO_DEAR, DEAR_GAS_PAID),
    WaitFor.PRICE: (BLOCKED, GAS_TOO_DEAR, DEAR_GAS_PAID, PRICE_STALE),
}
"""The waits that people are told of, with the codes of the alerts that may be open then.

The price is shown before all else: the others may be open beside it."""


def awaited(prepared: Prepared, *, is_under_way: bool) -> WaitFor | None:
    """What the deal is shown as waiting for; `is_under_way` when it sends legs.

    A cure that a stale price keeps back is waited for whatever else the deal does meanwhile, and
    what pays for dear gas waits for cheaper blocks. The next look ends the alerts by this word.
    """
    if _is_cure_withheld(prepared):
        return WaitFor.PRICE
    if is_under_way and prepared.seen.gas_is_too_dear:
        return WaitFor.GAS
    return None if is_under_way else waits_for(prepared.script.outcome)


def begun(prepared: Prepared, deal: DealRecord) -> Iterator[Alert]:
    """What `deal` has to be told of from now on."""
    seen, outcome = prepared.seen, prepared.script.outcome
    if outcome == Wait(WaitFor.GAS):
        owes = seen.position.debt > 0
        yield gas_too_dear(deal, even_for_safety=seen.gas_stops_all and owes)
    if prepared.legs and seen.gas_is_too_dear:
        yield dear_gas_paid(deal, seen.head.base_fee_wei)
    if outcome == Wait(WaitFor.PRICE) or _is_cure_withheld(prepared):
        yield price_stale(deal, seen)
    if prepared.blocks and prepared.doubt is None:
        yield blocked(deal, prepared.blocks)
    if is_cure(prepared.legs):
        yield cure_begun(deal, seen, prepared.legs)


def over(prepared: Prepared, deal: DealRecord) -> Iterator[Ended]:
    """What was told before and is so no longer."""
    before, seen = prepared.settlement.deal, prepared.seen
    if deal.status in TERMINAL:
        yield Ended(_ALL, str(deal.deal_id))
        return
    still = {alert.code for alert in begun(prepared, deal)}
    for code in _told_of(before):
        if code not in still:
            yield Ended(code, str(deal.deal_id))
    # A cure that failed may be asked for no more at any later look, for the market came back.
    if is_cure(before.legs) and seen.venues.cure is None:
        yield cure_over(deal)


def _told_of(before: DealRecord) -> Iterable[str]:
    """The codes that may be open by what the deal was found to wait for."""
    if before.waits_for is None or before.waits_for not in _TOLD_OF:
        return ()
    return _TOLD_OF[WaitFor(before.waits_for)]


def _is_cure_withheld(prepared: Prepared) -> bool:
    venues = prepared.seen.venues
    return venues.is_price_stale and venues.cure is not None
