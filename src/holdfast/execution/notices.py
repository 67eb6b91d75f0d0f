"""What people are told with what one look at a deal led to; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.alerts import Ended
from holdfast.execution.alerts import BLOCKED, blocked, gas_too_dear
from holdfast.execution.cure_records import PRICE_STALE, cure_begun, cure_over, price_stale
from holdfast.execution.model import Wait, WaitFor
from holdfast.execution.records import is_cure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.common.alerts import Alert
    from holdfast.execution.prepared import Prepared
    from holdfast.execution.records import DealRecord


def begun(prepared: Prepared, deal: DealRecord) -> Iterator[Alert]:
    """What `deal` has to be told of from now on."""
    seen, outcome = prepared.seen, prepared.script.outcome
    if outcome == Wait(WaitFor.GAS):
        yield gas_too_dear(deal)
    is_withheld = seen.venues.is_price_stale and seen.venues.cure is not None
    if outcome == Wait(WaitFor.PRICE) or is_withheld:
        yield price_stale(deal, seen)
    if prepared.blocks and prepared.doubt is None:
        yield blocked(deal, prepared.blocks)
    if is_cure(prepared.legs):
        yield cure_begun(deal, seen, prepared.legs)


def over(prepared: Prepared, deal: DealRecord) -> Iterator[Ended]:
    """What was told before and is so no longer."""
    before, venues = prepared.settlement.deal, prepared.seen.venues
    if before.waits_for == WaitFor.LIMITS and not prepared.blocks:
        yield Ended(BLOCKED, str(deal.deal_id))
    if before.waits_for == WaitFor.PRICE and not venues.is_price_stale:
        yield Ended(PRICE_STALE, str(deal.deal_id))
    if is_cure(prepared.settlement.legs) and venues.cure is None:
        yield cure_over(deal)
