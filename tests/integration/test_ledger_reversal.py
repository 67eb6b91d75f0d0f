"""Entries that a reorg takes back, in the database: they stand, are reversed, and stand again."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from holdfast.common.errors import Broken
from holdfast.common.evm import BlockRef
from holdfast.common.money import RAY
from holdfast.ledger import service
from holdfast.ledger.model import Account, EntryKind, Held
from tests.integration.test_ledger import BOOK, chain, entries, indexes, post, read
from tests.unit.ledger import scene
from tests.unit.ledger.scene import DEAL_ID, USDT

MORE = 11 * RAY // 10
OTHER_BRANCH = "0x" + "ee" * 32


def on_another_branch(made, number):
    """The same transaction in another block."""
    leg, receipt = made
    return leg, replace(receipt, block=BlockRef(number, OTHER_BRANCH, 5_000))


async def settle(database, made, number, debt_index=RAY, **shown):
    async with database.begin() as session:
        return await service.settle(
            session,
            BOOK,
            made,
            indexes=indexes(number, debt=debt_index),
            chain=chain(number, **shown),
        )


async def take_back(database, made, first):
    async with database.begin() as session:
        return await service.take_back(session, BOOK, [made[1].tx_hash], first)


def told(balances):
    return {key: held for key, held in balances.held.items() if held != Held(0)}


async def test_a_leg_is_booked_again_in_its_new_block_and_interest_with_it(database):
    wrap, borrow = scene.wrap(5, number=2, price=0), scene.borrow(500, RAY, number=4, price=0)
    await settle(database, entries(wrap), 2, native=-5, weth=5)
    await settle(database, entries(borrow), 9, MORE, native=-5, weth=5, usdt=500, debt=550)
    before = await read(database)
    assert before.booked_to_block == 9
    assert await take_back(database, borrow, first=4) == 2  # the loan and its interest
    between = await read(database)
    assert told(between) == told(await read_only(database, wrap))
    assert between.booked_to_block == 2  # a lower head of the new branch is not behind
    moved = on_another_branch(borrow, 3)
    shown = {"native": -5, "weth": 5, "usdt": 500, "debt": 550}
    settled = await settle(database, entries(moved), 8, MORE, **shown)
    assert settled.reconciliation.is_exact
    assert told(await read(database)) == told(before) == told(settled.balances)


async def read_only(database, made):
    """The balances of a ledger with this one leg."""
    other = replace(BOOK, deal_id=type(DEAL_ID)(int=77))
    await post(database, entries(made, book=other), book=other)
    return await read(database, other.deal_id)


async def test_taken_back_twice_is_taken_back_once(database):
    wrap = scene.wrap(5)
    await post(database, entries(wrap))
    assert await take_back(database, wrap, first=1) == 1
    assert await take_back(database, wrap, first=1) == 0
    assert told(await read(database)) == {}


async def test_the_very_same_entries_may_come_back_any_number_of_times(database):
    borrow = scene.borrow(500, RAY, price=0)
    for _ in range(3):
        await settle(database, entries(borrow), 1, MORE, usdt=500, debt=550)
        assert await take_back(database, borrow, first=1) == 2
    settled = await settle(database, entries(borrow), 1, MORE, usdt=500, debt=550)
    assert settled.reconciliation.is_exact
    again = await settle(database, entries(borrow), 1, MORE, usdt=500, debt=550)
    assert told(again.balances) == told(settled.balances) == told(await read(database))
    assert settled.balances.units(Account.BORROW_INTEREST, USDT) == 50


async def test_only_what_is_gone_is_taken_back(database):
    """The later leg is on the new branch as it was, in a block that both branches have."""
    first, later = scene.wrap(5, number=2), scene.wrap(7, number=3)
    await post(database, [*entries(first), *entries(later)])
    assert await take_back(database, first, first=2) == 1
    (entry,) = entries(later)
    async with database.begin() as session:
        assert await service.post(session, BOOK, [entry]) == 0


async def test_without_a_reversal_another_block_is_still_a_conflict(database):
    wrap = scene.wrap(5)
    await settle(database, entries(wrap), 1, native=-5, weth=5)
    with pytest.raises(Broken) as caught:
        await settle(database, entries(on_another_branch(wrap, 1)), 1)
    assert caught.value.code == "ledger.conflict"


async def test_nothing_is_changed_and_nothing_reversed_twice(database):
    wrap = scene.wrap(5)
    await post(database, entries(wrap))
    await take_back(database, wrap, first=1)
    async with database.begin() as session:
        rows = (await session.execute(text("SELECT kind, reverses FROM ledger_entries"))).all()
    assert sorted(row.kind for row in rows) == [EntryKind.LANDED, EntryKind.REVERSAL]
    columns = (
        "deal_id, participant_bank_id, chain_id, kind, reference, label, block_number, block_hash,"
        " block_timestamp, digest, reverses"
    )
    copy = (
        f"INSERT INTO ledger_entries (entry_id, revision, {columns})"  # noqa: S608 - a constant
        f" SELECT gen_random_uuid(), 9, {columns} FROM ledger_entries WHERE kind = 'reversal'"
    )
    with pytest.raises(IntegrityError, match="uq_ledger_entries_reverses"):
        async with database.begin() as session:
            await session.execute(text(copy))
