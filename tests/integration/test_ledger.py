import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.ids import DealId
from holdfast.common.money import RAY, TokenAmount
from holdfast.ledger import service, store
from holdfast.ledger.model import Account, EntryKind, Held
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.ledger.postings import entries_for
from holdfast.model.leg import LegStatus
from tests.unit.ledger import scene
from tests.unit.ledger.scene import BOOK, DEAL_ID, ETH, USDT, WETH, block
from tests.unit.ledger.test_loop import (
    CLOSING,
    DEBT_NOW,
    DEBT_THEN,
    LEFT,
    OPENING,
    REDEEMING,
    SUPPLY_NOW,
    SUPPLY_THEN,
)

E = 10**18
U = 10**6
OTHER = replace(BOOK, deal_id=DealId(UUID(int=78)))
NOTHING = dict.fromkeys(("native", "weth", "usdt", "usdtz", "collateral", "debt", "queued"), 0)


def entries(*made, book=BOOK, status=LegStatus.LANDED):
    return [entry for leg, receipt in made for entry in entries_for(book, leg, status, receipt)]


def chain(number, *, core=50 * E, **shown):
    return ChainBalances(block(number), core=core, **(NOTHING | shown))


def indexes(number, income=RAY, debt=RAY):
    return Indexes(block(number), income, debt)


async def post(database, made, book=BOOK):
    async with database.begin() as session:
        return await service.post(session, book, made)


async def read(database, deal=DEAL_ID):
    async with database.begin() as session:
        return await service.balances(session, deal)


async def settle(database, made, number, **shown):
    async with database.begin() as session:
        return await service.settle(
            session, BOOK, made, indexes=indexes(number), chain=chain(number, **shown)
        )


async def book_core(database, book, units, held):
    async with database.begin() as session:
        amount = TokenAmount(ETH, units)
        await service.book_core(session, book, amount, held_wei=held, at=block(1))


async def count(database, table):
    async with database.begin() as session:
        return (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608


async def test_what_came_unasked_is_booked_and_differed_once(database):
    """Whoever settles may first ask whether it is a gift, or what a reorg brought back."""
    await book_core(database, BOOK, 50 * E, held=50 * E)
    first = await settle(database, [], 2, native=1)
    assert (first.is_exact, first.reconciliation.is_exact) == (False, True)
    assert (await settle(database, [], 3, native=1)).is_exact


async def test_a_whole_deal_is_booked_and_agrees_with_the_chain_at_every_step(database):
    await book_core(database, BOOK, 50 * E, held=50 * E)
    gas = 10**14
    stages = (
        (OPENING, 3, (SUPPLY_THEN, DEBT_THEN), {"usdtz": 19_980 * U, "native": 20 * E - 6 * gas}),
        (
            REDEEMING,
            5,
            (SUPPLY_NOW, DEBT_NOW),
            {"usdt": 19_930_050_000, "native": 20 * E - 11 * gas},
        ),
        (CLOSING, 7, (SUPPLY_NOW, DEBT_NOW), {}),
    )
    lent = (
        {"collateral": 30 * E, "debt": 12_000 * U},
        {"collateral": 3_003 * E // 100, "debt": 12_024 * U},
        {},
    )
    for (made, number, rays, shown), position in zip(stages, lent, strict=True):
        async with database.begin() as session:
            settled = await service.settle(
                session,
                BOOK,
                entries(*(make() for make in made)),
                indexes=indexes(number, *rays),
                chain=chain(number, **shown, **position),
            )
        assert settled.reconciliation.mismatches == ()
        assert settled.balances == await read(database)
    async with database.begin() as session:
        await service.release_core(session, BOOK, block(7))
        assert set((await service.trial_balance(session, DEAL_ID)).values()) == {0}
    assert (await read(database)).units(Account.RETURNED, ETH) == LEFT


async def test_posting_again_after_a_crash_books_nothing_twice(database):
    made = entries(scene.wrap(5), scene.supply(5, RAY))
    assert await post(database, made) == 2
    assert await post(database, made) == 0
    assert await post(database, [*made, *entries(scene.unwrap(1))]) == 1
    assert (await read(database)).of(Account.COLLATERAL, WETH) == Held(5, 5)


async def test_the_same_transaction_is_booked_for_each_deal_it_belongs_to(database):
    made = scene.wrap(5)
    assert await post(database, entries(made)) == 1
    assert await post(database, entries(made, book=OTHER), book=OTHER) == 1


async def test_posting_nothing_is_fine(database):
    assert await post(database, []) == 0
    assert (await read(database)).held == {}


async def test_a_transaction_that_says_something_else_than_when_it_was_booked_is_refused(database):
    leg, receipt = scene.wrap(5)
    await post(database, entries((leg, receipt)))
    moved = replace(receipt, block=block(9))
    with pytest.raises(Broken) as caught:
        await post(database, entries((leg, moved), scene.unwrap(1)))
    assert caught.value.code == "ledger.conflict"
    assert await count(database, "ledger_entries") == 1


async def test_amounts_beyond_64_bits_come_back_to_the_unit(database):
    huge = 2**200 + 1
    await post(database, entries(scene.borrow(huge, RAY)))
    assert (await read(database)).of(Account.DEBT, USDT) == Held(-huge, -huge)


async def test_entries_carry_bank_chain_leg_and_block(database):
    leg, receipt = scene.wrap(5, number=4)
    await post(database, entries((leg, receipt)))
    async with database.begin() as session:
        row = (await session.execute(text("SELECT * FROM ledger_entries"))).one()
        holders = (await session.execute(text("SELECT account, holder FROM ledger_postings"))).all()
    assert (row.participant_bank_id, row.chain_id, row.kind, row.label) == (
        "BANK001",
        138,
        EntryKind.LANDED,
        "wrap",
    )
    assert (row.leg_id, row.tx_hash, row.block_number) == (leg.leg_id, receipt.tx_hash, 4)
    assert row.created_at is not None
    assert {holder for account, holder in holders if account == Account.WALLET} == {scene.DEAL}


@pytest.mark.parametrize("table", ["ledger_entries", "ledger_postings", "ledger_reconciliations"])
@pytest.mark.parametrize("change", ["UPDATE {} SET chain_id = 1", "DELETE FROM {}"])
async def test_the_database_refuses_to_change_the_books(database, table, change):
    await settle(database, entries(scene.wrap(5)), 1)
    with pytest.raises(IntegrityError, match="append-only"):
        async with database.begin() as session:
            await session.execute(text(change.format(table)))


async def test_the_database_refuses_an_entry_that_does_not_balance(database):
    (entry,) = entries(scene.wrap(5))
    object.__setattr__(entry, "postings", entry.postings[1:])
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        await post(database, [entry])
    assert await count(database, "ledger_entries") == 0


async def test_a_reconciliation_is_stored_with_all_its_lines(database):
    made = entries(scene.borrow(500, RAY, price=0))
    settled = await settle(database, made, 1, usdt=499, debt=501)
    assert settled.reconciliation.mismatch_wei == 2
    assert [line.missing for line in settled.unexplained] == [1, 1]
    async with database.begin() as session:
        row = (await session.execute(text("SELECT * FROM ledger_reconciliations"))).one()
        lines = (
            await session.execute(
                text(
                    "SELECT account, symbol, ledger_units, chain_units FROM"
                    " ledger_reconciliation_lines WHERE mismatch_units <> 0 ORDER BY account"
                )
            )
        ).all()
    assert (row.deal_id, row.block_number, row.mismatch_units) == (DEAL_ID, 1, 2)
    assert [tuple(line) for line in lines] == [
        (Account.WALLET, "USDT", 500, 499),
        (Account.DEBT, "USDT", -500, -501),
    ]


async def test_accrue_then_reconcile_are_settle_in_two_steps(database):
    await post(database, entries(scene.borrow(500, RAY, price=0)))
    async with database.begin() as session:
        held = await service.accrue(session, BOOK, indexes(2, debt=11 * RAY // 10))
        assert held.units(Account.BORROW_INTEREST, USDT) == 50
        made = await service.reconcile(session, BOOK, chain(2, usdt=500, debt=550))
    assert made.is_exact
    async with database.begin() as session:
        again = await service.accrue(session, BOOK, indexes(2, debt=11 * RAY // 10))
    assert again == held


async def test_a_block_older_than_the_books_is_refused_and_nothing_is_written(database):
    await post(database, entries(scene.wrap(5, number=9)))
    with pytest.raises(Transient):
        await settle(database, entries(scene.wrap(6, number=8)), 8)
    assert await count(database, "ledger_entries") == 1


async def test_indexes_and_balances_of_two_blocks_are_refused(database):
    async with database.begin() as session:
        with pytest.raises(Broken) as caught:
            await service.settle(session, BOOK, [], indexes=indexes(1), chain=chain(2))
    assert caught.value.code == "ledger.blocks"


async def test_a_claim_is_marked_and_unmarked_with_the_deals_state(database):
    await post(database, entries(scene.buy(600, 1_000, price=0), scene.request(400, price=0)))
    for is_claim, held in ((True, 600), (True, 600), (False, 0)):
        async with database.begin() as session:
            settled = await service.settle(
                session,
                BOOK,
                [],
                indexes=indexes(1),
                chain=chain(1, usdt=-600, usdtz=600, queued=400),
                is_claim=is_claim,
            )
        assert settled.reconciliation.is_exact
        assert settled.balances.units(Account.CLAIM_HELD, scene.USDTZ) == held


async def test_core_is_booked_by_several_deals_up_to_what_the_address_holds(database):
    await book_core(database, BOOK, 60, held=100)
    await book_core(database, BOOK, 60, held=100)
    with pytest.raises(Rejected) as caught:
        await book_core(database, OTHER, 41, held=100)
    assert (caught.value.code, caught.value.fields) == (
        "ledger.core_short",
        {"limit": 100, "value": 101},
    )
    await book_core(database, OTHER, 40, held=100)
    async with database.begin() as session:
        assert await service.core_booked(session, BOOK) == 100
        await service.release_core(session, BOOK, block(2))
        await service.release_core(session, BOOK, block(3))
        assert await service.core_booked(session, BOOK) == 40


async def test_the_sum_booked_on_a_core_address_is_that_of_its_postings(database):
    await book_core(database, BOOK, 60, held=100)
    await book_core(database, OTHER, 40, held=100)
    with pytest.raises(Rejected):  # rolled back with all it had booked
        await book_core(database, replace(BOOK, deal_id=DealId(UUID(int=79))), 1, held=100)
    async with database.begin() as session:
        await service.release_core(session, BOOK, block(2))
    async with database.begin() as session:
        postings = "SELECT sum(units) FROM ledger_postings WHERE account = 'asset/core'"
        added_up = (await session.execute(text(postings))).scalar_one()
        assert await service.core_booked(session, BOOK) == added_up == 40


async def test_postings_of_a_worker_that_knows_nothing_of_the_sum_are_in_it(database):
    await book_core(database, BOOK, 40, held=100)
    columns = "deal_id, participant_bank_id, chain_id, account, symbol, decimals, holder, units"
    async with database.begin() as session:
        again = f"SELECT entry_id, position + 10, {columns}, scaled FROM ledger_postings"  # noqa: S608 - a constant
        into = f"INSERT INTO ledger_postings (entry_id, position, {columns}, scaled) {again}"
        await session.execute(text(into))
    with pytest.raises(Rejected):
        await book_core(database, OTHER, 21, held=100)
    async with database.begin() as session:
        assert await service.core_booked(session, BOOK) == 80


async def test_deals_that_book_the_core_at_once_cannot_both_have_it(database):
    outcomes = await asyncio.gather(
        book_core(database, BOOK, 60, held=100),
        book_core(database, OTHER, 60, held=100),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Rejected"]


async def test_core_of_every_open_deal_is_compared_with_the_core_address(database):
    await book_core(database, BOOK, 60, held=100)
    await book_core(database, OTHER, 40, held=100)
    settled = await settle(database, [], 1, core=99)
    (line,) = settled.reconciliation.mismatches
    assert (line.account, line.ledger.units, line.mismatch) == (Account.CORE, 100, 1)


async def test_balances_are_read_through_the_deals_index(database):
    await post(database, entries(*(make() for make in OPENING)))
    async with database.begin() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        asked = {"deal_id": DEAL_ID, "references": []}
        plan = await session.execute(text(f"EXPLAIN {store.STANDING_SQL}"), asked)
        lines = "\n".join(row[0] for row in plan)
    assert "ix_ledger_postings_deal_id" in lines
    assert "pk_ledger_core" in lines
    assert "Seq Scan" not in lines


async def test_settling_takes_two_statements_however_many_legs_there_are(database):
    statements = []
    event.listen(
        database.engine.sync_engine,
        "before_cursor_execute",
        lambda *args: statements.append(args[2].split()[:3]),
    )
    made = entries(*(make() for make in (*OPENING, *REDEEMING)))
    shown = {"usdt": 19_930_050_000, "native": 20 * E - 11 * 10**14}
    lent = {"collateral": 3_003 * E // 100, "debt": 12_024 * U}
    async with database.begin() as session:
        await service.settle(
            session,
            BOOK,
            made,
            indexes=indexes(5, SUPPLY_NOW, DEBT_NOW),
            chain=chain(5, **shown, **lent),
        )
    # Balances are read; twelve legs, an accrual and the comparison are written together.
    assert len(statements) == 2
    assert await count(database, "ledger_postings") > 40


async def test_what_is_missing_stops_once_and_not_again_until_more_is(database):
    """Three looks at one lack of 5, then one of 6; interest on it, up to 1 %, is no more."""
    made = entries(scene.borrow(500, RAY, price=0))
    found = []
    for lack in (5, 5, 4, 6):
        settled = await settle(database, made, 1, usdt=500 - lack, debt=500)
        found.append([line.missing for line in settled.unexplained])
    assert found == [[5], [], [], [6]]
