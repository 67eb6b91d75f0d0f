import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
import pytest_asyncio

from holdfast.chain.profiles import FeeModel
from holdfast.chain.sending import SendAnswer, SendOutcome
from holdfast.common.errors import Rejected, Transient
from holdfast.model.leg import Call, ExpectedEvent
from holdfast.signing.model import Fees
from holdfast.transactions.loop import ChainLoop, start
from holdfast.transactions.model import IntentStatus, Place, Progress, Purpose, StatusChange
from holdfast.transactions.parts import Pace, Parts
from holdfast.transactions.send_state import Patience
from tests.support.fake_chain import FakeChain, MemoryJournal, SetClock, event_of
from tests.support.transactions import (
    CEILING,
    CHAIN,
    FEES,
    GWEI,
    SOMEBODY,
    group,
    intents_of,
    keys,
    signed,
    wish,
)

LANDED, SENT, MINED = IntentStatus.LANDED, IntentStatus.SENT, IntentStatus.MINED
STUCK, AMBIGUOUS, CANCELLED = IntentStatus.STUCK, IntentStatus.AMBIGUOUS, IntentStatus.CANCELLED
DISPLACED = IntentStatus.DISPLACED


class Rig:
    """A loop on a fake chain, stepped by hand; `restart` loses everything but the journal."""

    def __init__(self, patience=None):
        self.chain, self.journal, self.clock = FakeChain(), MemoryJournal(), SetClock()
        self.parts = Parts(
            chain_id=CHAIN,
            fee_model=FeeModel.EIP1559,
            network=self.chain,
            journal=self.journal,
            keys=keys,
            clock=self.clock,
            patience=patience or Patience(),
            pace=Pace(scan=1.0, reload=5.0, place=5.0),
        )

    async def restart(self):
        self.sender, self.watcher, self.shared = await start(self.parts)

    async def record(self, wishes, first_nonce=0, fees=FEES):
        intents = await intents_of(wishes, first_nonce, fees)
        self.journal.record(intents)
        return intents

    async def settle(self, seconds=1.1):
        """Let time pass, follow the chain to its head, scan, and send what that asks for."""
        self.clock.seconds += seconds
        while await self.watcher.step():
            pass
        await self.sender.step()

    def statuses(self, wishes):
        return [self.journal.status(one) for one in wishes]


@pytest_asyncio.fixture
async def rig():
    made = Rig()
    await made.restart()
    return made


async def test_recorded_bytes_are_sent_in_nonce_order_as_one_batch(rig):
    batches = []
    real = rig.chain.send_raw

    async def watched(transactions):
        batches.append(list(transactions))
        return await real(transactions)

    rig.chain.send_raw = watched
    intents = await rig.record(group(3))
    rig.journal.intents = dict(reversed(rig.journal.intents.items()))
    assert await rig.sender.step() == 3
    assert batches == [[one.last.raw for one in intents]]
    assert await rig.sender.step() == 0


async def test_a_group_lands_and_wakes_its_deal_once(rig):
    wishes = group(2)
    await rig.record(wishes)
    await rig.sender.step()
    assert rig.statuses(wishes) == [SENT, SENT]
    rig.chain.mine()
    await rig.settle()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED, LANDED]
    assert rig.journal.woken == [wishes[0].deal_id]
    assert len(rig.shared.live) == 0


async def test_a_leg_without_its_event_is_ambiguous_and_wakes_the_deal(rig):
    expected = ExpectedEvent(SOMEBODY, (b"\x01" * 32,))
    good, bad = group(2, expected=expected)
    first, second = await rig.record([good, bad])
    rig.chain.events = {first.last.tx_hash: [event_of(expected)]}
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses([good, bad]) == [LANDED, AMBIGUOUS]
    assert rig.journal.evidence[second.intent_id]["reason"] == "event_missing"
    assert rig.journal.woken == [bad.deal_id]
    await rig.settle()
    assert rig.journal.woken == [bad.deal_id]  # said once


async def test_an_ambiguity_for_another_reason_keeps_the_new_evidence_and_wakes_the_deal(rig):
    (wanted,) = wishes = group(1, expected=ExpectedEvent(SOMEBODY, (b"\x01" * 32,)))
    (intent,) = await rig.record(wishes)
    await rig.sender.step()
    before = StatusChange(intent, AMBIGUOUS, {"reason": "nonce_behind"})
    await rig.journal.advance(Progress(changes=(before,)))
    await rig.restart()
    rig.chain.mine()
    await rig.settle()
    await rig.settle()
    assert rig.statuses(wishes) == [AMBIGUOUS]
    assert rig.journal.evidence[intent.intent_id]["reason"] == "event_missing"
    assert rig.journal.woken == [wanted.deal_id] * 2  # said once for each reason


async def test_a_silent_node_loses_nothing(rig):
    wishes = group(1)
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.mine()
    rig.chain.is_silent = True
    with pytest.raises(Transient):
        await rig.watcher.step()
    rig.chain.is_silent = False
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED]


async def test_a_lost_request_goes_out_again_with_the_same_bytes(rig):
    wishes = group(1)
    await rig.record(wishes)
    rig.chain.loses_requests = True
    await rig.sender.step()
    rig.chain.loses_requests = False
    await rig.settle()
    assert len(set(rig.chain.sent)) == 1
    assert len(rig.chain.sent) == 2
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED]


async def test_a_restart_reads_the_blocks_that_were_missed(rig):
    wishes = group(2)
    await rig.record(wishes)
    await rig.sender.step()
    for _ in range(100):
        rig.chain.mine()
    first = rig.chain.blocks_[0].head.ref
    rig.journal.place_ = Place(first.number, first.hash)
    await rig.restart()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED, LANDED]


async def test_a_receipt_in_a_block_that_was_never_followed_is_found_by_its_hash(rig):
    # Another leader sent it, it was mined, and only then did this one hear of the intent.
    wishes = group(1)
    intents = await rig.record(wishes)
    rig.journal.intents.clear()
    await rig.chain.send_raw([intents[0].last.raw])
    rig.chain.mine()
    await rig.settle()
    rig.journal.record(intents)
    await rig.settle()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED]


async def used_elsewhere(rig):
    """Somebody else with the key takes nonce 0, deep in the chain; then the hash of that."""
    foreign = await signed(wish(call=Call(SOMEBODY, b"", 99)), 0, Fees(9 * GWEI, GWEI))
    await rig.chain.send_raw([foreign.raw])
    for _ in range(9):
        rig.chain.mine()
    return foreign.tx_hash


async def test_a_nonce_used_elsewhere_displaces_the_intent_with_proof_and_the_next_one_goes_on(rig):
    wishes = group(2)
    tx_hash = await used_elsewhere(rig)
    await rig.settle()
    intent, _ = await rig.record(wishes)
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [DISPLACED, LANDED]
    evidence = rig.journal.evidence[intent.intent_id]
    assert evidence["foreign_tx_hash"] == tx_hash
    assert evidence["block"] == 1
    assert evidence["nonce"] == 0
    assert rig.journal.woken == [wishes[0].deal_id]
    assert [tx.nonce for tx in rig.chain.effects()] == [0, 1]


class _LostKey:
    async def open(self, ref):
        raise Rejected("signing.key_not_found", f"there is no key {ref.key_id}")


async def test_a_key_that_cannot_sign_leaves_its_intent_stuck_and_the_loop_running(rig):
    wishes = group(1)
    (intent,) = await rig.record(wishes, first_nonce=1)  # nonce 0 is missing and to be filled
    rig.parts = replace(rig.parts, keys=_LostKey())
    await rig.restart()
    await rig.sender.step()
    for _ in range(2):
        await rig.settle(61)
        assert rig.statuses(wishes) == [STUCK]
    evidence = rig.journal.evidence[intent.intent_id]
    assert evidence == {"reason": "unsigned", "error": "signing.key_not_found"}


async def test_a_gap_that_is_nobodys_is_filled_with_a_no_op_and_what_waits_goes_on(rig):
    wishes = group(2)
    await rig.record(wishes, first_nonce=2)  # the account has sent nothing: 0 and 1 are missing
    await rig.sender.step()
    for _ in range(4):
        await rig.settle(61)
        rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED, LANDED]
    mined = rig.chain.effects()
    assert [(tx.nonce, tx.value) for tx in mined] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    fillers = [one for one in rig.journal.intents.values() if one.new not in wishes]
    assert [one.status for one in fillers] == [CANCELLED, CANCELLED]
    assert {one.new.leg_id for one in fillers}.isdisjoint(one.leg_id for one in wishes)


async def test_a_gap_left_by_an_intent_of_ours_that_was_final_is_not_filled_but_told(rig):
    (first,) = group(1)
    (gone,) = await intents_of([first])
    rig.journal.record([replace(gone, status=LANDED)])
    wishes = group(1)
    await rig.record(wishes, first_nonce=1)
    await rig.sender.step()
    await rig.settle(61)
    assert rig.statuses(wishes) == [STUCK]
    assert rig.journal.evidence[wishes[0].intent_id]["reason"] == "nonce_gap"
    assert len(rig.journal.intents) == 2


async def test_one_that_was_stuck_counts_as_sent_again_when_its_cause_is_gone(rig):
    (first,) = group(1)
    (gone,) = await intents_of([first])
    rig.journal.record([replace(gone, status=LANDED)])
    wishes = group(1)
    await rig.record(wishes, first_nonce=1)
    await rig.sender.step()
    await rig.settle(61)
    assert rig.statuses(wishes) == [STUCK]
    rig.journal.record([gone])  # the reorg was seen: what the chain waits for is live again
    await rig.settle(6)
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.SENT]
    assert rig.journal.evidence[wishes[0].intent_id] == {"reason": "nonce_gap"}
    # until it is mined, since the alert about it lasts as long


async def test_one_that_was_ambiguous_counts_as_sent_again_when_the_foreign_use_is_gone(rig):
    (one,) = wishes = group(1)
    foreign = await signed(wish(call=Call(SOMEBODY, b"", 99)), 0, Fees(9 * GWEI, GWEI))
    await rig.chain.send_raw([foreign.raw])
    rig.chain.mine()
    rig.chain.has_states = False
    await rig.record(wishes)
    await rig.sender.step()
    await rig.settle()
    assert rig.statuses(wishes) == [AMBIGUOUS]
    rig.chain.rewind(1)
    rig.chain.mine()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.SENT]
    assert rig.journal.woken == [one.deal_id, one.deal_id]  # to hold, and to go on
    await rig.settle()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED]


async def test_a_nonce_used_elsewhere_without_proof_stays_ambiguous_until_there_is_one(rig):
    (one,) = wishes = group(1)
    await used_elsewhere(rig)
    rig.chain.has_states = False
    await rig.settle()
    (intent,) = await rig.record(wishes)
    await rig.sender.step()
    await rig.settle()
    assert rig.statuses(wishes) == [AMBIGUOUS]
    assert rig.journal.evidence[intent.intent_id]["reason"] == "foreign_nonce"
    assert rig.journal.woken == [one.deal_id]
    rig.chain.has_states = True
    await rig.settle(5)
    assert rig.statuses(wishes) == [AMBIGUOUS]  # not asked again so soon
    await rig.settle(6)
    assert rig.statuses(wishes) == [DISPLACED]


async def test_a_foreign_use_is_no_proof_before_it_is_as_deep_as_a_receipt_must_be(rig):
    wishes = group(1, depth=12)
    await used_elsewhere(rig)  # in block 1 of 9: nine deep
    await rig.settle()
    await rig.record(wishes)
    await rig.sender.step()
    found = []
    for _ in range(12):
        rig.chain.mine()
        await rig.settle()
        found += rig.statuses(wishes)
    assert found[:2] == [SENT, SENT]  # ten and eleven deep
    assert found[-1] is DISPLACED
    assert AMBIGUOUS not in found


async def test_a_reorg_sends_the_same_bytes_again(rig):
    wishes = group(2, depth=3)
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [MINED, MINED]
    rig.chain.fork(1)
    await rig.settle()
    assert rig.statuses(wishes) == [SENT, SENT]
    assert len(rig.chain.sent) == 4
    assert len(set(rig.chain.sent)) == 2
    for _ in range(3):
        rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED, LANDED]


async def test_a_reorg_to_a_longer_chain_is_noticed_by_its_parents(rig):
    wishes = group(1, depth=3)
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [MINED]
    rig.chain.fork(1)
    rig.chain.mine()
    rig.chain.mine()  # by height the old receipt would be deep enough now
    await rig.settle()
    assert rig.statuses(wishes) == [SENT]


async def test_a_reorg_to_a_shorter_chain_is_followed_back(rig):
    wishes = group(1, depth=2)
    rig.journal.finality = 2
    await rig.record(wishes)
    for _ in range(3):
        rig.chain.mine()
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [MINED]
    rig.chain.rewind(2)
    await rig.settle()
    assert rig.statuses(wishes) == [MINED]  # a node that lags looks the same for a while
    await rig.settle(seconds=10)
    assert rig.statuses(wishes) == [SENT]


async def test_a_node_that_lags_takes_nothing_back(rig):
    wishes = group(1, depth=4)
    await rig.record(wishes)
    await rig.sender.step()
    for _ in range(3):
        rig.chain.mine()
    await rig.settle()
    newest = [rig.chain.blocks_.pop() for _ in range(2)]
    await rig.settle(seconds=5)
    rig.chain.blocks_ += reversed(newest)
    await rig.settle()
    assert rig.statuses(wishes) == [MINED]
    assert len(rig.chain.sent) == 1


async def test_a_reorg_while_nobody_watched_is_noticed_at_the_start(rig):
    wishes = group(1, depth=5)
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [MINED]
    rig.chain.fork(1)
    await rig.restart()
    await rig.settle()
    assert rig.statuses(wishes) == [SENT]


async def test_a_receipt_that_another_leader_saw_on_a_lost_branch_is_not_believed(rig):
    wishes = group(1, depth=3)
    await rig.record(wishes)
    _, late_watcher, late = await start(rig.parts)  # leads later, from block 0
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [MINED]
    rig.chain.fork(1)
    late.live.put(await rig.journal.live())  # with a receipt from a block that is gone
    for _ in range(4):
        rig.chain.mine()
        await late_watcher.step()
    assert rig.statuses(wishes) == [SENT]


async def test_a_replacement_keeps_the_nonce_and_lands_once(rig):
    wishes = group(1)
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.base_fee = 5 * GWEI
    for _ in range(3):
        rig.chain.mine()
    await rig.settle()
    rig.chain.mine()
    await rig.settle()
    (done,) = rig.journal.intents.values()
    assert [one.purpose for one in done.attempts] == [Purpose.CALL, Purpose.CALL]
    assert done.status is LANDED
    assert [tx.nonce for tx in rig.chain.effects()] == [0]
    assert rig.chain.effects()[0].hash == done.attempts[1].tx_hash


async def test_the_first_attempt_may_land_after_it_was_replaced(rig):
    wishes = group(1)
    (intent,) = await rig.record(wishes)
    await rig.sender.step()
    rig.chain.base_fee = 5 * GWEI
    for _ in range(3):
        rig.chain.mine()
    rig.chain.loses_requests = True  # the replacement never reaches the pool
    await rig.settle()
    assert len(rig.journal.intents[intent.intent_id].attempts) == 2
    await rig.restart()
    rig.chain.base_fee = GWEI
    rig.chain.mine()
    await rig.settle(seconds=0)
    assert rig.statuses(wishes) == [LANDED]
    assert rig.chain.effects()[0].hash == intent.last.tx_hash


async def test_at_the_ceiling_it_alerts_and_keeps_its_bytes_alive(rig):
    wishes = group(1)
    await rig.record(wishes, fees=Fees(CEILING, GWEI))
    await rig.sender.step()
    rig.chain.base_fee = 2 * CEILING
    for _ in range(3):
        rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [STUCK]
    await rig.settle(seconds=20)
    assert len(set(rig.chain.sent)) == 1
    assert len(rig.chain.sent) > 1  # the same bytes, again
    rig.chain.base_fee = GWEI
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED]


async def test_a_passed_deadline_burns_the_nonce_so_that_later_ones_go_on(rig):
    one = wish(deadline=rig.chain.time + 1)
    two = wish(deal_id=one.deal_id, group_id=one.group_id)
    rig.chain.base_fee = 5 * GWEI
    await rig.record([one, two])
    await rig.sender.step()
    rig.chain.mine(seconds=10)
    await rig.settle()
    rig.chain.base_fee = GWEI
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses([one, two]) == [CANCELLED, LANDED]
    assert [tx.value for tx in rig.chain.effects()] == [0, 1]
    assert rig.journal.woken == [one.deal_id]


async def test_a_no_op_that_is_too_cheap_is_replaced_by_a_no_op(rig):
    wishes = group(1, deadline=rig.chain.time + 1)
    rig.chain.base_fee = 5 * GWEI
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.mine(seconds=10)
    await rig.settle()  # the no-op, at 2 * 5 + 1 gwei
    rig.chain.base_fee = 20 * GWEI
    for _ in range(3):
        rig.chain.mine()
    await rig.settle()
    rig.chain.mine()
    await rig.settle()
    (done,) = rig.journal.intents.values()
    assert [one.purpose for one in done.attempts] == [Purpose.CALL, Purpose.CANCEL, Purpose.CANCEL]
    assert done.status is CANCELLED
    assert [tx.value for tx in rig.chain.effects()] == [0]


async def test_a_requested_cancellation_is_acted_on_at_the_next_look(rig):
    (one,) = wishes = group(1)
    rig.chain.base_fee = 5 * GWEI
    await rig.record(wishes)
    await rig.sender.step()
    await rig.watcher.step()
    rig.journal._update(one.intent_id, cancel_requested=True)
    await rig.sender.step()
    await rig.settle(seconds=0)  # not even the pause between two scans passes
    assert rig.journal.intents[one.intent_id].last.purpose is Purpose.CANCEL


async def test_a_cancellation_that_has_to_wait_is_asked_for_once(rig):
    # Otherwise the scan wakes the sender and the sender the scan, without a pause.
    (one,) = await rig.record([wish(fee_ceiling_wei=FEES.cap_wei)])
    await rig.sender.step()
    rig.journal._update(one.intent_id, cancel_requested=True)
    await rig.sender.step()
    assert rig.shared.scan_wanted
    await rig.watcher.step()
    assert rig.journal.status(one.new) is STUCK
    rig.shared.to_look.clear()
    await rig.sender.step()
    assert not rig.shared.scan_wanted
    assert not rig.shared.to_look.is_set()


async def test_another_loop_that_was_faster_is_followed(rig):
    (one,) = wishes = group(1)
    (intent,) = await rig.record(wishes)
    await rig.sender.step()
    theirs = await signed(one, 0, Fees(20 * GWEI, 2 * GWEI), number=2)
    await rig.journal.add_attempt(intent, theirs)
    rig.chain.base_fee = 5 * GWEI
    for _ in range(3):
        rig.chain.mine()
    await rig.watcher.step()
    assert [a.tx_hash for a in rig.journal.intents[one.intent_id].attempts][1:] == [theirs.tx_hash]
    await rig.settle()
    rig.chain.mine()
    await rig.settle()
    assert rig.chain.effects()[0].hash == theirs.tx_hash
    assert rig.statuses(wishes) == [LANDED]


async def test_what_another_process_settled_is_forgotten(rig):
    (one,) = wishes = group(1)
    await rig.record(wishes)
    await rig.sender.step()
    rig.journal._update(one.intent_id, status=LANDED)
    await rig.settle(seconds=6)
    assert len(rig.shared.live) == 0


async def test_the_place_is_written_now_and_then_on_a_quiet_chain(rig):
    rig.chain.mine()
    await rig.settle()
    assert rig.journal.place_.number == 0
    await rig.settle(seconds=6)
    assert rig.journal.place_.number == 1


class Always:
    """Leads at once, and announces nothing."""

    async def lead(self, work):
        await work()

    async def wait(self, timeout_seconds=None):
        await asyncio.sleep(0.01)
        return False


async def until(is_so):
    for _ in range(500):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited five seconds")


async def test_the_whole_loop_runs_and_survives_a_node_that_goes_away(rig):
    rig.chain.is_silent = True
    parts = replace(rig.parts, pace=Pace(head=0.01, scan=0.01))
    running = asyncio.create_task(ChainLoop(parts, Always(), Always()).run())
    await asyncio.sleep(0.05)
    rig.chain.is_silent = False
    wishes = group(2)
    await rig.record(wishes)
    await until(lambda: len(rig.chain.sent) == 2)
    rig.chain.is_silent = True
    rig.chain.mine()
    await asyncio.sleep(0.05)
    rig.chain.is_silent = False
    await until(lambda: rig.statuses(wishes) == [LANDED, LANDED])
    assert not running.done()  # its errors are waited out, not its end
    assert len(rig.chain.effects()) == 2
    assert rig.journal.woken == [wishes[0].deal_id]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_an_underpriced_answer_leads_to_a_dearer_attempt(rig):
    wishes = group(1)
    await rig.record(wishes)
    rig.chain.answer = SendAnswer(SendOutcome.UNDERPRICED, "transaction underpriced")
    await rig.sender.step()
    rig.chain.answer = None
    rig.chain.pool.clear()
    rig.chain.mine()
    await rig.settle()
    rig.chain.mine()
    await rig.settle()
    (done,) = rig.journal.intents.values()
    assert done.status is LANDED
    assert len(done.attempts) == 2


@pytest.mark.parametrize(
    ("block_seconds", "since", "pause"),
    [
        (0, 0.0, 0.05),
        (1, 0.0, 0.9),  # nine tenths of the block time are certain
        (1, 0.5, 0.4),
        (1, 5.0, 0.02),  # a fiftieth of it from then on
        (12, 11.5, 0.24),
    ],
)
def test_blocks_are_looked_for_when_one_is_due(block_seconds, since, pause):
    assert Pace.of_chain(block_seconds).until_next_look(since) == pytest.approx(pause)
