"""Every repair lists all its preconditions, and each of them refuses it by its own code."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.chain.profiles import FeeModel
from holdfast.chain.receipts import MinedTransaction
from holdfast.common.errors import Rejected
from holdfast.common.evm import BlockRef, Receipt
from holdfast.common.ids import PrincipalId, new_intent_id
from holdfast.signing.model import Fees
from holdfast.transactions.model import (
    Attempt,
    AttemptState,
    Delivery,
    Intent,
    IntentStatus,
    Purpose,
    Sent,
)
from holdfast.transactions.repair_plans import offered, plan_of
from holdfast.transactions.repairs import Case, Facts, Repair, RepairOrder, Stated
from tests.support.transactions import CEILING, GWEI, SOMEBODY, wish

NONCE, HASH, OTHER = 7, "0x" + "aa" * 32, "0x" + "cc" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PERSON = PrincipalId("alice")


def block(number, mark="0"):
    return BlockRef(number, "0x" + mark * 2 + f"{number:062x}", 5_000)


def receipt(number=98, *, succeeded=True, mark="0"):
    return Receipt(HASH, block(number, mark), SOMEBODY, succeeded, 21_000, GWEI, ())


def case(status, reason="", *, kept=None, purpose=Purpose.CALL, cap=2 * GWEI, **changes):
    sent = Sent(90, 1_000.0, Delivery.ACCEPTED)
    attempt = Attempt(1, purpose, HASH, b"raw", Fees(cap, GWEI), AttemptState.SENT, sent)
    intent = Intent(wish(depth=3, **changes), NONCE, status, False, (attempt,), kept)
    return Case(intent, {"reason": reason} if reason else {}, NOW, NOW, None, 4)


def facts(**changes):
    plain = Facts(
        at=block(100),
        finality=1,
        account_nonce=NONCE,
        base_fee_wei=GWEI,
        tip_wei=GWEI,
        fee_model=FeeModel.EIP1559,
        receipt=None,
        use=None,
        first_live_nonce=NONCE,
        gap_holder=None,
    )
    return replace(plain, **changes)


def use(number=98):
    return MinedTransaction(OTHER, wish().sender, NONCE, SOMEBODY, 7, b"", block(number))


STUCK, AMBIGUOUS, LANDED = IntentStatus.STUCK, IntentStatus.AMBIGUOUS, IntentStatus.LANDED
STUCK_CASE = case(STUCK, "fee_ceiling")
DISPUTED = case(AMBIGUOUS, "foreign_nonce")
SILENT = case(AMBIGUOUS, "event_missing", kept=receipt())
READY = {
    Repair.REBROADCAST: (STUCK_CASE, facts()),
    Repair.CANCEL: (STUCK_CASE, facts()),
    Repair.ACCEPT_DISPLACED: (DISPUTED, facts(account_nonce=NONCE + 1, use=use())),
    Repair.ACCEPT_OUTCOME: (SILENT, facts(account_nonce=NONCE + 1, receipt=receipt())),
    Repair.FILL_GAP: (case(STUCK, "nonce_gap"), facts(account_nonce=5)),
    Repair.ACKNOWLEDGE: (case(IntentStatus.DISPLACED, "foreign_nonce"), facts()),
}


def plan(repair, its_case, its_facts, stated=Stated.LANDED):
    return plan_of(RepairOrder(repair, PERSON, "because", stated), its_case, its_facts)


@pytest.mark.parametrize("repair", Repair)
def test_a_repair_is_ready_when_everything_it_needs_holds(repair):
    made = plan(repair, *READY[repair])
    assert made.is_ready, [check for check in made.checks if not check.holds]
    made.require_ready()
    assert made.at == block(100)
    assert made.effect


USED, FREE = facts(account_nonce=NONCE + 1), facts()
REFUSED = [
    (Repair.REBROADCAST, case(LANDED), facts(), "not_live"),
    (Repair.REBROADCAST, STUCK_CASE, facts(receipt=receipt()), "mined"),
    (Repair.REBROADCAST, STUCK_CASE, USED, "nonce_used"),
    (Repair.REBROADCAST, case(STUCK, deadline=4_999), facts(), "given_up"),
    (Repair.CANCEL, case(LANDED), facts(), "not_live"),
    (Repair.CANCEL, STUCK_CASE, facts(receipt=receipt()), "mined"),
    (Repair.CANCEL, STUCK_CASE, USED, "nonce_used"),
    (Repair.CANCEL, case(STUCK, purpose=Purpose.CANCEL), facts(), "no_op"),
    # an eighth more than 450 gwei is 506.25, above the ceiling of 500
    (Repair.CANCEL, case(STUCK, cap=450 * GWEI), facts(), "fee_ceiling"),
    (Repair.ACCEPT_DISPLACED, case(LANDED), READY[Repair.ACCEPT_DISPLACED][1], "not_live"),
    (Repair.ACCEPT_DISPLACED, DISPUTED, facts(use=use()), "nonce_unused"),
    (Repair.ACCEPT_DISPLACED, DISPUTED, replace(USED, use=use(), receipt=receipt()), "mined"),
    (Repair.ACCEPT_DISPLACED, DISPUTED, USED, "unproved"),
    (Repair.ACCEPT_DISPLACED, DISPUTED, replace(USED, use=use(99)), "shallow"),
    (Repair.ACCEPT_DISPLACED, DISPUTED, replace(USED, use=use(), finality=4), "shallow"),
    (
        Repair.ACCEPT_OUTCOME,
        case(LANDED, "event_missing", kept=receipt()),
        replace(USED, receipt=receipt()),
        "not_live",
    ),
    (Repair.ACCEPT_OUTCOME, SILENT, facts(receipt=receipt()), "nonce_unused"),
    (
        Repair.ACCEPT_OUTCOME,
        case(AMBIGUOUS, "nonce_behind", kept=receipt()),
        replace(USED, receipt=receipt()),
        "not_event_missing",
    ),
    (Repair.ACCEPT_OUTCOME, SILENT, USED, "not_mined"),
    (Repair.ACCEPT_OUTCOME, SILENT, replace(USED, receipt=receipt(mark="f")), "not_mined"),
    (
        Repair.ACCEPT_OUTCOME,
        case(AMBIGUOUS, "event_missing", kept=receipt(99)),
        replace(USED, receipt=receipt(99)),
        "shallow",
    ),
    (Repair.ACCEPT_OUTCOME, SILENT, replace(USED, receipt=receipt(), finality=4), "shallow"),
    (Repair.ACCEPT_OUTCOME, SILENT, replace(USED, receipt=receipt(succeeded=False)), "status"),
    (Repair.FILL_GAP, case(LANDED), facts(account_nonce=5), "not_live"),
    (Repair.FILL_GAP, STUCK_CASE, facts(), "no_gap"),
    (Repair.FILL_GAP, STUCK_CASE, facts(first_live_nonce=None), "no_gap"),
    (Repair.FILL_GAP, STUCK_CASE, facts(account_nonce=5, gap_holder=new_intent_id()), "gap_ours"),
    (Repair.FILL_GAP, STUCK_CASE, facts(account_nonce=5, base_fee_wei=CEILING + 1), "fee_ceiling"),
    (Repair.ACKNOWLEDGE, STUCK_CASE, facts(), "not_displaced"),
    (
        Repair.ACKNOWLEDGE,
        replace(READY[Repair.ACKNOWLEDGE][0], acknowledged_at=NOW),
        facts(),
        "acknowledged",
    ),
]


@pytest.mark.parametrize(("repair", "its_case", "its_facts", "code"), REFUSED)
def test_each_precondition_refuses_by_its_own_code(repair, its_case, its_facts, code):
    made = plan(repair, its_case, its_facts)
    assert not made.is_ready
    failing = [check.code for check in made.checks if not check.holds]
    # what is not mined or not found cannot be deep or successful either
    assert failing == [f"tx.repair_{code}"] or code in {"unproved", "not_mined"}
    with pytest.raises(Rejected) as caught:
        made.require_ready()
    assert caught.value.code == f"tx.repair_{code}"
    assert caught.value.fields["block"] == 100


def test_an_outcome_that_nobody_states_is_not_accepted():
    made = plan(Repair.ACCEPT_OUTCOME, *READY[Repair.ACCEPT_OUTCOME], stated=None)
    assert [check.code for check in made.checks if not check.holds] == ["tx.repair_status"]


def test_every_precondition_that_there_is_has_been_seen_to_refuse():
    codes = {check.code for repair in Repair for check in plan(repair, *READY[repair]).checks}
    assert codes == {f"tx.repair_{code}" for *_, code in REFUSED}


@pytest.mark.parametrize(
    ("its_case", "repairs"),
    [
        (DISPUTED, [Repair.ACCEPT_DISPLACED]),
        (SILENT, [Repair.ACCEPT_OUTCOME]),
        (case(AMBIGUOUS, "nonce_behind"), []),
        (STUCK_CASE, [Repair.REBROADCAST, Repair.CANCEL]),
        (case(STUCK, "nonce_gap"), [Repair.FILL_GAP, Repair.REBROADCAST, Repair.CANCEL]),
        (case(IntentStatus.SENT), [Repair.REBROADCAST, Repair.CANCEL]),
        (case(IntentStatus.MINED), []),
        (case(LANDED), []),
        (READY[Repair.ACKNOWLEDGE][0], [Repair.ACKNOWLEDGE]),
        (replace(READY[Repair.ACKNOWLEDGE][0], acknowledged_at=NOW), []),
    ],
)
def test_a_case_is_offered_only_what_fits_it(its_case, repairs):
    assert list(offered(its_case)) == repairs
