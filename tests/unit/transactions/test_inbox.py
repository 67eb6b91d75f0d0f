"""What the inbox sees of a case on a chain in memory, and what each repair writes."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.chain.profiles import FeeModel
from holdfast.common.alerts import Ended
from holdfast.common.errors import Rejected, Transient
from holdfast.common.ids import PrincipalId, new_intent_id
from holdfast.model.leg import Call, ExpectedEvent
from holdfast.signing.model import Fees
from holdfast.transactions import inbox as module
from holdfast.transactions.inbox import Inbox
from holdfast.transactions.model import (
    AttemptState,
    Delivery,
    IntentStatus,
    Purpose,
    Sent,
)
from holdfast.transactions.repairs import Case, Repair, RepairOrder, Stated
from tests.support.alarm import KeptAlarm
from tests.support.fake_chain import FakeChain
from tests.support.transactions import (
    ADDRESSES,
    CHAIN,
    GWEI,
    SOMEBODY,
    intents_of,
    keys,
    signed,
    wish,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALICE = PrincipalId("alice")
AMBIGUOUS, STUCK, DISPLACED = IntentStatus.AMBIGUOUS, IntentStatus.STUCK, IntentStatus.DISPLACED


class Office:
    """One case, the rows around it and the chain; `done` is what was written, in order."""

    def __init__(self):
        self.chain = FakeChain()
        self.case = None
        self.moved = None
        self.first_live, self.holder = None, None
        self.is_free = True
        self.done, self.pending, self.acts = [], [], []
        self.alarm = KeptAlarm()
        self.inbox = Inbox(
            db=self,
            chain_id=CHAIN,
            finality=2,
            fee_model=FeeModel.EIP1559,
            network=self.chain,
            keys=keys,
            deals=self,
            outcomes=self,
            audit=self,
            alarm=self.alarm,
        )

    async def put(self, status, reason="", *, nonce=0, **changes):
        """Make the case of one intent whose first attempt was sent."""
        (intent,) = await intents_of([wish(**changes)], nonce)
        sent = Sent(0, 1_000.0, Delivery.ACCEPTED)
        attempt = replace(intent.last, state=AttemptState.SENT, sent=sent)
        intent = replace(intent, status=status, attempts=(attempt,), reason=reason)
        self.case = Case(intent, {"reason": reason} if reason else {}, NOW, NOW, None, 4)
        return intent

    async def order(self, repair, stated=None):
        order = RepairOrder(repair, ALICE, "seen in the explorer", stated)
        return await self.inbox.carry_out(self.case.intent.intent_id, order)

    async def shown(self):
        return await self.inbox.show(self.case.intent.intent_id, ALICE)

    @asynccontextmanager
    async def begin(self):
        self.pending = []
        yield "session"
        self.done += self.pending

    # the rows

    async def open_cases(self, session, chain_id):
        return [(chain_id, self.case)]

    async def case_of(self, session, intent_id):
        return self.case

    async def locked_case(self, session, intent_id):
        self.pending.append("lock intent")
        return self.moved or self.case

    async def nonces_of(self, session, chain_id, sender, next_nonce):
        return self.first_live, self.holder

    async def lock_row(self, session, deal_id):
        self.pending.append("lock deal")

    async def send_again(self, session, case):
        self.pending.append("send again")

    async def ask_to_cancel(self, session, intent_id):
        self.pending.append("cancel")

    async def acknowledge(self, session, intent_id):
        self.pending.append("acknowledge")

    async def change(self, session, changes):
        self.pending += changes

    async def fill(self, session, intent):
        self.pending.append(intent)
        return self.is_free

    async def record(self, session, *acts):
        self.acts += acts
        self.pending.append("audit")

    @property
    def written(self):
        """What a repair did under both locks, and before its entry in the record."""
        *locks, what, audit = self.done
        assert (locks, audit) == (["lock deal", "lock intent"], "audit")
        return what


@pytest.fixture
def office(monkeypatch):
    made = Office()
    monkeypatch.setattr(module, "store", made)
    monkeypatch.setattr(module, "recording", made)
    return made


async def foreign(office, nonce=0):
    """Somebody with the same key uses the nonce, and it gets two blocks deep."""
    one = await signed(wish(call=Call(SOMEBODY, b"", 99)), nonce, Fees(9 * GWEI, GWEI))
    await office.chain.send_raw([one.raw])
    office.chain.mine()
    office.chain.mine()
    return one


async def mined(office, intent):
    await office.chain.send_raw([intent.last.raw])
    office.chain.mine()
    office.chain.mine()
    return office.chain.blocks_[1].receipts[0]


async def refused(office, *how):
    with pytest.raises((Rejected, Transient)) as caught:
        await office.order(*how)
    assert office.done == []
    return caught.value.code


async def test_the_cases_are_those_of_the_chain(office):
    assert await office.inbox.cases() == [(CHAIN, None)]


async def test_a_case_is_shown_as_the_chain_has_it_now_with_every_repair_that_fits(office):
    await office.put(STUCK, "rejected")
    shown = await office.shown()
    assert shown.facts.at == office.chain.blocks_[-1].head.ref
    assert (shown.facts.account_nonce, shown.facts.base_fee_wei) == (0, GWEI)
    assert (shown.facts.receipt, shown.facts.use) == (None, None)
    assert [one.repair for one in shown.plans] == [Repair.REBROADCAST, Repair.CANCEL]
    assert all(one.is_ready for one in shown.plans)


async def test_a_plan_is_checked_and_nothing_is_done(office):
    await office.put(STUCK, "rejected")
    order = RepairOrder(Repair.CANCEL, ALICE, "why not")
    plan = await office.inbox.plan(office.case.intent.intent_id, order)
    assert plan.is_ready
    assert office.done == []


async def test_our_own_receipt_is_seen(office):
    intent = await office.put(AMBIGUOUS, "event_missing")
    receipt = await mined(office, intent)
    facts = (await office.shown()).facts
    assert (facts.receipt, facts.use) == (receipt, None)


async def test_a_receipt_above_the_block_that_is_looked_at_counts_for_nothing(office):
    intent = await office.put(STUCK, "rejected")
    await mined(office, intent)
    early = office.chain.blocks_[0].head

    async def head():
        return early

    office.chain.head = head
    assert (await office.shown()).facts.receipt is None


async def test_who_else_used_the_nonce_is_found(office):
    await office.put(AMBIGUOUS, "foreign_nonce")
    other = await foreign(office)
    assert (await office.shown()).facts.use.tx_hash == other.tx_hash


async def test_our_own_transaction_is_no_foreign_use_where_its_receipt_is_not_found(office):
    intent = await office.put(AMBIGUOUS, "foreign_nonce")
    await mined(office, intent)

    async def none_found(hashes):
        return []

    office.chain.find_receipts = none_found
    facts = (await office.shown()).facts
    assert (facts.receipt, facts.use) == (None, None)


async def test_a_node_without_old_states_proves_no_use_and_shows_the_rest(office):
    await office.put(AMBIGUOUS, "foreign_nonce")
    await foreign(office)
    office.chain.has_states = False
    facts = (await office.shown()).facts
    assert (facts.use, facts.account_nonce) == (None, 1)


async def test_what_was_read_while_the_chain_changed_is_not_believed(office):
    await office.put(STUCK, "rejected")
    office.chain.mine()
    tip = office.chain.suggest_tip_wei

    async def reorg():
        office.chain.fork(1)
        return await tip()

    office.chain.suggest_tip_wei = reorg
    assert await refused(office, Repair.CANCEL) == "chain.reorged"


@pytest.mark.parametrize(
    ("repair", "written"), [(Repair.REBROADCAST, "send again"), (Repair.CANCEL, "cancel")]
)
async def test_a_stuck_intent_is_sent_again_or_cancelled(office, repair, written):
    await office.put(STUCK, "rejected")
    await office.order(repair)
    assert office.written == written


async def test_a_displaced_intent_is_acknowledged(office):
    await office.put(DISPLACED)
    await office.order(Repair.ACKNOWLEDGE)
    assert office.alarm.over == [Ended("tx.displaced", str(office.case.intent.intent_id))]
    assert office.written == "acknowledge"


async def test_an_accepted_displacement_carries_the_proof(office):
    intent = await office.put(AMBIGUOUS, "foreign_nonce")
    other = await foreign(office)
    await office.order(Repair.ACCEPT_DISPLACED)
    assert (office.written.intent, office.written.status) == (intent, DISPLACED)
    assert office.written.evidence["foreign_tx_hash"] == other.tx_hash


@pytest.mark.parametrize(
    ("stated", "status"),
    [(Stated.LANDED, IntentStatus.LANDED), (Stated.NO_EFFECT, IntentStatus.CANCELLED)],
)
async def test_an_outcome_ends_as_it_is_stated_and_says_by_whom(office, stated, status):
    intent = await office.put(
        AMBIGUOUS, "event_missing", expected=ExpectedEvent(SOMEBODY, (b"\x01" * 32,))
    )
    kept = replace(intent, receipt=await mined(office, intent))
    office.case = replace(office.case, intent=kept)
    await office.order(Repair.ACCEPT_OUTCOME, stated)
    assert office.written.status is status
    assert office.written.evidence == {"reason": "accepted", "stated": stated, "by": ALICE}


async def gap(office):
    """The chain waits for nonce 0, and the first intent of ours is at 2."""
    intent = await office.put(STUCK, "nonce_gap", nonce=2)
    office.first_live = 2
    return intent


async def test_a_gap_is_filled_by_a_no_op_at_the_accounts_own_count(office):
    blocked = await gap(office)
    await office.order(Repair.FILL_GAP)
    no_op = office.written
    assert (no_op.nonce, no_op.last.purpose) == (0, Purpose.CANCEL)
    assert no_op.new.call == Call(ADDRESSES[1], b"")
    assert no_op.intent_id != blocked.intent_id


async def test_a_gap_that_was_taken_at_the_last_moment_is_not_filled(office):
    await gap(office)
    office.is_free = False
    assert await refused(office, Repair.FILL_GAP) == "tx.repair_gap_ours"


async def test_a_gap_is_looked_at_again_under_the_locks(office):
    await gap(office)
    answers = iter([(2, None), (2, new_intent_id())])

    async def taken_meanwhile(session, chain_id, sender, next_nonce):
        return next(answers)

    office.nonces_of = taken_meanwhile
    assert await refused(office, Repair.FILL_GAP) == "tx.repair_gap_ours"


async def test_what_does_not_hold_refuses_before_anything_is_locked(office):
    await office.put(IntentStatus.LANDED)
    assert await refused(office, Repair.CANCEL) == "tx.repair_not_live"
    assert office.pending == []


async def test_an_intent_that_ended_meanwhile_is_left_as_it_is(office):
    await office.put(STUCK, "rejected")
    ended = replace(office.case.intent, status=IntentStatus.LANDED)
    office.moved = replace(office.case, intent=ended, version=5)
    assert await refused(office, Repair.CANCEL) == "tx.repair_not_live"


async def test_an_intent_that_changed_meanwhile_is_looked_at_again_first(office):
    await office.put(STUCK, "rejected")
    office.moved = replace(office.case, version=5)
    assert await refused(office, Repair.CANCEL) == "tx.repair_moved"
    assert office.acts == []


async def test_the_record_says_who_repaired_what_why_and_on_which_grounds(office):
    intent = await office.put(STUCK, "rejected")
    plan = await office.order(Repair.CANCEL)
    (act,) = office.acts
    assert (act.actor, act.action) == (ALICE, "tx.cancel")
    assert (act.deal_id, act.subject) == (intent.new.deal_id, f"intent {intent.intent_id}")
    assert (act.detail["reason"], act.detail["nonce"]) == ("seen in the explorer", 0)
    assert act.detail["block_hash"] == office.chain.blocks_[-1].head.ref.hash
    assert len(act.detail["checks"]) == len(plan.checks)
