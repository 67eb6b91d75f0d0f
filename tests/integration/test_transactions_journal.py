"""The journal on Postgres, and its twin in memory: the same tests hold for both."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from holdfast.common.boundary import unobserved
from holdfast.common.errors import Transient
from holdfast.common.evm import BlockRef, EventLog, Receipt
from holdfast.model.leg import ExpectedEvent
from holdfast.signing.model import Fees
from holdfast.transactions.attempts import filler
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.model import (
    AttemptState,
    Delivery,
    IntentStatus,
    Place,
    Progress,
    Purpose,
    Send,
    Sent,
    StatusChange,
)
from holdfast.transactions.service import Transactions
from holdfast.transactions.store.recording import insert_intents
from holdfast.transactions.unmined import Orphan, Unmined
from tests.support.alarm import KeptAlarm
from tests.support.fake_chain import MemoryJournal
from tests.support.reorgs import KeptReorgs
from tests.support.transactions import (
    ADDRESSES,
    CHAIN,
    FEES,
    GWEI,
    SOMEBODY,
    Woken,
    group,
    intents_of,
    keys,
    signed,
)

FINALITY = 4
LANDED, SENT, MINED = IntentStatus.LANDED, IntentStatus.SENT, IntentStatus.MINED


class OnPostgres:
    def __init__(self, database, alarm=None):
        self.database, self.waker = database, Woken()
        self.reorgs = KeptReorgs(FINALITY)
        self.journal = PostgresJournal(
            database,
            CHAIN,
            self.waker,
            unobserved,
            reorgs=self.reorgs,
            alarm=alarm or KeptAlarm(),
        )
        self.service = Transactions(keys)

    def told_of_reorg(self):
        return self.reorgs.reopened_, self.reorgs.lost_

    @property
    def woken(self):
        return self.waker.deals

    async def record(self, wishes):
        async with self.database.begin() as session:
            await self.service.record(session, wishes, FEES, dict.fromkeys(ADDRESSES.values(), 0))

    async def ask_to_cancel(self, wanted):
        async with self.database.begin() as session:
            await self.service.cancel_group(session, wanted.group_id)

    async def outcome(self, wanted):
        async with self.database.begin() as session:
            (found,) = await self.service.outcomes(session, wanted.deal_id, [wanted.leg_id])
        return found.status, found.receipt, found.evidence


class InMemory:
    def __init__(self):
        self.journal = MemoryJournal(FINALITY)

    def told_of_reorg(self):
        return self.journal.reopened, self.journal.lost

    @property
    def woken(self):
        return self.journal.woken

    async def record(self, wishes):
        self.journal.record(await intents_of(wishes))

    async def ask_to_cancel(self, wanted):
        self.journal._update(wanted.intent_id, cancel_requested=True)

    async def outcome(self, wanted):
        intent = self.journal.intents[wanted.intent_id]
        return intent.status, intent.receipt, self.journal.evidence.get(wanted.intent_id, {})


@pytest.fixture(params=["postgres", "memory"])
def kept(request):
    if request.param == "memory":
        return InMemory()
    return OnPostgres(request.getfixturevalue("database"))


def receipt_block(number):
    return BlockRef(number, "0x" + f"{number:064x}", 1_000 + number)


def receipt_of(intent, number=50, *, tx_hash=None):
    block = receipt_block(number)
    log = EventLog(SOMEBODY, (b"\x01" * 32, b"\x02" * 32), b"\x03" * 40, 4)
    chosen = tx_hash or intent.last.tx_hash
    return Receipt(chosen, block, intent.new.sender, True, 60_000, 3 * GWEI, (log,))


def send(intent, number=1, *, block=40, at=2_000.5, delivery=Delivery.ACCEPTED):
    return Send(intent.intent_id, number, Sent(block, at, delivery))


async def test_what_was_recorded_is_read_back_whole(kept):
    expected = ExpectedEvent(SOMEBODY, (b"\x01" * 32, None))
    wishes = group(2, expected=expected, deadline=77, depth=4, is_sweep=True)
    await kept.record(wishes)
    live = await kept.journal.live()
    assert [one.new for one in live] == wishes
    assert [one.nonce for one in live] == [0, 1]
    assert [one.status for one in live] == [IntentStatus.SIGNED] * 2
    assert live[0].last == await signed(wishes[0], 0)
    assert live == await kept.journal.to_act_on()


async def test_a_broadcast_keeps_its_first_time_and_its_last_answer(kept):
    await kept.record(group(1))
    (intent,) = await kept.journal.live()
    await kept.journal.sent([send(intent, delivery=Delivery.UNKNOWN)])
    await kept.journal.sent([send(intent, block=45, at=3_000.0, delivery=Delivery.ALREADY_KNOWN)])
    (after,) = await kept.journal.live()
    assert after.status is SENT
    assert after.last.state is AttemptState.SENT
    assert after.last.sent == Sent(40, 2_000.5, Delivery.ALREADY_KNOWN)
    assert await kept.journal.to_act_on() == []


async def test_progress_is_written_together_and_wakes_the_deal_at_the_groups_end(kept):
    first, _second = wishes = group(2)
    await kept.record(wishes)
    one, two = await kept.journal.live()
    receipt = receipt_of(one)
    await kept.journal.advance(
        Progress(((one, receipt),), (StatusChange(one, LANDED),), Place(50, receipt.block.hash))
    )
    assert kept.woken == []  # the other one is still on its way
    assert await kept.outcome(first) == (LANDED, receipt, {})
    assert await kept.journal.place() == Place(50, receipt.block.hash)
    await kept.journal.advance(Progress(changes=(StatusChange(two, IntentStatus.CANCELLED),)))
    assert kept.woken == [first.deal_id]
    assert await kept.journal.live() == []


async def test_a_final_status_is_never_written_over(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    await kept.journal.advance(Progress(changes=(StatusChange(one, LANDED),)))
    await kept.journal.advance(Progress(changes=(StatusChange(one, IntentStatus.REVERTED),)))
    assert (await kept.outcome(wanted))[0] is LANDED
    assert kept.woken == [wanted.deal_id]


async def test_an_ambiguous_intent_wakes_its_deal_and_keeps_the_evidence(kept):
    wishes = group(2)
    await kept.record(wishes)
    one, _ = await kept.journal.live()
    evidence = {"reason": "foreign_nonce", "nonce": 0, "tried": list(one.hashes)}
    change = StatusChange(one, IntentStatus.AMBIGUOUS, evidence)
    await kept.journal.advance(Progress(changes=(change,)))
    assert kept.woken == [wishes[0].deal_id]
    assert (await kept.outcome(wishes[0]))[2] == evidence
    assert len(await kept.journal.live()) == 2


async def test_a_stuck_intent_wakes_nobody(kept):
    await kept.record(group(1))
    (one,) = await kept.journal.live()
    await kept.journal.advance(Progress(changes=(StatusChange(one, IntentStatus.STUCK),)))
    assert kept.woken == []


async def test_a_further_attempt_supersedes_unsent_bytes_and_waits_to_be_sent(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    dearer = await signed(wanted, 0, Fees(9 * GWEI, 2 * GWEI), 2, Purpose.CANCEL)
    assert await kept.journal.add_attempt(one, dearer)
    (after,) = await kept.journal.to_act_on()
    assert [a.state for a in after.attempts] == [AttemptState.SUPERSEDED, AttemptState.SIGNED]
    assert after.last == dearer
    assert after.status is IntentStatus.SIGNED


async def test_of_two_loops_that_replace_at_once_one_is_refused(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    assert await kept.journal.add_attempt(one, await signed(wanted, 0, Fees(9, 9), 2))
    assert not await kept.journal.add_attempt(one, await signed(wanted, 0, Fees(8, 8), 2))
    (after,) = await kept.journal.live()
    assert [a.fees.cap_wei for a in after.attempts] == [FEES.cap_wei, 9]


async def test_a_refused_replacement_leaves_the_other_ones_bytes_to_be_sent(kept):
    (new,) = group(1)
    await kept.record([new])
    (one,) = await kept.journal.live()
    await kept.journal.sent([send(one)])
    faster = await signed(new, 0, Fees(3 * GWEI, 2 * GWEI), 2)
    assert await kept.journal.add_attempt(one, faster)
    slower = await signed(new, 0, Fees(4 * GWEI, 2 * GWEI), 2)
    assert not await kept.journal.add_attempt(one, slower)
    (now,) = await kept.journal.to_act_on()
    assert now.last == faster


async def test_a_final_intent_gets_no_further_attempt(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    await kept.journal.advance(Progress(changes=(StatusChange(one, LANDED),)))
    assert not await kept.journal.add_attempt(one, await signed(wanted, 0, Fees(9, 9), 2))


def place(number):
    ref = receipt_block(number)
    return Place(ref.number, ref.hash)


async def test_blocks_that_are_gone_lose_their_receipts_and_no_others_do(kept):
    low, high, done = wishes = group(3)
    await kept.record(wishes)
    one, two, three = await kept.journal.live()
    seen = ((one, receipt_of(one, 50)), (two, receipt_of(two, 51)), (three, receipt_of(three, 52)))
    changes = (StatusChange(one, MINED), StatusChange(two, MINED), StatusChange(three, LANDED))
    await kept.journal.advance(Progress(seen, changes))
    assert await kept.journal.mined_above(50) == [place(51), place(52)]
    other_branch = replace(place(50), hash="0x" + "ee" * 32)
    unmined = await kept.journal.unmine([other_branch, place(51), place(52)], followed=54)
    assert [orphan.intent_id for orphan in unmined.pending] == [high.intent_id]
    assert (await kept.outcome(low))[0:2] == (MINED, seen[0][1])
    assert (await kept.outcome(high))[0:2] == (SENT, None)
    assert (await kept.outcome(done))[0:2] == (SENT, None)
    assert await kept.journal.mined_above(0) == [place(50)]


@pytest.mark.parametrize(("followed", "is_final"), [(52, False), (53, True)])
@pytest.mark.parametrize("status", [LANDED, IntentStatus.REVERTED, IntentStatus.CANCELLED])
async def test_a_final_intent_is_reopened_unless_its_block_was_final_too(
    kept, status, followed, is_final
):
    """Finality is four blocks: 50, 51, 52 and 53 hold the receipt of block 50."""
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    await kept.journal.sent([send(one)])
    seen = receipt_of(one, 50)
    await kept.journal.advance(Progress(((one, seen),), (StatusChange(one, status),)))
    unmined = await kept.journal.unmine([place(50)], followed)
    expected = Orphan(
        wanted.intent_id, wanted.leg_id, wanted.deal_id, status, one.last.tx_hash, place(50)
    )
    if is_final:
        assert unmined == Unmined(lost=(expected,))
        assert (await kept.outcome(wanted))[0:2] == (status, seen)
        assert await kept.journal.live() == []
    else:
        assert unmined == Unmined(reopened=(expected,))
        assert (await kept.outcome(wanted))[0:2] == (SENT, None)
        (live,) = await kept.journal.live()
        assert live.attempts[0].tx_hash == one.last.tx_hash
    assert kept.told_of_reorg() == ([*unmined.reopened], [*unmined.lost])


async def test_a_displaced_intent_is_reopened_when_the_foreign_transaction_is_gone(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    evidence = {"block": 50, "block_hash": place(50).hash}
    change = StatusChange(one, IntentStatus.DISPLACED, evidence)
    await kept.journal.advance(Progress(changes=(change,)))
    assert await kept.journal.mined_above(49) == [place(50)]
    unmined = await kept.journal.unmine([place(50)], followed=50)
    assert [orphan.tx_hash for orphan in unmined.reopened] == [None]
    assert (await kept.outcome(wanted))[0:2] == (SENT, None)


async def test_a_replacement_given_up_with_its_intent_waits_to_be_sent_again(kept):
    """The first attempt was mined; on the new branch only the dearer one may be affordable."""
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    await kept.journal.sent([send(one)])
    await kept.journal.add_attempt(one, await signed(wanted, 0, Fees(9 * GWEI, 9 * GWEI), 2))
    (two,) = await kept.journal.live()
    seen = receipt_of(two, 50, tx_hash=one.last.tx_hash)
    await kept.journal.advance(Progress(((two, seen),), (StatusChange(two, LANDED),)))
    await kept.journal.unmine([place(50)], followed=50)
    (again,) = await kept.journal.to_act_on()
    assert [one.state for one in again.attempts] == [AttemptState.SENT, AttemptState.SIGNED]


async def test_what_is_gone_is_taken_back_once(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    change = StatusChange(one, LANDED)
    await kept.journal.advance(Progress(((one, receipt_of(one, 50)),), (change,)))
    assert len((await kept.journal.unmine([place(50)], followed=50)).reopened) == 1
    assert await kept.journal.unmine([place(50)], followed=50) == Unmined()


async def test_a_receipt_seen_again_in_another_block_takes_the_firsts_place(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    for number in (50, 52):
        mined = replace(one, receipt=receipt_of(one, number))
        change = (StatusChange(mined, MINED),)
        await kept.journal.advance(Progress(((mined, receipt_of(one, number)),), change))
    assert (await kept.outcome(wanted))[1] == receipt_of(one, 52)


async def test_a_cancellation_that_was_asked_for_is_to_be_acted_on(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    await kept.journal.sent([send(one)])
    assert await kept.journal.to_act_on() == []
    await kept.ask_to_cancel(wanted)
    (asked,) = await kept.journal.to_act_on()
    assert asked.cancel_requested


async def test_the_place_moves(kept):
    assert await kept.journal.place() is None
    await kept.journal.advance(Progress(place=Place(5, "0x" + "05" * 32)))
    await kept.journal.advance(Progress(place=Place(9, "0x" + "09" * 32)))
    assert await kept.journal.place() == Place(9, "0x" + "09" * 32)


async def test_bytes_of_a_final_intent_are_no_longer_waiting(database):
    kept = OnPostgres(database)
    await kept.record(group(1))
    (one,) = await kept.journal.live()
    await kept.journal.advance(Progress(changes=(StatusChange(one, IntentStatus.CANCELLED),)))
    async with database.begin() as session:
        states = await session.execute(text("SELECT state FROM attempts"))
        assert states.scalars().all() == [AttemptState.SUPERSEDED]


async def test_amounts_beyond_64_bits_survive(database):
    huge = 2**200
    (wanted,) = group(1, fee_ceiling_wei=huge)
    wanted = replace(wanted, call=replace(wanted.call, value_wei=huge - 1, data=b"\x00\xff" * 300))
    attempt = await signed(wanted, 0, Fees(huge, huge - 1))
    kept = OnPostgres(database)
    await kept.record(group(1))  # makes the signer
    async with database.begin() as session:
        await insert_intents(session, [(wanted, 5, attempt)])
    (_, read) = await kept.journal.live()
    assert read.new == wanted
    assert read.last == attempt


class BrokenAlarm:
    """An alarm whose own write fails."""

    async def ended(self, session, *ended):
        assert not ended

    async def raised(self, session, *alerts):
        raise Transient("db.unavailable", "gone")


async def test_a_status_that_calls_for_a_person_is_written_only_together_with_its_alert(database):
    kept = OnPostgres(database, BrokenAlarm())
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    stuck = StatusChange(one, IntentStatus.STUCK, {"reason": "fee_ceiling"})
    with pytest.raises(Transient):
        await kept.journal.advance(Progress(changes=(stuck,)))
    assert (await kept.outcome(wanted))[0] is IntentStatus.SIGNED


async def test_of_two_loops_that_find_the_same_end_one_alerts(database):
    alarm = KeptAlarm()
    kept = OnPostgres(database, alarm)
    await kept.record(group(1))
    (one,) = await kept.journal.live()
    change = StatusChange(one, IntentStatus.DISPLACED, {"reason": "foreign_nonce"})
    await kept.journal.advance(Progress(changes=(change,)))
    await kept.journal.advance(Progress(changes=(change,)))
    assert alarm.codes == ["tx.displaced"]


async def test_a_displaced_intent_is_final_with_its_proof_and_ends_its_group(kept):
    first, second = wishes = group(2)
    await kept.record(wishes)
    one, other = await kept.journal.live()
    proof = {"reason": "foreign_nonce", "foreign_tx_hash": "0x" + "ab" * 32}
    displaced = StatusChange(one, IntentStatus.DISPLACED, proof)
    await kept.journal.advance(Progress(changes=(displaced,)))
    assert [each.intent_id for each in await kept.journal.live()] == [other.intent_id]
    assert kept.woken == []
    await kept.journal.advance(Progress(changes=(StatusChange(other, LANDED),)))
    assert kept.woken == [first.deal_id]
    status, receipt, evidence = await kept.outcome(first)
    assert (status, receipt, evidence) == (IntentStatus.DISPLACED, None, proof)
    assert (await kept.outcome(second))[0] is LANDED


async def test_a_nonce_that_is_nobodys_is_filled_once_by_a_recorded_no_op(kept):
    (wanted,) = group(1)
    await kept.record([wanted])
    (blocked,) = await kept.journal.live()
    fillers = [await filler(keys, blocked, 3, FEES) for _ in range(2)]
    done = await asyncio.gather(*map(kept.journal.fill, fillers))
    assert sorted(done) == [False, True]
    kept_one = fillers[done.index(True)]
    assert [one.nonce for one in await kept.journal.to_act_on()] == [0, 3]
    assert (await kept.journal.live())[1] == kept_one
    assert kept_one.last.purpose is Purpose.CANCEL


async def test_the_deal_that_pays_for_a_no_op_is_told_of_it(database):
    kept, (wanted,) = OnPostgres(database), group(1)
    await kept.record([wanted])
    (blocked,) = await kept.journal.live()
    no_op = await filler(keys, blocked, 3, FEES)
    await kept.journal.fill(no_op)
    async with database.begin() as session:
        told = await kept.service.outcomes(session, wanted.deal_id, [wanted.leg_id])
    assert [one.leg_id for one in told] == [wanted.leg_id, no_op.new.leg_id]


@pytest.mark.parametrize("status", [IntentStatus.SIGNED, LANDED, IntentStatus.DISPLACED])
async def test_a_nonce_that_an_intent_has_or_had_is_not_filled(kept, status):
    (wanted,) = group(1)
    await kept.record([wanted])
    (one,) = await kept.journal.live()
    if status is not IntentStatus.SIGNED:
        await kept.journal.advance(Progress(changes=(StatusChange(one, status),)))
    assert not await kept.journal.fill(await filler(keys, one, one.nonce, FEES))
