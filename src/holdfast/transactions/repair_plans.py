"""Which repairs a case is offered, and each repair's preconditions; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from holdfast.transactions.fees import FeePolicy, is_too_dear, offer, replacement
from holdfast.transactions.model import EVENT_MISSING, IntentStatus, Purpose
from holdfast.transactions.repairs import Check, Repair, RepairPlan, Stated
from holdfast.transactions.send_state import may_broadcast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.signing.model import Fees
    from holdfast.transactions.repairs import Case, Facts, RepairOrder

_OFFERED: Final[Mapping[tuple[IntentStatus, str], Sequence[Repair]]] = {
    (IntentStatus.AMBIGUOUS, "foreign_nonce"): (Repair.ACCEPT_DISPLACED,),
    (IntentStatus.AMBIGUOUS, EVENT_MISSING): (Repair.ACCEPT_OUTCOME,),
    (IntentStatus.AMBIGUOUS, "nonce_behind"): (),
    (IntentStatus.STUCK, "nonce_gap"): (Repair.FILL_GAP, Repair.REBROADCAST, Repair.CANCEL),
}


def offered(case: Case) -> Sequence[Repair]:
    """The repairs that fit the case, the first one first; none where only time can tell."""
    status = case.intent.status
    if status is IntentStatus.DISPLACED:
        return (Repair.ACKNOWLEDGE,) if case.acknowledged_at is None else ()
    if status.is_final or status is IntentStatus.MINED:
        return ()
    return _OFFERED.get((status, case.reason), (Repair.REBROADCAST, Repair.CANCEL))


def plan_of(order: RepairOrder, case: Case, facts: Facts) -> RepairPlan:
    """The repair that `order` asks for, with every precondition checked against `facts`."""
    effect, checks = _EFFECTS[order.repair], _checks(order, case, facts)
    return RepairPlan(order.repair, case.intent.intent_id, facts.at, effect, tuple(checks))


_EFFECTS: Final[Mapping[Repair, str]] = {
    Repair.REBROADCAST: "the newest attempt's bytes are broadcast once more, unchanged",
    Repair.CANCEL: "a no-op at the same nonce replaces the call; what is mined first counts",
    Repair.ACCEPT_DISPLACED: (
        "the intent ends as displaced: its leg did not happen, and its deal stands still until "
        "a person resumes it"
    ),
    Repair.ACCEPT_OUTCOME: (
        "the intent ends as stated; the ledger books its gas alone, and the reconciliation shows "
        "what else it moved"
    ),
    Repair.FILL_GAP: "a no-op at the account's next nonce is recorded, signed and broadcast",
    Repair.ACKNOWLEDGE: "the displaced intent leaves the inbox",
}


def _checks(order: RepairOrder, case: Case, facts: Facts) -> list[Check]:  # noqa: PLR0911 - one arm a repair, proved whole by assert_never
    match order.repair:
        case Repair.REBROADCAST:
            return [*_free(case, facts), _wanted(case, facts)]
        case Repair.CANCEL:
            return [*_free(case, facts), _is_call(case), _affordable(case, facts)]
        case Repair.ACCEPT_DISPLACED:
            return [_live(case), _passed(case, facts), _unmined(facts), *_proved(case, facts)]
        case Repair.ACCEPT_OUTCOME:
            return [_live(case), _passed(case, facts), *_mined(case, facts), _stated(order, facts)]
        case Repair.FILL_GAP:
            return [_live(case), *_gap(facts), _gap_affordable(case, facts)]
        case Repair.ACKNOWLEDGE:
            return _unread(case)
        case _:
            assert_never(order.repair)


def _check(name: str, wanted: str, found: object, *, holds: bool) -> Check:
    return Check(f"tx.repair_{name}", wanted, str(found), holds)


def _live(case: Case) -> Check:
    status = case.intent.status
    wanted = "the intent must not be final"
    return _check("not_live", wanted, f"it is {status}", holds=not status.is_final)


def _unmined(facts: Facts) -> Check:
    receipt = facts.receipt
    found = "none is" if receipt is None else f"{receipt.tx_hash} is in {receipt.block.number}"
    return _check("mined", "no attempt of ours may be mined", found, holds=receipt is None)


def _free(case: Case, facts: Facts) -> list[Check]:
    """Live, unmined, and its nonce not used by anybody."""
    nonce, count = case.intent.nonce, facts.account_nonce
    wanted = f"nonce {nonce} must not be used"
    used = _check("nonce_used", wanted, f"the account's count is {count}", holds=count <= nonce)
    return [_live(case), _unmined(facts), used]


def _passed(case: Case, facts: Facts) -> Check:
    nonce, count = case.intent.nonce, facts.account_nonce
    wanted = f"nonce {nonce} must be used"
    return _check("nonce_unused", wanted, f"the account's count is {count}", holds=count > nonce)


def _wanted(case: Case, facts: Facts) -> Check:
    wanted = "the call must not be given up"
    found = f"asked for: {case.intent.cancel_requested}, deadline: {case.intent.new.deadline}"
    return _check("given_up", wanted, found, holds=may_broadcast(case.intent, facts.at.timestamp))


def _is_call(case: Case) -> Check:
    purpose = case.intent.last.purpose
    wanted = "the newest attempt must be the call"
    return _check("no_op", wanted, f"it is a {purpose}", holds=purpose is Purpose.CALL)


def no_op_fees(case: Case, facts: Facts, *, replaces: bool) -> Fees:
    """What the no-op of a repair offers for gas now."""
    fresh = offer(_policy(case, facts), facts.base_fee_wei, facts.tip_wei)
    is_sent = case.intent.last.sent is not None
    return replacement(case.intent.last.fees, fresh) if replaces and is_sent else fresh


def _policy(case: Case, facts: Facts) -> FeePolicy:
    return FeePolicy(facts.fee_model, case.intent.new.fee_ceiling_wei)


def _affordable(case: Case, facts: Facts) -> Check:
    return _under_ceiling(case, no_op_fees(case, facts, replaces=True).cap_wei)


def _gap_affordable(case: Case, facts: Facts) -> Check:
    if is_too_dear(_policy(case, facts), facts.base_fee_wei):
        return _under_ceiling(case, facts.base_fee_wei)
    return _under_ceiling(case, no_op_fees(case, facts, replaces=False).cap_wei)


def _under_ceiling(case: Case, wei: int) -> Check:
    ceiling = case.intent.new.fee_ceiling_wei
    wanted = f"the no-op must fit under the fee ceiling of {ceiling} wei"
    return _check("fee_ceiling", wanted, f"it needs {wei} wei", holds=wei <= ceiling)


def _deep(case: Case, facts: Facts, block: int | None) -> Check:
    depth = 0 if block is None else facts.at.number - block + 1
    # What a person ends is decided anew: no reorg may bring the transaction that was given up.
    least = max(case.intent.new.depth, facts.finality)
    return _check(
        "shallow", f"it must be {least} blocks deep", f"it is {depth}", holds=depth >= least
    )


def _proved(case: Case, facts: Facts) -> list[Check]:
    use = facts.use
    found = "none was found" if use is None else f"{use.tx_hash} is in {use.block.number}"
    wanted = f"a foreign transaction must be found at nonce {case.intent.nonce}"
    proof = _check("unproved", wanted, found, holds=use is not None)
    return [proof, _deep(case, facts, None if use is None else use.block.number)]


def _mined(case: Case, facts: Facts) -> list[Check]:
    """That only the event is missing, and the receipt is recorded, canonical and deep."""
    seen, kept = facts.receipt, case.intent.receipt
    is_same = seen is not None and kept is not None and seen.block.hash == kept.block.hash
    found = "there is none" if seen is None else f"the chain has {seen.tx_hash}"
    return [
        _check(
            "not_event_missing",
            "only a missing event may stand in the way",
            case.reason or "nothing does",
            holds=case.reason == EVENT_MISSING,
        ),
        _check("not_mined", "the recorded receipt must be canonical", found, holds=is_same),
        _deep(case, facts, None if seen is None else seen.block.number),
    ]


def _stated(order: RepairOrder, facts: Facts) -> Check:
    succeeded = facts.receipt is not None and facts.receipt.succeeded
    choice = " or ".join(Stated)
    wanted = f"the transaction must have succeeded, and its outcome be stated as {choice}"
    found = f"it is stated as {order.stated}, success: {succeeded}"
    return _check("status", wanted, found, holds=succeeded and order.stated is not None)


def _gap(facts: Facts) -> list[Check]:
    first, count = facts.first_live_nonce, facts.account_nonce
    missing = _check(
        "no_gap",
        "the chain must wait for a nonce below our first live one",
        f"it waits for {count}, our first is {first}",
        holds=first is not None and count < first,
    )
    holder = facts.gap_holder
    free = _check(
        "gap_ours",
        f"nonce {count} must be nobody's: one of ours is re-opened by the chain loop instead",
        f"it is that of {holder}",
        holds=holder is None,
    )
    return [missing, free]


def _unread(case: Case) -> list[Check]:
    status, at = case.intent.status, case.acknowledged_at
    is_displaced = status is IntentStatus.DISPLACED
    return [
        _check("not_displaced", "it must be displaced", f"it is {status}", holds=is_displaced),
        _check("acknowledged", "nobody may have done so before", at, holds=at is None),
    ]
