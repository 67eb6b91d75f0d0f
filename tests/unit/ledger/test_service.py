"""Booking, accruing and comparing, on books that are a list of entries."""

from dataclasses import replace

import pytest

from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.money import RAY, TokenAmount
from holdfast.ledger import service
from holdfast.ledger.bookings import core_booked
from holdfast.ledger.model import Account, Balances, EntryKind
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.ledger.postings import entries_for
from holdfast.ledger.store import Standing
from holdfast.model.leg import LegStatus
from tests.unit.ledger.scene import (
    BOOK,
    CORE,
    DEAL_ID,
    ETH,
    USDT,
    USDTZ,
    WETH,
    block,
    borrow,
    fund,
    supply,
    wrap,
)

AT = block(50)
NOTHING = ChainBalances(AT, 0, 0, 0, 0, 0, 0, 0, 0)


class Books:
    """The statements' semantics on a list: one entry for each id, what is reversed stands aside."""

    def __init__(self):
        self.entries = {}
        self.made = []
        self.missing = {}
        self.others_core = 0
        self.locked = []

    @property
    def standing_entries(self):
        reversed_ = {one.reverses for one in self.entries.values()}
        return [
            one
            for one in self.entries.values()
            if one.entry_id not in reversed_ and one.kind is not EntryKind.REVERSAL
        ]

    @property
    def balances(self):
        last = Balances().after(self.standing_entries).booked_to_block
        return replace(Balances().after(self.entries.values()), booked_to_block=last)

    async def standing(self, session, deal, references=()):
        booked = {
            one.reference: one.digest
            for one in self.standing_entries
            if one.reference in references
        }
        taken = [one.revision for one in self.entries.values() if one.reverses]
        return Standing(self.balances, self._core(), booked, max(taken, default=0) + 1)

    async def insert_entries(self, session, book, entries):
        new = {one.entry_id: one for one in entries if one.entry_id not in self.entries}
        self.entries |= new
        return len(new)

    async def insert_settlement(self, session, book, entries, made):
        self.made.append(made)
        return await self.insert_entries(session, book, entries)

    async def insert_reconciliation(self, session, book, made):
        self.made.append(made)

    async def digests(self, session, deal):
        return {one.reference: one.digest for one in self.standing_entries}

    async def untrue_entries(self, session, deal, gone, first):
        computed = {EntryKind.ACCRUAL, EntryKind.CLAIM_BOOKED, EntryKind.CLAIM_RELEASED}
        return [
            one
            for one in self.standing_entries
            if one.tx_hash in gone or (one.kind in computed and one.block.number >= first)
        ]

    async def lock_core(self, session, core):
        self.locked.append(core)

    async def core_booked(self, session, chain, core):
        return self._core()

    async def last_missing(self, session, deal):
        return self.missing

    def _core(self):
        return self.others_core + self.balances.units(Account.CORE, ETH)

    def kinds(self):
        return [one.kind for one in self.entries.values()]


@pytest.fixture
def books(monkeypatch):
    made = Books()
    monkeypatch.setattr(service, "store", made)
    return made


def of(*made):
    return [
        entry
        for leg, receipt in made
        for entry in entries_for(BOOK, leg, LegStatus.LANDED, receipt)
    ]


def indexes(at=AT, income=RAY, debt=RAY):
    return Indexes(at, income, debt)


def settle(entries=(), chain=NOTHING, rates=None, **how):
    rates = rates or indexes(chain.at)
    return service.settle("session", BOOK, list(entries), indexes=rates, chain=chain, **how)


def told(entry):
    """The same entry that says something else, as from a block of another branch."""
    return replace(entry, block=replace(entry.block, hash="0x" + "ee" * 32))


async def test_nothing_to_post_asks_for_nothing(books):
    assert await service.post("session", BOOK, []) == 0
    assert books.entries == {}


async def test_what_is_booked_already_is_not_booked_again(books):
    entries = of(fund(100))
    assert await service.post("session", BOOK, entries) == len(entries)
    before = dict(books.entries)
    assert await service.post("session", BOOK, entries) == 0
    assert books.entries == before


async def test_an_entry_that_says_something_else_than_before_stops_the_deal(books):
    first, *rest = of(fund(100))
    await service.post("session", BOOK, [first, *rest])
    with pytest.raises(Broken) as caught:
        await service.post("session", BOOK, [told(first), *rest])
    assert caught.value.code == "ledger.conflict"
    assert caught.value.fields["reference"] == first.reference


async def test_core_may_be_booked_up_to_what_the_address_holds(books):
    books.others_core = 60
    amount = TokenAmount(ETH, 40)
    await service.book_core("session", BOOK, amount, held_wei=100, at=AT)
    assert books.balances.units(Account.CORE, ETH) == 40
    assert books.locked == [CORE]


async def test_core_that_other_deals_need_is_not_booked_twice(books):
    books.others_core = 61
    with pytest.raises(Rejected) as caught:
        await service.book_core("session", BOOK, TokenAmount(ETH, 40), held_wei=100, at=AT)
    assert caught.value.code == "ledger.core_short"
    assert caught.value.fields == {"limit": 100, "value": 101}


async def test_released_core_is_free_and_a_second_release_is_nothing(books):
    await service.post("session", BOOK, [core_booked(BOOK, TokenAmount(ETH, 40), AT)])
    await service.release_core("session", BOOK, AT)
    assert await service.core_booked("session", BOOK) == 0
    booked = len(books.entries)
    await service.release_core("session", BOOK, AT)
    assert len(books.entries) == booked


async def test_interest_is_booked_up_to_the_block_and_once(books):
    await service.post("session", BOOK, of(wrap(1000), supply(1000, RAY)))
    grown = indexes(income=RAY * 11 // 10)
    after = await service.accrue("session", BOOK, grown)
    assert after.units(Account.COLLATERAL, WETH) == 1100  # 1000 scaled, times 1.1
    assert after == books.balances
    assert await service.accrue("session", BOOK, grown) == after
    assert books.kinds().count(EntryKind.ACCRUAL) == 1


async def test_what_a_reorg_took_back_can_be_booked_once_more(books):
    entries = of(wrap(1000), supply(1000, RAY))
    await service.post("session", BOOK, entries)
    await service.accrue("session", BOOK, indexes(income=2 * RAY))
    gone = [one.tx_hash for one in entries]
    assert await service.take_back("session", BOOK, gone, 1) == len(entries) + 1  # and interest
    assert set(books.balances.trial().values()) == {0}
    assert {one.units for one in books.balances.held.values()} == {0}
    settled = await settle(entries, replace(NOTHING, collateral=1000))
    assert settled.balances.units(Account.COLLATERAL, WETH) == 1000


async def test_books_and_chain_are_compared_at_one_block_only(books):
    with pytest.raises(Broken) as caught:
        await settle(rates=indexes(block(49)))
    assert caught.value.code == "ledger.blocks"
    assert books.made == []


async def test_a_block_behind_what_is_booked_settles_nothing(books):
    await service.post("session", BOOK, of(fund(100, number=60)))
    with pytest.raises(Transient) as caught:
        await settle()
    assert caught.value.code == "ledger.block_behind"
    assert books.made == []


async def test_entries_interest_and_comparison_are_settled_together(books):
    entries = of(supply(1000, RAY), borrow(500, RAY))
    chain = replace(NOTHING, collateral=2000, debt=1500, usdt=500)
    settled = await settle(entries, chain, indexes(income=2 * RAY, debt=3 * RAY))
    assert settled.balances.units(Account.COLLATERAL, WETH) == 2000
    assert settled.balances.units(Account.DEBT, USDT) == -1500
    assert books.balances == settled.balances
    assert books.made == [settled.reconciliation]


async def test_what_was_settled_before_is_left_out_the_next_time(books):
    entries = of(fund(100))
    chain = replace(NOTHING, native=100)
    once = await settle(entries, chain)
    assert once.reconciliation.is_exact
    again = await settle(entries, replace(chain, at=block(51)))
    assert again.balances == once.balances
    assert again.reconciliation.is_exact


async def test_an_entry_settled_before_that_says_something_else_now_is_a_conflict(books):
    first, *rest = of(fund(100))
    await settle([first, *rest], replace(NOTHING, native=100))
    with pytest.raises(Broken, match="says something else now"):
        await settle([told(first)], replace(NOTHING, native=100))


async def test_one_who_wrote_between_reading_and_writing_must_have_said_the_same(books):
    entries = of(fund(100))
    real = books.standing

    async def stale(session, deal, references=()):
        found = await real(session, deal, references)
        await books.insert_entries(session, BOOK, racing)
        return found

    books.standing = stale
    racing = entries
    await settle(entries, replace(NOTHING, native=100))
    books.entries.clear()
    racing = [told(entries[0])]
    with pytest.raises(Broken, match="says something else now"):
        await settle(entries, replace(NOTHING, native=100))


async def test_what_somebody_sent_unasked_is_booked_apart_and_the_books_agree(books):
    settled = await settle(chain=replace(NOTHING, usdtz=7))
    assert books.kinds() == [EntryKind.UNSOLICITED]
    assert settled.balances.units(Account.UNSOLICITED, USDTZ) == -7
    assert settled.reconciliation.is_exact
    assert books.made == [settled.reconciliation]


async def test_tokens_are_a_claim_while_the_deal_holds_and_no_longer(books):
    chain = replace(NOTHING, usdtz=7)
    await settle(chain=chain)
    held = await settle(chain=replace(chain, at=block(51)), is_claim=True)
    assert held.balances.units(Account.CLAIM_HELD, USDTZ) == 7
    freed = await settle(chain=replace(chain, at=block(52)))
    assert freed.balances.units(Account.CLAIM_HELD, USDTZ) == 0
    assert freed.balances.units(Account.WALLET, USDTZ) == 7


def lines(settled):
    return [(one.account, one.missing) for one in settled.unexplained]


async def test_what_the_chain_shows_less_of_than_the_books_is_unexplained(books):
    settled = await settle(of(fund(1000)), replace(NOTHING, native=900))
    assert lines(settled) == [(Account.WALLET, 100)]


@pytest.mark.parametrize(
    ("known", "missing", "is_told"),
    [(0, 1, True), (99, 100, True), (100, 100, False), (100, 101, False), (100, 102, True)],
)
async def test_what_was_missing_before_is_unexplained_only_when_it_grew(
    books, known, missing, is_told
):
    # interest may add 1 %: 100 grow to 101, and 99 to 99.99, which are 99 whole units
    books.missing = {(Account.WALLET, "ETH"): known}
    settled = await settle(of(fund(1000)), replace(NOTHING, native=1000 - missing))
    assert [one.missing for one in settled.unexplained] == ([missing] if is_told else [])


async def test_core_that_is_gone_is_no_leg_that_lied(books):
    await service.post("session", BOOK, [core_booked(BOOK, TokenAmount(ETH, 40), AT)])
    settled = await settle(chain=replace(NOTHING, core=10))
    assert settled.reconciliation.mismatch_wei == 30
    assert settled.unexplained == ()


async def test_comparing_alone_books_nothing(books):
    await service.post("session", BOOK, of(fund(1000)))
    booked = len(books.entries)
    made = await service.reconcile("session", BOOK, replace(NOTHING, native=990))
    assert made.mismatch_wei == 10
    assert books.made == [made]
    assert len(books.entries) == booked


async def test_the_books_are_in_balance_for_every_token(books):
    await service.post("session", BOOK, of(wrap(1000), supply(1000, RAY), borrow(5, RAY)))
    assert set((await service.trial_balance("session", DEAL_ID)).values()) == {0}
    assert (await service.balances("session", DEAL_ID)).units(Account.DEBT, USDT) == -5
