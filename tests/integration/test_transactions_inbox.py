"""The inbox on Postgres beside a chain that does what it is told."""

import asyncio
import json

import pytest
from sqlalchemy import text

from holdfast.audit import store as audit_store
from holdfast.audit.service import AuditTrail
from holdfast.chain.profiles import FeeModel
from holdfast.common.boundary import unobserved
from holdfast.common.errors import Rejected, Transient
from holdfast.common.ids import PrincipalId, new_intent_id
from holdfast.model.leg import Call, ExpectedEvent
from holdfast.signing.model import Fees
from holdfast.transactions.inbox import Inbox
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.loop import start
from holdfast.transactions.model import IntentStatus, Progress, StatusChange
from holdfast.transactions.parts import Pace, Parts
from holdfast.transactions.repairs import Repair, RepairOrder, Stated
from holdfast.transactions.service import Transactions
from tests.support.alarm import KeptAlarm
from tests.support.fake_chain import FakeChain, SetClock
from tests.support.reorgs import KeptReorgs
from tests.support.rows import rows
from tests.support.transactions import (
    ADDRESSES,
    CHAIN,
    FEES,
    GWEI,
    SOMEBODY,
    Woken,
    group,
    keys,
    signed,
    wish,
)

LANDED, DISPLACED = IntentStatus.LANDED, IntentStatus.DISPLACED
ALICE = PrincipalId("alice")


class DealLocks:
    """Stands for the rows of deals, which are not in the database here."""

    async def lock_row(self, session, deal_id):
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:deal, 0))")
        await session.execute(lock, {"deal": str(deal_id)})


class Office:
    """One chain's loop and inbox, and who was woken and alarmed."""

    def __init__(self, database):
        self.database = database
        self.chain, self.clock = FakeChain(), SetClock()
        self.woken, self.alarm = Woken(), KeptAlarm()
        self.journal = PostgresJournal(
            database, CHAIN, self.woken, unobserved, reorgs=KeptReorgs(3), alarm=self.alarm
        )
        self.audit = AuditTrail(self.clock)
        self.inbox = Inbox(
            db=database,
            chain_id=CHAIN,
            finality=1,
            fee_model=FeeModel.EIP1559,
            network=self.chain,
            keys=keys,
            deals=DealLocks(),
            outcomes=self.journal,
            audit=self.audit,
        )
        self.service = Transactions(keys)

    async def begin(self):
        self.sender, self.watcher, self.shared = await start(
            Parts(
                chain_id=CHAIN,
                fee_model=FeeModel.EIP1559,
                network=self.chain,
                journal=self.journal,
                keys=keys,
                clock=self.clock,
                pace=Pace(scan=1.0, reload=1.0, place=5.0),
            )
        )

    async def record(self, wishes, on_chain=0):
        counts = dict.fromkeys(ADDRESSES.values(), on_chain)
        async with self.database.begin() as session:
            await self.service.record(session, wishes, FEES, counts)

    async def settle(self, seconds=1.1):
        self.clock.seconds += seconds
        while await self.watcher.step():
            pass
        await self.sender.step()

    async def status(self, wanted):
        async with self.database.begin() as session:
            told = await self.service.outcomes(session, wanted.deal_id, [wanted.leg_id])
        (found,) = [one for one in told if one.leg_id == wanted.leg_id]  # no-ops are of no leg
        return found.status

    async def mark(self, wanted, status, reason):
        """Write a status as the loop would."""
        found = {one.intent_id: one for one in await self.journal.live()}
        change = StatusChange(found[wanted.intent_id], status, {"reason": reason})
        await self.journal.advance(Progress(changes=(change,)))

    def order(self, repair, stated=None):
        return RepairOrder(repair, ALICE, "seen in the explorer", stated)

    async def do(self, wanted, repair, stated=None):
        return await self.inbox.carry_out(wanted.intent_id, self.order(repair, stated))

    async def audited(self, wanted):
        async with self.database.begin() as session:
            await self.audit.verify(session, wanted.deal_id)
            return await audit_store.entries_of(session, wanted.deal_id)


@pytest.fixture
async def office(database):
    made = Office(database)
    await made.begin()
    return made


async def code_of(action):
    with pytest.raises((Rejected, Transient)) as caught:
        await action
    return caught.value.code


async def taken_elsewhere(office):
    """Somebody else with key 1 uses nonce 0."""
    foreign = await signed(wish(call=Call(SOMEBODY, b"", 99)), 0, Fees(9 * GWEI, GWEI))
    await office.chain.send_raw([foreign.raw])
    office.chain.mine()
    return foreign.tx_hash


async def test_the_inbox_lists_what_is_in_doubt_with_its_evidence_and_nothing_else(office):
    wishes = group(4)
    await office.record(wishes)
    await office.mark(wishes[0], IntentStatus.AMBIGUOUS, "foreign_nonce")
    await office.mark(wishes[1], IntentStatus.STUCK, "fee_ceiling")
    await office.mark(wishes[2], DISPLACED, "foreign_nonce")
    cases = await office.inbox.cases()
    assert [(case.intent.new, case.reason) for case in cases] == [
        (wishes[0], "foreign_nonce"),
        (wishes[1], "fee_ceiling"),
        (wishes[2], "foreign_nonce"),
    ]
    assert cases[0].intent.attempts[0].tx_hash.startswith("0x")
    await office.do(wishes[2], Repair.ACKNOWLEDGE)
    assert [case.intent.new for case in await office.inbox.cases()] == wishes[:2]


async def test_a_displaced_intent_is_accepted_with_the_proof_that_is_found_now(office):
    (one,) = group(1)
    await office.record([one])
    await office.mark(one, IntentStatus.AMBIGUOUS, "foreign_nonce")
    tx_hash = await taken_elsewhere(office)
    shown = await office.inbox.show(one.intent_id, ALICE)
    assert [plan.repair for plan in shown.plans] == [Repair.ACCEPT_DISPLACED]
    assert shown.plans[0].is_ready
    await office.do(one, Repair.ACCEPT_DISPLACED)
    assert await office.status(one) is DISPLACED
    assert one.deal_id in office.woken.deals
    (case,) = await office.inbox.cases()  # until it is acknowledged
    assert case.evidence["foreign_tx_hash"] == tx_hash


async def test_a_refused_repair_writes_nothing_at_all(office):
    (one,) = group(1)
    await office.record([one])
    await office.mark(one, IntentStatus.AMBIGUOUS, "foreign_nonce")
    assert await code_of(office.do(one, Repair.ACCEPT_DISPLACED)) == "tx.repair_nonce_unused"
    assert await office.status(one) is IntentStatus.AMBIGUOUS
    assert await office.audited(one) == []


async def test_a_plan_alone_does_nothing(office):
    (one,) = group(1)
    await office.record([one])
    plan = await office.inbox.plan(one.intent_id, office.order(Repair.CANCEL))
    assert plan.is_ready
    ((asked,),) = await rows(office.database, "SELECT cancel_requested FROM intents")
    assert not asked


async def test_a_cancelled_call_becomes_a_no_op_of_the_loop(office):
    one, after = group(2)
    await office.record([one, after])
    office.chain.base_fee = 5 * GWEI  # the cap of 2 gwei is not mined
    await office.settle()
    await office.do(one, Repair.CANCEL)
    for _ in range(4):
        await office.settle()
        office.chain.mine()
    office.chain.base_fee = GWEI
    for _ in range(4):
        await office.settle()
        office.chain.mine()
    await office.settle()
    assert await office.status(one) is IntentStatus.CANCELLED
    assert await office.status(after) is LANDED
    assert [tx.value for tx in office.chain.effects()] == [0, 1]


async def test_the_same_bytes_go_out_once_more(office):
    (one,) = group(1)
    await office.record([one])
    await office.settle()
    office.chain.pool.clear()  # every pool forgot it
    await office.do(one, Repair.REBROADCAST)
    await office.sender.step()
    assert len(office.chain.sent) == 2
    assert len(set(office.chain.sent)) == 1
    office.chain.mine()
    await office.settle()
    assert await office.status(one) is LANDED


@pytest.mark.parametrize(
    ("stated", "ends"),
    [(Stated.LANDED, LANDED), (Stated.NO_EFFECT, IntentStatus.CANCELLED)],
)
async def test_a_receipt_without_its_event_ends_as_a_person_states(office, stated, ends):
    one = wish(expected=ExpectedEvent(SOMEBODY, (b"\x01" * 32,)))
    await office.record([one])
    await office.settle()
    office.chain.mine()
    await office.settle()
    assert await office.status(one) is IntentStatus.AMBIGUOUS
    refused = office.do(one, Repair.ACCEPT_OUTCOME)
    assert await code_of(refused) == "tx.repair_status"  # somebody has to state it
    await office.do(one, Repair.ACCEPT_OUTCOME, stated)
    assert await office.status(one) is ends
    assert await office.inbox.cases() == []
    await office.settle()
    await office.settle()
    assert await office.status(one) is ends
    (entry,) = await office.audited(one)
    assert (entry.actor, entry.action) == ("alice", "tx.accept-outcome")
    assert json.loads(entry.detail)["reason"] == "seen in the explorer"
    assert json.loads(entry.detail)["stated"] == str(stated)


async def test_a_gap_is_filled_when_asked_and_only_once(office):
    wishes = group(2)
    await office.record(wishes, on_chain=1)  # the chain has sent nothing: 0 is missing
    await office.settle()
    first, second = [office.do(one, Repair.FILL_GAP) for one in wishes]
    await first
    assert await code_of(second) in {"tx.repair_no_gap", "tx.repair_gap_ours"}
    await office.settle()
    office.chain.mine()
    await office.settle()
    assert [await office.status(one) for one in wishes] == [LANDED, LANDED]
    assert [tx.nonce for tx in office.chain.effects()] == [0, 1, 2]


async def test_an_intent_that_changed_while_the_chain_was_read_is_not_repaired(office):
    (one,) = group(1)
    await office.record([one])
    real = office.chain.suggest_tip_wei

    async def meanwhile():
        await office.mark(one, IntentStatus.STUCK, "fee_ceiling")
        return await real()

    office.chain.suggest_tip_wei = meanwhile
    assert await code_of(office.do(one, Repair.CANCEL)) == "tx.repair_moved"
    assert await office.audited(one) == []


async def test_an_intent_that_ended_while_the_chain_was_read_is_refused_by_its_precondition(office):
    (one,) = group(1)
    await office.record([one])
    real = office.chain.suggest_tip_wei

    async def meanwhile():
        await office.mark(one, LANDED, "")
        return await real()

    office.chain.suggest_tip_wei = meanwhile
    assert await code_of(office.do(one, Repair.CANCEL)) == "tx.repair_not_live"


async def test_a_reorg_while_the_facts_are_read_stops_the_repair(office):
    (one,) = group(1)
    await office.record([one])
    office.chain.mine()
    real = office.chain.suggest_tip_wei

    async def meanwhile():
        office.chain.fork(1)
        return await real()

    office.chain.suggest_tip_wei = meanwhile
    assert await code_of(office.do(one, Repair.CANCEL)) == "chain.reorged"


async def test_two_repairs_at_once_never_block_each_other(office):
    # of one deal and one sender; and one of another deal whose row nobody can take
    one, two = group(2)
    await office.record([one, two])
    await asyncio.wait_for(
        asyncio.gather(office.do(one, Repair.CANCEL), office.do(two, Repair.REBROADCAST)), 60
    )
    assert len(await office.audited(one)) == 2
    # One that cannot be done now stands in nobody's way.
    await office.mark(one, IntentStatus.AMBIGUOUS, "foreign_nonce")
    assert await code_of(office.do(one, Repair.ACCEPT_DISPLACED)) == "tx.repair_nonce_unused"
    await office.do(two, Repair.CANCEL)


async def test_the_same_repair_twice_at_once_is_done_once(office):
    (one,) = group(1)
    await office.record([one])
    await office.mark(one, DISPLACED, "foreign_nonce")
    done = await asyncio.gather(
        *(office.do(one, Repair.ACKNOWLEDGE) for _ in range(2)), return_exceptions=True
    )
    assert sorted(isinstance(each, Exception) for each in done) == [False, True]
    assert len(await office.audited(one)) == 1


async def test_there_is_no_case_for_an_unknown_intent(office):
    assert await code_of(office.inbox.show(new_intent_id(), ALICE)) == "tx.not_found"


async def test_a_node_without_old_states_still_shows_the_evidence(office):
    (one,) = group(1)
    await office.record([one])
    await office.mark(one, IntentStatus.AMBIGUOUS, "foreign_nonce")
    await taken_elsewhere(office)
    office.chain.mine()
    office.chain.has_states = False
    shown = await office.inbox.show(one.intent_id, ALICE)
    assert shown.case.reason == "foreign_nonce"
    (plan,) = shown.plans
    assert [check.code for check in plan.checks if not check.holds] == [
        "tx.repair_unproved",
        "tx.repair_shallow",
    ]
