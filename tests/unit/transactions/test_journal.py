"""What each of the journal's transactions does, and in which order, its statements as notes."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from holdfast.common.alerts import Ended
from holdfast.common.errors import Transient
from holdfast.common.evm import BlockRef, Receipt
from holdfast.common.ids import new_deal_id
from holdfast.transactions import journal as module
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.model import (
    REORG,
    Delivery,
    IntentStatus,
    Place,
    Progress,
    Send,
    Sent,
    StatusChange,
)
from holdfast.transactions.shard import Shard
from holdfast.transactions.unmined import Orphan
from tests.support.alarm import KeptAlarm
from tests.support.transactions import CHAIN, FEES, GWEI, SOMEBODY, group, intents_of, signed

LANDED, AMBIGUOUS, SENT = IntentStatus.LANDED, IntentStatus.AMBIGUOUS, IntentStatus.SENT
PLACE = Place(7, "0x" + "07" * 32)
SHARD = Shard(1, 2)


class Desk:
    """The journal with everything that it works with; `done` is what happened, in order."""

    def __init__(self):
        self.done = []
        self.alarm = KeptAlarm()
        self.written = None
        self.finished = []
        self.is_first = True
        self.orphans = []
        self.is_replaced = False
        self.finality = 4
        self.journal = PostgresJournal(
            self, CHAIN, self, self.done.append, reorgs=self, alarm=self.alarm, lease=self,
            shard=SHARD,
        )  # fmt: skip

    @asynccontextmanager
    async def begin(self):
        self.done.append("begin")
        yield "session"
        self.done.append("commit")

    async def fence(self, session):
        self.done.append("fence")
        if self.is_replaced:
            raise Transient("leader.lost", "replaced")

    async def wake(self, session, *deals):
        self.done.append(("wake", *deals))

    async def reopened(self, session, orphans):
        self.done.append(("reopened", *orphans))

    async def lost(self, session, orphans):
        self.done.append(("lost", *orphans))

    # the statements

    async def mark_sent(self, session, sends):
        self.done.append(("mark_sent", *sends))

    async def save_receipts(self, session, seen):
        self.done.append(("save_receipts", *seen))

    async def set_statuses(self, session, changes):
        self.done.append(("set_statuses", *[one.status for one in changes]))
        ids = {one.intent.intent_id for one in changes}
        return ids if self.written is None else self.written

    async def supersede(self, session, intents):
        self.done.append(("supersede", *intents))

    async def finished_deals(self, session, groups):
        self.done.append(("finished_deals", *groups))
        return self.finished

    async def move_to(self, session, chain_id, shard, place):
        self.done.append(("move_to", chain_id, shard, place))

    async def add_attempt(self, session, intent, attempt):
        self.done.append(("add_attempt", intent.intent_id, attempt.attempt_no))
        return self.is_first

    async def fill(self, session, intent):
        self.done.append(("fill", intent.intent_id))
        return self.is_first

    async def orphans_of(self, session, chain_id, gone, shard):
        self.done.append(("orphans_of", chain_id, shard, *gone))
        return self.orphans

    async def take_back(self, session, orphans):
        self.done.append(("take_back", *orphans))

    async def mined_above(self, session, chain_id, number, shard):
        return [("mined_above", chain_id, number, shard)]

    async def place_of(self, session, chain_id, shard):
        return ("place", chain_id, shard)

    async def live_intents(self, session, chain_id, shard):
        return ["live", chain_id, shard]

    async def intents_to_act_on(self, session, chain_id, shard):
        return ["to_act_on", chain_id, shard]

    def named(self, name):
        return next(what for what in self.done if isinstance(what, tuple) and what[0] == name)


@pytest.fixture
def desk(monkeypatch):
    made = Desk()
    for store in ("updating", "recording", "reading", "unmining"):
        monkeypatch.setattr(module, store, made)
    return made


def names(done):
    return [what if isinstance(what, str) else what[0] for what in done]


def send(intent):
    return Send(intent.intent_id, 1, Sent(1, 1_000.0, Delivery.ACCEPTED))


def receipt(intent):
    ref = BlockRef(PLACE.number, PLACE.hash, 1)
    return Receipt(intent.last.tx_hash, ref, SOMEBODY, True, 21_000, GWEI, ())


async def one_sent():
    (made,) = await intents_of(group(1))
    return replace(made, attempts=(replace(made.last, sent=send(made).sent),))


async def test_what_is_read_is_that_of_the_shard_and_takes_no_fence(desk):
    assert await desk.journal.place() == ("place", CHAIN, SHARD)
    assert await desk.journal.live() == ["live", CHAIN, SHARD]
    assert await desk.journal.to_act_on() == ["to_act_on", CHAIN, SHARD]
    assert await desk.journal.mined_above(3) == [("mined_above", CHAIN, 3, SHARD)]
    assert "fence" not in desk.done


async def test_a_reorg_may_still_reach_the_blocks_of_finality_that_were_followed_last(desk):
    # of 100 blocks with a finality of 4, number 97 is 4 deep and safe: 98 to 100 may go
    assert await desk.journal.mined_above_finality(100) == [("mined_above", CHAIN, 97, SHARD)]


async def test_a_send_is_noted_between_its_crash_points(desk):
    one = send(await one_sent())
    await desk.journal.sent([one])
    assert desk.done == [
        "begin", "fence", ("mark_sent", one), "tx.in_sent", "commit", "tx.after_sent",
    ]  # fmt: skip


async def test_receipts_statuses_and_place_are_one_transaction(desk):
    one = await one_sent()
    await desk.journal.advance(
        Progress(((one, receipt(one)),), (StatusChange(one, LANDED),), PLACE)
    )
    assert names(desk.done) == [
        "tx.before_receipts", "begin", "fence", "save_receipts", "set_statuses", "finished_deals",
        "wake", "move_to", "tx.in_receipts", "commit", "tx.after_receipts",
    ]  # fmt: skip
    assert desk.named("move_to") == ("move_to", CHAIN, SHARD, PLACE)


async def test_a_mere_place_writes_nothing_else_and_is_no_crash_point(desk):
    await desk.journal.advance(Progress(place=PLACE))
    assert names(desk.done) == ["begin", "fence", "move_to", "commit"]


async def test_receipts_without_a_place_leave_the_place_where_it_is(desk):
    one = await one_sent()
    await desk.journal.advance(Progress(receipts=((one, receipt(one)),)))
    assert names(desk.done) == [
        "tx.before_receipts", "begin", "fence", "save_receipts", "tx.in_receipts", "commit",
        "tx.after_receipts",
    ]  # fmt: skip


async def test_a_deal_is_woken_when_its_group_is_final_or_it_is_ambiguous_and_always_in_order(desk):
    landed, unclear = await one_sent(), await one_sent()
    desk.finished = [landed.new.deal_id]
    changes = (StatusChange(landed, LANDED), StatusChange(unclear, AMBIGUOUS, {"reason": "x"}))
    await desk.journal.advance(Progress(changes=changes))
    assert desk.named("wake") == ("wake", *sorted([landed.new.deal_id, unclear.new.deal_id]))
    assert desk.named("finished_deals") == ("finished_deals", landed.new.group_id)
    assert desk.alarm.codes == ["tx.ambiguous"]


async def test_no_group_is_looked_at_and_nobody_woken_while_nothing_is_final(desk):
    one = await one_sent()
    desk.finished = [new_deal_id()]
    await desk.journal.advance(Progress(changes=(StatusChange(one, SENT),)))
    assert "finished_deals" not in names(desk.done)
    assert desk.named("wake") == ("wake",)


async def test_what_another_loop_decided_first_has_no_consequences_here(desk):
    one = await one_sent()
    desk.written, desk.finished = set(), [one.new.deal_id]
    await desk.journal.advance(Progress(changes=(StatusChange(one, AMBIGUOUS, {"reason": "x"}),)))
    assert desk.named("wake") == ("wake",)
    assert desk.alarm.alerts == []


async def test_what_was_told_of_a_transaction_ends_with_the_status_that_ends_it(desk):
    one = replace(await one_sent(), reason="fee_ceiling")
    await desk.journal.advance(Progress(changes=(StatusChange(one, LANDED),)))
    assert desk.alarm.over == [Ended("tx.", str(one.intent_id))]


@pytest.mark.parametrize("is_whole", [True, False])
async def test_what_a_deal_was_told_of_a_reorg_ends_when_its_group_is_final_again(desk, is_whole):
    one = replace(await one_sent(), reason=REORG)
    desk.finished = [one.new.deal_id] if is_whole else []
    await desk.journal.advance(Progress(changes=(StatusChange(one, LANDED),)))
    told = Ended("tx.reorg_reopened", str(one.new.deal_id))
    assert (told in desk.alarm.over) is is_whole


async def test_a_deal_whose_group_is_final_without_a_reorg_ends_nothing(desk):
    one = await one_sent()
    desk.finished = [one.new.deal_id]
    await desk.journal.advance(Progress(changes=(StatusChange(one, LANDED),)))
    assert desk.alarm.over == []


async def test_bytes_that_never_went_out_are_given_up_with_their_intent(desk):
    (unsent,) = await intents_of(group(1))
    await desk.journal.advance(Progress(changes=(StatusChange(unsent, LANDED),)))
    assert desk.named("supersede") == ("supersede", unsent.intent_id)


async def test_bytes_that_went_out_are_not_given_up(desk):
    await desk.journal.advance(Progress(changes=(StatusChange(await one_sent(), LANDED),)))
    assert "supersede" not in names(desk.done)


@pytest.mark.parametrize("is_first", [True, False])
async def test_an_attempt_says_whether_it_was_the_first_of_its_number(desk, is_first):
    desk.is_first = is_first
    one = await one_sent()
    second = await signed(one.new, 0, FEES, 2)
    assert await desk.journal.add_attempt(one, second) is is_first
    assert desk.done == [
        "begin", "fence", ("add_attempt", one.intent_id, 2), "tx.in_attempt", "commit",
        "tx.after_attempt",
    ]  # fmt: skip


@pytest.mark.parametrize(("is_first", "told"), [(True, ["tx.gap_filled"]), (False, [])])
async def test_a_filled_gap_is_told_by_the_loop_that_filled_it(desk, is_first, told):
    desk.is_first = is_first
    assert await desk.journal.fill(await one_sent()) is is_first
    assert desk.alarm.codes == told


async def test_a_reorg_takes_back_what_is_not_final_and_tells_the_rest_apart_by_depth(desk):
    (one,) = await intents_of(group(1))
    ids = one.intent_id, one.new.leg_id, one.new.deal_id
    # followed to 100 with a finality of 4: block 97 is safe, 98 is not
    pending = Orphan(*ids, IntentStatus.MINED, "0x", Place(98, "0x98"))
    reopened = Orphan(*ids, LANDED, "0x", Place(98, "0x98"))
    lost = Orphan(*ids, LANDED, "0x", Place(97, "0x97"))
    desk.orphans = [pending, reopened, lost]
    gone = [Place(97, "0x97"), Place(98, "0x98")]
    unmined = await desk.journal.unmine(gone, 100)
    assert desk.done == [
        "tx.before_unmine",
        "begin",
        "fence",
        ("orphans_of", CHAIN, SHARD, *gone),
        ("take_back", pending, reopened),
        ("reopened", reopened),
        ("lost", lost),
        "tx.in_unmine",
        "commit",
        "tx.after_unmine",
    ]
    assert (unmined.pending, unmined.reopened, unmined.lost) == ((pending,), (reopened,), (lost,))


async def test_a_leader_who_was_replaced_writes_nothing_at_all(desk):
    desk.is_replaced = True
    one = await one_sent()
    journal = desk.journal
    for write in (
        journal.sent([send(one)]),
        journal.advance(Progress(place=PLACE)),
        journal.add_attempt(one, one.last),
        journal.fill(one),
        journal.unmine([PLACE], 7),
    ):
        with pytest.raises(Transient, match="replaced"):
            await write
    assert set(names(desk.done)) == {"tx.before_unmine", "begin", "fence"}
