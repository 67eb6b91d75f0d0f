"""Whether legs stay inside what was approved; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.execution.errors import MoveRefused
from holdfast.execution.records import is_cure
from holdfast.model.deal import Step
from holdfast.model.leg import LegKind, LegStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg
    from holdfast.model.plan import Envelope

_CODE = "envelope.outside"


def require_inside(envelope: Envelope, deal: DealRecord, legs: Iterable[Leg]) -> None:
    """Check every leg against the approved envelope.

    Raises:
        MoveRefused: `envelope.outside`; nothing was signed.
    """
    legs = tuple(legs)
    for leg in legs:
        _require_allowed_call(envelope, leg)
        _require_amounts(envelope, leg)
        _require_spend(envelope, deal, leg)
    if not is_cure(legs):
        _require_fees(envelope, deal, legs)


def _require_allowed_call(envelope: Envelope, leg: Leg) -> None:
    selector = "0x" + leg.call.selector.hex() if leg.call.selector else ""
    for allowed in envelope.calls:
        if (
            allowed.kind is leg.kind
            and allowed.target == leg.call.target
            and allowed.selector == selector
            and leg.recipient in allowed.recipients
        ):
            return
    raise MoveRefused(
        leg.kind,
        f"the approval covers no call {selector or 'transfer'} of {leg.call.target} "
        f"for {leg.recipient}",
        code=_CODE,
    )


def _require_amounts(envelope: Envelope, leg: Leg) -> None:
    terms = envelope.terms
    most = {
        LegKind.FUND: terms.split.moved.units,
        LegKind.SUPPLY: terms.split.working.units,
        LegKind.BORROW: terms.borrow.units,
    }.get(leg.kind)
    if most is not None and leg.amount is not None and leg.amount.units > most:
        raise MoveRefused(leg.kind, f"{leg.amount} is more than was approved", code=_CODE)
    if leg.kind is LegKind.SWAP and leg.step is Step.PURCHASE:
        _require_swap(envelope, leg)


def _require_swap(envelope: Envelope, leg: Leg) -> None:
    terms = envelope.terms
    if leg.amount is None or leg.min_out is None:
        raise MoveRefused(leg.kind, "a swap without a limit", code=_CODE)
    is_purchase = leg.amount.token == terms.spend.token
    most = terms.spend if is_purchase else terms.bucket_sale
    largest = terms.largest_lot if is_purchase else terms.bucket_sale
    least = terms.min_tokens if is_purchase else terms.bucket_sale_min
    is_dear = leg.min_out.units * most.units < least.units * leg.amount.units
    if leg.amount.units > largest.units or is_dear:
        raise MoveRefused(
            leg.kind, f"{leg.amount} for at least {leg.min_out} was not approved", code=_CODE
        )


def _require_spend(envelope: Envelope, deal: DealRecord, leg: Leg) -> None:
    """All purchases together spend no more than was approved, however many lots there are."""
    spend = envelope.terms.spend
    if leg.kind is not LegKind.SWAP or leg.amount is None or leg.amount.token != spend.token:
        return
    spent = sum(
        done.amount or 0
        for done in deal.legs
        if (done.kind, done.token, done.status)
        == (LegKind.SWAP, spend.token.symbol, LegStatus.LANDED)
    )
    if spent + leg.amount.units > spend.units:
        raise MoveRefused(leg.kind, f"{spent} units are spent, {leg.amount} too many", code=_CODE)


def _require_fees(envelope: Envelope, deal: DealRecord, legs: Iterable[Leg]) -> None:
    """Fees stop a deal from going on, never from going home or from a cure."""
    spent = sum(done.fee_wei or 0 for done in deal.legs)
    if spent <= envelope.max_fee.units:
        return
    for leg in legs:
        if leg.step is not Step.CLOSE:
            raise MoveRefused(
                leg.kind,
                f"gas has cost {spent} wei, the approval covers {envelope.max_fee.units}",
                code="envelope.fees",
            )
