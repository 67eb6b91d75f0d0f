from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain.profiles import FeeModel
from holdfast.chain.receipts import MinedTransaction
from holdfast.common.evm import BlockRef, EventLog, Receipt
from holdfast.model.leg import ExpectedEvent
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
from holdfast.transactions.send_state import (
    Broadcast,
    Cancel,
    Clear,
    Fill,
    Patience,
    Rebroadcast,
    Replace,
    Seen,
    Settle,
    Stuck,
    Unclear,
    Wait,
    decide,
    displaced,
    may_broadcast,
)
from tests.support.transactions import CEILING, GWEI, SOMEBODY, wish

NONCE = 7
PATIENCE = Patience(blocks=3, seconds=60, push_seconds=15, retry_seconds=1)
HASH = "0x" + "aa" * 32
NO_OP_HASH = "0x" + "bb" * 32
OTHER_HASH = "0x" + "cc" * 32


def block(number=100, timestamp=5_000):
    return BlockRef(number, "0x" + f"{number:064x}", timestamp)


def sent(number=100, at=1_000.0, delivery=Delivery.ACCEPTED):
    return Sent(number, at, delivery)


def attempt(number=1, *, fees=None, was=None, purpose=Purpose.CALL, tx_hash=HASH):
    state = AttemptState.SIGNED if was is None else AttemptState.SENT
    offered = fees or Fees(2 * GWEI, GWEI)
    return Attempt(number, purpose, tx_hash, b"raw", offered, state, was)


def intent(*attempts, receipt=None, cancel=False, **changes):
    tried = attempts or (attempt(was=sent()),)
    return Intent(wish(**changes), NONCE, IntentStatus.SENT, cancel, tried, receipt)


def seen(number=100, nonce=NONCE, base=GWEI, now=1_001.0, **changes):
    plain = Seen(block(number), base, GWEI, nonce, nonce, None, now, pushed_seconds=1_000.0)
    return replace(plain, **changes)


def receipt(number=100, *, tx_hash=HASH, succeeded=True, logs=()):
    return Receipt(tx_hash, block(number), SOMEBODY, succeeded, 21_000, GWEI, logs)


def next_of(one, observed, patience=PATIENCE):
    return decide(one, observed, FeeModel.EIP1559, patience)


EVENT = ExpectedEvent(SOMEBODY, (b"\x01" * 32, None))
PROOF = EventLog(SOMEBODY, (b"\x01" * 32, b"\x02" * 32), b"", 0)


def test_an_intent_lands_when_event_nonce_and_depth_agree():
    one = intent(receipt=receipt(logs=(PROOF,)), expected=EVENT)
    assert next_of(one, seen(nonce=NONCE + 1)) == Settle(IntentStatus.LANDED)


def test_a_plain_transfer_lands_by_nonce_and_depth():
    one = intent(receipt=receipt())
    assert next_of(one, seen(nonce=NONCE + 1)) == Settle(IntentStatus.LANDED)


@pytest.mark.parametrize(("head", "settles"), [(100, False), (101, False), (102, True)])
def test_a_receipt_counts_from_its_depth_on(head, settles):
    # depth 3 with the receipt in block 100: blocks 100, 101 and 102 must hold it
    action = next_of(intent(receipt=receipt(), depth=3), seen(head, nonce=NONCE + 1))
    assert action == (Settle(IntentStatus.LANDED) if settles else Wait())


def test_a_failed_receipt_is_a_revert():
    one = intent(receipt=receipt(succeeded=False), expected=EVENT)
    assert next_of(one, seen(nonce=NONCE + 1)) == Settle(IntentStatus.REVERTED)


def test_a_landed_no_op_is_a_cancellation():
    no_op = attempt(2, was=sent(), purpose=Purpose.CANCEL, tx_hash=NO_OP_HASH)
    one = intent(attempt(was=sent()), no_op, receipt=receipt(tx_hash=NO_OP_HASH), expected=EVENT)
    assert next_of(one, seen(nonce=NONCE + 1)) == Settle(IntentStatus.CANCELLED)


@pytest.mark.parametrize(("head", "settles"), [(100, False), (102, False), (103, True)])
def test_what_has_the_leg_decided_anew_counts_from_the_chains_finality_on(head, settles):
    no_op = attempt(2, was=sent(), purpose=Purpose.CANCEL, tx_hash=NO_OP_HASH)
    ends = {
        IntentStatus.REVERTED: intent(receipt=receipt(succeeded=False)),
        IntentStatus.CANCELLED: intent(
            attempt(was=sent()), no_op, receipt=receipt(tx_hash=NO_OP_HASH)
        ),
    }
    final = replace(PATIENCE, finality=4)  # blocks 100 to 103
    for status, one in ends.items():
        action = next_of(one, seen(head, nonce=NONCE + 1), final)
        assert action == (Settle(status) if settles else Wait())
    use = displaced(intent(), used_by(number=100), block(head), finality=4)
    assert isinstance(use, Settle if settles else Wait)
    landed = next_of(intent(receipt=receipt()), seen(head, nonce=NONCE + 1), final)
    assert landed == Settle(IntentStatus.LANDED)


def test_the_call_may_land_although_a_no_op_was_sent_after_it():
    no_op = attempt(2, was=sent(), purpose=Purpose.CANCEL, tx_hash=NO_OP_HASH)
    one = intent(attempt(was=sent()), no_op, receipt=receipt(), cancel=True)
    assert next_of(one, seen(nonce=NONCE + 1)) == Settle(IntentStatus.LANDED)


def test_success_without_the_event_is_unclear():
    other = EventLog(SOMEBODY, (b"\x09" * 32, b"\x02" * 32), b"", 0)
    action = next_of(intent(receipt=receipt(logs=(other,)), expected=EVENT), seen(nonce=NONCE + 1))
    assert isinstance(action, Unclear)
    assert action.reason == "event_missing"
    assert action.evidence["tx_hash"] == HASH


def test_a_receipt_that_the_account_nonce_denies_is_unclear():
    action = next_of(intent(receipt=receipt()), seen(nonce=NONCE))
    assert isinstance(action, Unclear)
    assert action.reason == "nonce_behind"
    assert action.evidence["account_nonce"] == NONCE


@pytest.mark.parametrize(("since", "unclear"), [(None, False), (99, False), (98, True)])
def test_a_nonce_used_without_our_receipt_is_foreign_only_at_depth(since, unclear):
    observed = seen(nonce=NONCE + 1, passed_since=since)
    action = next_of(intent(depth=3), observed)
    assert isinstance(action, Unclear if unclear else Wait)
    if isinstance(action, Unclear):
        assert action.reason == "foreign_nonce"
        assert action.evidence["tried"] == [HASH]


def used_by(*, tx_hash=OTHER_HASH, nonce=NONCE, sender=None, number=98):
    return MinedTransaction(
        tx_hash, sender or wish().sender, nonce, SOMEBODY, 7, b"\x12\x34\x56\x78", block(number)
    )


def test_a_foreign_transaction_at_our_nonce_and_depth_displaces_and_is_kept_as_evidence():
    action = displaced(intent(depth=3), used_by(), block(100), finality=1)
    assert isinstance(action, Settle)
    assert action.status is IntentStatus.DISPLACED
    assert action.evidence == {
        "reason": "foreign_nonce",
        "moved_by": "transaction",
        "nonce": NONCE,
        "foreign_tx_hash": OTHER_HASH,
        "foreign_target": SOMEBODY,
        "foreign_value_wei": "7",
        "foreign_selector": "0x12345678",
        "block": 98,
        "block_hash": block(98).hash,
        "tried": [HASH],
    }


@pytest.mark.parametrize(
    "use",
    [
        used_by(number=99),  # two of three blocks deep
        used_by(tx_hash=HASH),  # ours: its receipt will come
        used_by(nonce=NONCE + 1),
        used_by(sender=SOMEBODY),
    ],
)
def test_anything_else_at_the_nonce_proves_nothing(use):
    assert displaced(intent(depth=3), use, block(100), finality=1) == Wait()


TROUBLES = [IntentStatus.STUCK, IntentStatus.AMBIGUOUS]


@pytest.mark.parametrize("status", TROUBLES)
@pytest.mark.parametrize("now", [1_001.0, 1_016.0])  # whether or not its bytes are due again
def test_a_trouble_whose_cause_is_gone_is_cleared(status, now):
    one = replace(intent(), status=status, reason="any")
    assert next_of(one, seen(now=now)) == Clear()


@pytest.mark.parametrize("status", TROUBLES)
def test_a_trouble_whose_cause_is_there_is_not_cleared(status):
    one = replace(intent(), status=status, reason="any")
    # passed again, by what is not known yet: after a restart nobody remembers since when
    assert next_of(replace(one, new=wish(depth=3)), seen(nonce=NONCE + 1)) == Wait()
    capped = replace(one, new=wish(fee_ceiling_wei=2 * GWEI))
    action = next_of(capped, seen(103, base=3 * GWEI))
    assert isinstance(action, Stuck)
    assert action.reason == "fee_ceiling"


def test_unsent_bytes_are_broadcast():
    assert next_of(intent(attempt()), seen()) == Broadcast()


@pytest.mark.parametrize(
    ("block_time", "push"),
    [
        (12.0, 6.0),  # half a block
        (5.0, 2.5),
        (60.0, 30.0),
        (1.0, 2.0),  # not more often than that
        (0.0, 6.0),  # a block for each transaction: nothing to derive it from
    ],
)
def test_bytes_go_out_again_after_half_a_block_of_the_chain(block_time, push):
    patience = Patience.of_chain(block_time, finality=7, timeout_seconds=900.0)
    assert patience == Patience(push_seconds=push, finality=7, timeout_seconds=900.0)
    one = intent(attempt(was=sent()))
    assert next_of(one, seen(now=1_000.0 + push - 0.1), patience) == Wait()
    assert next_of(one, seen(now=1_000.0 + push), patience) == Rebroadcast()


def test_what_was_just_accepted_is_left_alone():
    assert next_of(intent(), seen()) == Wait()


@pytest.mark.parametrize("delivery", [Delivery.ACCEPTED, Delivery.ALREADY_KNOWN])
def test_accepted_bytes_go_out_again_after_a_while(delivery):
    one = intent(attempt(was=sent(delivery=delivery)))
    assert next_of(one, seen(now=1_014.9)) == Wait()
    assert next_of(one, seen(now=1_015.0)) == Rebroadcast()


@pytest.mark.parametrize(
    "delivery", [Delivery.UNKNOWN, Delivery.NONCE_TOO_LOW, Delivery.INSUFFICIENT_FUNDS]
)
def test_an_open_answer_makes_the_same_bytes_go_out_again_soon(delivery):
    one = intent(attempt(was=sent(delivery=delivery)))
    assert next_of(one, seen(now=1_000.9)) == Wait()
    assert next_of(one, seen(now=1_001.0)) == Rebroadcast()


@pytest.mark.parametrize(
    ("pushed", "due"), [(1_000, 1_015), (1_015, 1_030), (1_029, 1_058), (1_055, 1_085)]
)
def test_bytes_that_nodes_keep_go_out_more_and_more_rarely(pushed, due):
    # sent at 1,000: 15 s, then as old as they were at the last push, at most 30 s
    kept = intent(attempt(was=sent(delivery=Delivery.ALREADY_KNOWN)))
    behind = {"nonce": NONCE - 1, "pushed_seconds": float(pushed)}
    assert next_of(kept, seen(now=due - 0.1, **behind)) == Wait()
    assert next_of(kept, seen(now=float(due), **behind)) == Rebroadcast()


def test_bytes_that_were_dropped_go_out_again_as_soon_as_at_first():
    dropped = intent(attempt(was=sent(delivery=Delivery.ACCEPTED)))
    late = seen(nonce=NONCE - 1, now=1_055.0, pushed_seconds=1_040.0)
    assert next_of(dropped, late) == Rebroadcast()


def test_after_a_restart_unmined_bytes_go_out_at_once():
    assert next_of(intent(), seen(pushed_seconds=0.0)) == Rebroadcast()


def test_a_cap_under_the_base_fee_is_replaced_after_some_blocks():
    # cap 2 gwei, base fee 5: fresh 2 * 5 + 1 = 11 gwei, more than 2 * 9/8; tip 1 * 9/8 = 1.125
    one = intent()
    assert next_of(one, seen(102, base=5 * GWEI)) == Wait()
    assert next_of(one, seen(103, base=5 * GWEI)) == Replace(Fees(11 * GWEI, 1_125_000_000))


def test_a_cap_that_still_pays_is_not_replaced_for_blocks_alone():
    assert next_of(intent(), seen(150)) == Wait()


def test_the_accounts_next_transaction_is_replaced_after_some_time():
    # 2 * 9/8 = 2.25 gwei against a fresh 2 * 1 + 1 = 3; tip 1.125
    action = next_of(intent(), seen(now=1_060.0, pushed_seconds=1_059.0))
    assert action == Replace(Fees(3 * GWEI, 1_125_000_000))


def test_one_behind_another_of_the_account_is_not_blamed_for_the_time():
    action = next_of(intent(), seen(nonce=NONCE - 1, now=1_060.0, pushed_seconds=1_059.0))
    assert action == Wait()


def test_an_underpriced_answer_is_replaced_in_the_next_block():
    one = intent(attempt(was=sent(delivery=Delivery.UNDERPRICED)))
    assert next_of(one, seen(100)) != Replace(Fees(3 * GWEI, 1_125_000_000))
    assert next_of(one, seen(101)) == Replace(Fees(3 * GWEI, 1_125_000_000))


def test_a_replacement_stops_at_the_ceiling_and_alerts():
    # ceiling 500: from 450 an eighth more is 506.25
    one = intent(attempt(fees=Fees(450 * GWEI, GWEI), was=sent()))
    action = next_of(one, seen(103, base=451 * GWEI))
    assert isinstance(action, Stuck)
    assert action.reason == "fee_ceiling"
    assert action.evidence == {"ceiling_wei": CEILING, "base_fee_wei": 451 * GWEI}


def test_a_no_op_that_is_asked_for_may_cost_more_than_the_call_that_it_gives_up():
    one = replace(intent(attempt(fees=Fees(450 * GWEI, GWEI), was=sent())), cancel_requested=True)
    patience = replace(PATIENCE, cancel_ceiling_wei=1_000 * GWEI)
    action = decide(one, seen(103, base=700 * GWEI), FeeModel.EIP1559, patience)
    assert action == Cancel(Fees(1_000 * GWEI, 1_125_000_000), "requested")
    # and so may what replaces the no-op itself
    no_op = attempt(fees=Fees(600 * GWEI, GWEI), was=sent(), purpose=Purpose.CANCEL)
    action = decide(intent(no_op), seen(103, base=700 * GWEI), FeeModel.EIP1559, patience)
    assert action == Replace(Fees(1_000 * GWEI, 1_125_000_000))


def test_a_replacement_may_reach_the_ceiling_itself():
    # 444 * 9/8 = 499.5; fresh 2 * 445 + 1 is clipped to 500
    one = intent(attempt(fees=Fees(444 * GWEI, GWEI), was=sent()))
    action = next_of(one, seen(103, base=445 * GWEI))
    assert action == Replace(Fees(500 * GWEI, 1_125_000_000))


def test_a_starved_sweep_is_cancelled_since_its_value_leaves_no_room():
    one = intent(is_sweep=True)
    action = next_of(one, seen(103, base=5 * GWEI))
    assert action == Cancel(Fees(11 * GWEI, 1_125_000_000), "sweep_underpriced")


@pytest.mark.parametrize(("deadline", "late"), [(5_000, False), (4_999, True)])
def test_past_its_deadline_an_unmined_call_becomes_a_no_op(deadline, late):
    action = next_of(intent(deadline=deadline), seen())
    assert action == (Cancel(Fees(3 * GWEI, 1_125_000_000), "deadline") if late else Wait())


def test_a_deadline_that_passed_before_any_broadcast_cancels_at_a_fresh_price():
    action = next_of(intent(attempt(), deadline=4_999), seen())
    assert action == Cancel(Fees(3 * GWEI, GWEI), "deadline")


def test_a_cancellation_that_was_asked_for_becomes_a_no_op():
    assert next_of(intent(cancel=True), seen()) == Cancel(
        Fees(3 * GWEI, 1_125_000_000), "requested"
    )


def test_a_no_op_is_not_cancelled_again():
    no_op = attempt(2, was=sent(), purpose=Purpose.CANCEL, tx_hash=NO_OP_HASH)
    assert next_of(intent(attempt(was=sent()), no_op, cancel=True), seen()) == Wait()


def test_a_no_op_is_replaced_like_any_other():
    no_op = attempt(2, was=sent(), purpose=Purpose.CANCEL, tx_hash=NO_OP_HASH)
    action = next_of(intent(attempt(was=sent()), no_op, cancel=True), seen(103, base=5 * GWEI))
    assert action == Replace(Fees(11 * GWEI, 1_125_000_000))


def test_bytes_that_no_node_can_take_burn_their_nonce_with_a_no_op():
    one = intent(attempt(was=sent(delivery=Delivery.REJECTED)))
    assert next_of(one, seen()) == Cancel(Fees(3 * GWEI, 1_125_000_000), "rejected")


def test_a_rejected_no_op_alerts():
    no_op = attempt(2, was=sent(delivery=Delivery.REJECTED), purpose=Purpose.CANCEL)
    action = next_of(intent(attempt(was=sent()), no_op, cancel=True), seen())
    assert isinstance(action, Stuck)
    assert action.reason == "rejected"


def test_a_nonce_that_nobody_holds_is_filled_after_a_while():
    # the account's next nonce is 5, the first live intent has 6: ours at 7 can never be mined
    gap = {"nonce": NONCE - 2, "first_live_nonce": NONCE - 1}
    assert next_of(intent(), seen(**gap)) == Wait()
    action = next_of(intent(), seen(now=1_060.0, pushed_seconds=1_059.0, **gap))
    evidence = {"account_nonce": NONCE - 2, "first_live_nonce": NONCE - 1}
    # a fresh offer: 2 * 1 + 1 gwei
    assert action == Fill(NONCE - 2, Fees(3 * GWEI, GWEI), Stuck("nonce_gap", evidence))


def test_a_gap_is_not_filled_while_gas_costs_more_than_may_be_paid():
    gap = {"nonce": NONCE - 2, "first_live_nonce": NONCE - 1, "base": CEILING + 1}
    one = intent(attempt(fees=Fees(CEILING, GWEI), was=sent(number=100)))
    action = next_of(one, seen(now=1_060.0, pushed_seconds=1_059.0, **gap))
    assert isinstance(action, Stuck)
    assert action.reason == "nonce_gap"


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_gap_is_filled_although_the_one_behind_it_is_at_its_ceiling(is_cancelled):
    # dearer than the ceiling, whoever holds our nonce in the pool: only the gap can be helped
    gap = {"nonce": NONCE - 2, "first_live_nonce": NONCE - 1}
    was = sent(delivery=Delivery.UNDERPRICED)
    one = intent(attempt(fees=Fees(CEILING, GWEI), was=was), cancel=is_cancelled)
    assert isinstance(next_of(one, seen(103, now=1_059.0, **gap)), Stuck)
    action = next_of(one, seen(103, now=1_060.0, **gap))
    assert isinstance(action, Fill)
    assert action.nonce == NONCE - 2


@pytest.mark.parametrize(("now", "gives_up"), [(2_799.9, False), (2_800.0, True)])
def test_a_call_that_is_not_mined_in_time_is_given_up(now, gives_up):
    # first sent at 1,000; replaced since at 2,000: 1,800 s count from the first
    one = intent(
        attempt(was=sent(at=1_000.0)),
        attempt(2, was=sent(at=2_790.0), tx_hash=OTHER_HASH),
    )
    action = next_of(one, seen(now=now, pushed_seconds=now))
    wanted = Cancel(Fees(3 * GWEI, 1_125_000_000), "timeout")
    assert action == (wanted if gives_up else Wait())


def test_the_time_limit_is_a_setting_and_a_no_op_has_none():
    strict = replace(PATIENCE, timeout_seconds=10.0)
    late = seen(now=1_010.0, pushed_seconds=1_010.0)
    assert isinstance(next_of(intent(), late, strict), Cancel)
    no_op = attempt(2, was=sent(), purpose=Purpose.CANCEL, tx_hash=NO_OP_HASH)
    assert next_of(intent(attempt(was=sent()), no_op), late, strict) == Wait()


def test_what_never_went_out_has_not_timed_out():
    assert next_of(intent(attempt()), seen(now=1e9)) == Broadcast()


def test_a_lasting_lack_of_funds_alerts():
    one = intent(attempt(was=sent(delivery=Delivery.INSUFFICIENT_FUNDS)))
    late = seen(nonce=NONCE - 1, now=1_060.0, pushed_seconds=1_059.5)
    action = next_of(one, late)
    assert isinstance(action, Stuck)
    assert action.reason == "insufficient_funds"


def test_a_sweep_that_its_balance_no_longer_covers_is_given_up_for_a_new_one():
    """After a reorg the gas before it may have cost more; its value cannot be lowered."""
    one = intent(attempt(was=sent(delivery=Delivery.INSUFFICIENT_FUNDS)), is_sweep=True)
    early = seen(nonce=NONCE - 1, now=1_059.0, pushed_seconds=1_058.5)
    late = seen(nonce=NONCE - 1, now=1_060.0, pushed_seconds=1_059.5)
    assert next_of(one, early) == Wait()
    action = next_of(one, late)
    assert isinstance(action, Cancel)
    assert action.reason == "sweep_short"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [({}, True), ({"deadline": 4_999}, False), ({"deadline": 5_000}, True)],
)
def test_a_first_broadcast_respects_the_deadline(changes, wanted):
    assert may_broadcast(intent(attempt(), **changes), 5_000) is wanted


def test_a_no_op_may_always_go_out():
    no_op = attempt(2, purpose=Purpose.CANCEL)
    assert may_broadcast(intent(attempt(), no_op, deadline=1, cancel=True), 5_000)


fees = st.builds(
    lambda cap, tip: Fees(max(cap, tip), min(cap, tip)), st.integers(0, CEILING), st.integers(0, 50)
)


@given(
    last=fees,
    delivery=st.sampled_from(Delivery),
    base=st.integers(0, 2 * CEILING),
    head=st.integers(100, 200),
    now=st.floats(1_000, 2_000),
    nonce=st.integers(NONCE - 2, NONCE),
    cancel=st.booleans(),
    deadline=st.none() | st.integers(4_000, 6_000),
    sweep=st.booleans(),
)
def test_no_new_attempt_is_ever_above_the_ceiling_or_under_an_eighth_more(
    last, delivery, base, head, now, nonce, cancel, deadline, sweep
):
    one = intent(
        attempt(fees=last, was=sent(delivery=delivery)),
        cancel=cancel,
        deadline=deadline,
        is_sweep=sweep,
    )
    action = next_of(one, seen(head, nonce=nonce, base=base, now=now))
    if isinstance(action, Replace | Cancel):
        assert action.fees.cap_wei <= CEILING
        assert action.fees.cap_wei * 8 >= last.cap_wei * 9
        assert action.fees.tip_wei * 8 >= last.tip_wei * 9
    assert not isinstance(action, Settle)  # nothing settles without a receipt
