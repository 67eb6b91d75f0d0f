"""Several loops share one chain's senders: each is one loop's, and no block is ever skipped."""

from collections import Counter

import pytest

from holdfast.common.boundary import unobserved
from holdfast.common.evm import BlockRef, Receipt, checksummed, keccak256
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.model import IntentStatus, Place, Progress, StatusChange
from holdfast.transactions.service import Transactions
from holdfast.transactions.shard import Shard
from tests.support.reorgs import KeptReorgs
from tests.support.transactions import (
    ADDRESSES,
    CHAIN,
    FEES,
    Woken,
    group,
    keys,
)


@pytest.fixture
def journal(database):
    def of(number, shards):
        return PostgresJournal(
            database,
            CHAIN,
            Woken(),
            unobserved,
            reorgs=KeptReorgs(finality=4),
            shard=Shard(number, shards),
        )

    return of


async def record(database, wishes):
    async with database.begin() as session:
        nonces = dict.fromkeys(ADDRESSES.values(), 0)
        await Transactions(keys).record(session, wishes, FEES, nonces)


def place(number):
    return Place(number, f"0x{number:064x}")


def ids(intents):
    return {one.intent_id for one in intents}


@pytest.mark.parametrize("shards", [1, 2, 3, 8])
async def test_every_intent_belongs_to_exactly_one_shard_and_a_sender_to_one(
    database, journal, shards
):
    wishes = [one for index in range(6) for one in group(2, index)]
    for index in range(6):
        await record(database, wishes[2 * index : 2 * index + 2])
    found = [await journal(number, shards).live() for number in range(shards)]
    to_send = [await journal(number, shards).to_act_on() for number in range(shards)]
    assert Counter(one for part in found for one in ids(part)) == Counter(ids(wishes))
    assert [ids(part) for part in found] == [ids(part) for part in to_send]
    senders = [{one.new.sender for one in part} for part in found]
    assert sum(map(len, senders)) == 6


async def test_senders_are_spread_evenly(database):
    count, shards = 4_000, 8
    addresses = [checksummed(keccak256(str(n).encode())[:20]) for n in range(count)]
    async with database.begin() as session:
        found = await session.exec_driver_sql(
            "SELECT mod(('x' || right(a, 7))::bit(28)::int, 8) AS shard, count(*)"
            " FROM unnest(%(addresses)s::text[]) AS a GROUP BY 1",
            {"addresses": addresses},
        )
        sizes = [row.count for row in found]
    assert len(sizes) == shards
    assert all(400 < size < 600 for size in sizes)  # 500 each; five deviations of 21 is 105


async def test_each_shard_has_its_own_place(journal):
    one, two = journal(0, 2), journal(1, 2)
    await one.advance(Progress(place=place(7)))
    await two.advance(Progress(place=place(9)))
    assert (await one.place(), await two.place()) == (place(7), place(9))
    await one.advance(Progress(place=place(11)))
    assert (await one.place(), await two.place()) == (place(11), place(9))


async def test_a_new_division_begins_where_the_slowest_loop_of_the_old_one_was(journal):
    assert await journal(0, 2).place() is None
    await journal(0, 1).advance(Progress(place=place(20)))
    assert [await journal(number, 2).place() for number in range(2)] == [place(20)] * 2
    await journal(0, 2).advance(Progress(place=place(30)))
    await journal(1, 2).advance(Progress(place=place(25)))
    assert await journal(2, 3).place() == place(20)
    assert await journal(0, 1).place() == place(20)  # its own: it reads again what it missed


async def test_places_of_a_division_that_was_left_long_ago_do_not_count(database, journal):
    await journal(0, 1).advance(Progress(place=place(20)))
    async with database.begin() as session:
        await session.exec_driver_sql(
            "UPDATE chain_cursors SET updated_at = now() - interval '25 hours'"
        )
    assert await journal(0, 2).place() == place(20)  # nothing newer: the desk stood still
    await journal(0, 2).advance(Progress(place=place(90_000)))
    await journal(1, 2).advance(Progress(place=place(89_990)))
    assert await journal(0, 1).place() == place(20)  # its own, and nobody else read on for it
    assert await journal(0, 3).place() == place(89_990)


async def test_a_chain_is_followed_as_far_as_its_newest_loop_whatever_the_division(
    database, journal
):
    async def followed():
        async with database.begin() as session:
            return await Transactions(keys).followed(session, CHAIN)

    assert await followed() == 0
    await journal(0, 1).advance(Progress(place=place(20)))
    assert await followed() == 20
    await journal(0, 2).advance(Progress(place=place(31)))
    await journal(1, 2).advance(Progress(place=place(30)))
    assert await followed() == 31


async def test_loops_of_two_divisions_overlap_without_harm(database, journal):
    """What holds is in the rows: nonce, hash and final status are each there once."""
    (wish,) = wishes = group(1, 1)
    await record(database, wishes)
    for number in range(2):
        found = await journal(number, 2).live()
        if found:
            new = journal(number, 2)
    old = journal(0, 1)
    (seen_by_old,), (seen_by_new,) = await old.live(), await new.live()
    attempt = seen_by_old.last
    assert not await new.add_attempt(seen_by_new, attempt)  # the same attempt is no second one
    landed = StatusChange(seen_by_old, IntentStatus.LANDED)
    await new.advance(Progress(changes=(landed,)))
    reverted = StatusChange(seen_by_new, IntentStatus.REVERTED)
    await old.advance(Progress(changes=(reverted,)))
    async with database.begin() as session:
        (outcome,) = await Transactions(keys).outcomes(session, wish.deal_id)
    assert outcome.status is IntentStatus.LANDED


async def test_a_reorg_is_taken_back_by_the_loop_whose_sender_it_hit(database, journal):
    wishes = [one for index in range(6) for one in group(1, index)]
    for wish in wishes:
        await record(database, [wish])
    halves = [journal(number, 2) for number in range(2)]
    block = BlockRef(7, "0x07", 1_000)
    for half in halves:
        seen = [(one, receipt_of(one, block)) for one in await half.live()]
        changes = tuple(StatusChange(one, IntentStatus.MINED) for one, _ in seen)
        await half.advance(Progress(tuple(seen), changes))
    gone = [Place(block.number, block.hash)]
    for half in halves:
        mine = ids(await half.live())
        assert await half.mined_above(6) == gone
        assert {one.intent_id for one in (await half.unmine(gone, 8)).pending} == mine
        assert await half.mined_above(6) == []


def receipt_of(intent, block):
    return Receipt(intent.last.tx_hash, block, intent.new.sender, True, 21_000, 1, ())
