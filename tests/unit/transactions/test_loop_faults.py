"""Any order of sends, blocks, reorgs, lost answers, crashes and rival loops: one effect each."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.chain.profiles import FeeModel
from holdfast.model.leg import Call
from holdfast.signing.model import Fees
from holdfast.transactions.loop import start
from holdfast.transactions.model import IntentStatus, Purpose
from holdfast.transactions.parts import Pace, Parts
from holdfast.transactions.send_state import Patience
from tests.support.fake_chain import FakeChain, MemoryJournal, SetClock
from tests.support.transactions import ADDRESSES, CHAIN, GWEI, SOMEBODY, group, intents_of, keys

DEPTH = 3
FINALITY = 6
HARDEST_FORK = FINALITY - 1  # deeper than the legs' depth; below finality nothing is forked away
FINAL_EFFECT = {
    IntentStatus.LANDED: Purpose.CALL,
    IntentStatus.REVERTED: Purpose.CALL,
    IntentStatus.CANCELLED: Purpose.CANCEL,
}


class Crashed(BaseException):
    """Stands for the end of the process."""


class LoopUnderFaults(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.events = asyncio.new_event_loop()
        self.chain, self.journal, self.clock = FakeChain(), MemoryJournal(FINALITY), SetClock()
        for _ in range(FINALITY):
            self.chain.mine()
        self.crash_at = ""
        self.next_nonce = dict.fromkeys(ADDRESSES, 0)
        self.values = count(1)
        self.parts = Parts(
            chain_id=CHAIN,
            fee_model=FeeModel.EIP1559,
            network=self.chain,
            journal=self.journal,
            keys=keys,
            clock=self.clock,
            boundary=self.boundary,
            patience=Patience(blocks=2, seconds=20, push_seconds=3, retry_seconds=1),
            pace=Pace(scan=1.0, reload=5.0, place=5.0),
        )
        self.loops = [self.run(start(self.parts)), self.run(start(self.parts))]

    def run(self, work):
        return self.events.run_until_complete(work)

    def boundary(self, name):
        if name == self.crash_at:
            self.crash_at = ""
            raise Crashed(name)

    def teardown(self):
        self.heal()
        self.events.close()

    def heal(self):
        """With an honest node and time, every intent must become final."""
        self.chain.loses_answers = self.chain.loses_requests = False
        self.chain.base_fee, self.crash_at = GWEI, ""
        for _ in range(6):  # a reorg that nobody has seen yet, or that only the other loop saw
            self.watch(0, 6)
        for _ in range(80):
            if all(one.status.is_final for one in self.journal.intents.values()):
                break
            self.watch(0, 2)
            self.send(0)
            self.chain.mine()
        self.check_the_end()

    def check_the_end(self):
        stuck = {
            str(one.status): one.nonce
            for one in self.journal.intents.values()
            if not one.status.is_final
        }
        assert not stuck
        assert {one.new.deal_id for one in self.journal.intents.values()} <= set(self.journal.woken)
        self.check_that_what_is_final_is_what_the_chain_shows()
        mined = [tx.value for tx in self.chain.effects() if tx.value]
        assert len(mined) == len(set(mined))
        landed = [one for one in self.journal.intents.values() if one.status is IntentStatus.LANDED]
        assert sorted(mined) == sorted(one.new.call.value_wei for one in landed)

    def check_that_what_is_final_is_what_the_chain_shows(self):
        mined = {tx.hash for tx in self.chain.effects()}
        for one in self.journal.intents.values():
            (hit,) = [a for a in one.attempts if a.tx_hash in mined]
            assert hit.purpose is FINAL_EFFECT[one.status]

    @rule(index=st.integers(1, 3), size=st.integers(1, 3), deadline=st.none() | st.integers(1, 30))
    def record(self, index, size, deadline):
        late = None if deadline is None else self.chain.time + deadline
        wishes = [
            replace(one, call=Call(SOMEBODY, b"", next(self.values)))
            for one in group(size, index, depth=DEPTH, deadline=late)
        ]
        first = self.next_nonce[index]
        self.next_nonce[index] += size
        self.journal.record(self.run(intents_of(wishes, first, Fees(3 * GWEI, GWEI))))

    @rule(which=st.integers(0, 1))
    def send(self, which):
        self.guarded(which, self.loops[which][0].step)

    @rule(which=st.integers(0, 1), seconds=st.integers(0, 7))
    def watch(self, which, seconds):
        self.clock.seconds += seconds
        self.guarded(which, self.loops[which][1].step)

    def guarded(self, which, step):
        try:
            self.run(step())
        except Crashed:
            self.restart(which)

    @rule(which=st.integers(0, 1), rounds=st.integers(1, 3))
    def work_undisturbed(self, which, rounds):
        for _ in range(rounds):
            self.send(which)
            self.mine()
            self.watch(which, 2)

    @rule(which=st.integers(0, 1), depth=st.integers(1, HARDEST_FORK), blocks=st.integers(0, 3))
    def reorg_after_a_mined_group(self, which, depth, blocks):
        """Mine what is waiting, follow it, then take the block away, and perhaps go on."""
        self.work_undisturbed(which, 1)
        self.chain.fork(depth)
        for _ in range(blocks):
            self.chain.mine()
        self.watch(which, 0)

    @rule(which=st.integers(0, 1))
    def restart(self, which):
        self.crash_at = ""
        self.loops[which] = self.run(start(self.parts))

    @rule(at=st.sampled_from(["tx.before_broadcast", "tx.after_broadcast", "tx.after_sign"]))
    def plan_a_crash(self, at):
        self.crash_at = at

    @rule()
    def mine(self):
        self.chain.mine()

    @rule(gwei=st.sampled_from([1, 2, 4, 9, 30]))
    def change_the_base_fee(self, gwei):
        self.chain.base_fee = gwei * GWEI

    @rule(depth=st.integers(1, HARDEST_FORK), keeps=st.booleans())
    def reorg(self, depth, keeps):
        self.chain.fork(depth, keeps=keeps)

    @rule()
    def empty_the_pool(self):
        self.chain.pool.clear()

    @rule(answers=st.booleans(), requests=st.booleans())
    def disturb_the_line(self, answers, requests):
        self.chain.loses_answers, self.chain.loses_requests = answers, requests

    @precondition(lambda self: self.journal.intents)
    @rule(data=st.data())
    def ask_to_cancel(self, data):
        some = data.draw(st.sampled_from(sorted(self.journal.intents, key=str)))
        chosen = self.journal.intents[some].new.group_id
        for one in list(self.journal.intents.values()):
            if one.new.group_id == chosen and not one.status.is_final:
                self.journal._update(one.intent_id, cancel_requested=True)

    @invariant()
    def nothing_was_broadcast_that_was_not_recorded_first(self):
        recorded = {a.raw for one in self.journal.intents.values() for a in one.attempts}
        assert recorded.issuperset(self.chain.sent)

    @invariant()
    def an_intent_has_one_nonce_and_no_nonce_two_intents(self):
        taken = [(one.new.sender, one.nonce) for one in self.journal.intents.values()]
        assert len(taken) == len(set(taken))
        known = {
            a.tx_hash: one.nonce for one in self.journal.intents.values() for a in one.attempts
        }
        assert all(tx.nonce == known[tx.hash] for tx in self.chain.effects())

    @invariant()
    def nothing_is_lost_below_finality(self):
        assert self.journal.lost == []

    @invariant()
    def nothing_is_in_dispute(self):
        # Every transaction here is ours: whatever went wrong, no signal disagrees for good.
        with suppress(StopIteration):
            odd = next(o for o in self.journal.intents.values() if o.status == "ambiguous")
            raise AssertionError(self.journal.evidence[odd.intent_id])


LoopUnderFaults.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_order_of_faults_leaves_one_effect_each = LoopUnderFaults.TestCase
