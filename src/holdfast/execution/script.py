"""The decisions of one `advance`, played through until one needs the chain or waits; pure."""

from dataclasses import dataclass, replace

from holdfast.execution.model import (
    Change,
    DealState,
    Position,
    Send,
    Venues,
    Wait,
    Waive,
)
from holdfast.execution.records import DealRecord
from holdfast.execution.saga import decide
from holdfast.model.deal import ChainFacts, DealEvent, DealStatus, HoldReason, transition

MAX_CHANGES = 8
"""More changes of status in one go than any path has; a loop would be a bug."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One change of status, for the audit; `why` names what led to it, by code or in words."""

    event: DealEvent
    before: DealStatus
    after: DealStatus
    reason: HoldReason | None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """The deal after all changes that cost nothing, and the one thing left to do."""

    deal: DealRecord
    changes: tuple[Changed, ...]
    outcome: Send | Wait


def play(
    deal: DealRecord, position: Position, venues: Venues, *, stop: HoldReason | None = None
) -> Script:
    """Decide until a decision sends something or waits; with `stop`, hold for it first.

    Raises:
        RuntimeError: when the saga changes status for ever, which its property test excludes.
    """
    changes: list[Changed] = []
    if stop is not None:
        deal, changes = held(deal, stop, position)
    for _ in range(MAX_CHANGES):
        match decide(deal.state(), position, venues):
            case Change(event, reason):
                why = _why(deal, event, reason, venues)
                deal, changed = change(deal, event, reason, position)
                changes.append(replace(changed, why=why))
            case Waive():
                deal = replace(deal, borrow_waived=True, trouble=None)
            case (Send() | Wait()) as outcome:
                return Script(deal, tuple(changes), outcome)
    raise RuntimeError(f"deal {deal.deal_id} does not come to rest: {changes}")


def change(
    deal: DealRecord, event: DealEvent, reason: HoldReason | None, position: Position | None
) -> tuple[DealRecord, Changed]:
    """The deal after `event`, and the change for the audit; `deal.transition` when not allowed."""
    after = transition(deal.status, event, facts(deal, position))
    kept = reason if after is DealStatus.HOLDING else None
    changed = Changed(event, deal.status, after, kept)
    return replace(deal, status=after, hold_reason=kept, trouble=None), changed


def held(
    deal: DealRecord, reason: HoldReason, position: Position | None
) -> tuple[DealRecord, list[Changed]]:
    """The deal standing still for `reason`, whatever it was holding for before."""
    changes: list[Changed] = []
    why = () if deal.trouble_text is None else (deal.trouble_text,)
    events = [DealEvent.HOLD]
    if deal.status is DealStatus.HOLDING:
        events.insert(0, DealEvent.RESUME)
    for event in events:
        deal, changed = change(deal, event, reason, position)
        changes.append(replace(changed, why=why))
    return deal, changes


def _why(
    deal: DealRecord, event: DealEvent, reason: HoldReason | None, venues: Venues
) -> tuple[str, ...]:
    if event is DealEvent.DRIFT:
        return venues.drift
    if reason is HoldReason.INVARIANT:
        return venues.breaches
    return () if deal.trouble is None or deal.trouble_text is None else (deal.trouble_text,)


def facts(deal: DealRecord, position: Position | None) -> ChainFacts:
    """What transitions depend on; without a position, whatever was sent may still be locked."""
    state: DealState = deal.state()
    sent = bool(deal.legs)
    return ChainFacts(
        # Gas and a burnt nonce are effects too; and until it is final, a leg may yet land.
        has_effects=bool(deal.legs) or any(state.landed.values()),
        has_debt=sent if position is None else position.debt > 0,
        has_collateral=sent if position is None else position.collateral > 0,
        has_live_intent=deal.group_id is not None,
    )
