"""The book shows each open deal as its own look would, and reads again only what changed."""

from dataclasses import replace

import pytest

from holdfast.common.errors import Broken
from holdfast.common.ids import new_deal_id, new_group_id
from holdfast.common.money import RAY, USD8, WAD, Bps, Usd8
from holdfast.execution.book import BookReader
from holdfast.execution.observer import ChainObserver
from holdfast.execution.open_deals import OpenDeal, OpenDeals, Recorded, Traded, Unreadable, traded
from holdfast.execution.store.labels import Booking
from holdfast.ledger.model import Account, Balances, Held
from holdfast.ledger.reconciliation import AtRest
from holdfast.model.deal import DealStatus
from holdfast.protocols.aave_v3.pool import scaled_balance
from holdfast.risk.limits import RiskLimits
from tests.unit.execution.scene import AT, BOOK, deal
from tests.unit.execution.test_observer import (
    A_USDT,
    A_WETH,
    DEBT_USDT,
    Chain,
    Profile,
    reserve,
)  # fmt: skip
from tests.unit.planning.world import CORE, DEAL, USDT, USDTZ, VENUES, WETH

LIMITS = RiskLimits()
NOTHING = Traded(0, 0, Usd8(0))
OPEN = deal(status=DealStatus.EXECUTING)


class BookProfile(Profile):
    chain_id = 138


class BookChain(Chain):
    """Answers bundles by the same table; `words` are set by the read's name."""

    profile = BookProfile()

    def __init__(self, **market):
        super().__init__(**market)
        self.bundles = 0

    async def read_bundles(self, bundles, at):
        assert at == self.at
        self.bundles += len(bundles)
        return [
            [self.answers.get((read.target, read.data), 0) for read in one.reads] for one in bundles
        ]


class Rows:
    """Open deals as given."""

    def __init__(self, *deals, unreadable=(), since=0):
        self.recorded = Recorded(deals, unreadable)
        self.since = since

    async def read(self):
        return self.recorded

    async def versions(self):
        """The rows moved on by `since` versions after they were read."""
        return {one.deal.deal_number: one.deal.version + self.since for one in self.recorded.deals}


def hold(chain, **held):
    token = type(VENUES.usdt)
    reads = {
        "weth": VENUES.weth_token.balance_of(DEAL),
        "cash": VENUES.usdt.balance_of(DEAL),
        "tokens": VENUES.usdtz.balance_of(DEAL),
        "collateral": scaled_balance(A_WETH, DEAL),
        "debt": scaled_balance(DEBT_USDT, DEAL),
        "queued": VENUES.desk.pending(DEAL),
        "claimable": VENUES.desk.claimable(DEAL),
        "allowance": token(WETH.address).allowance(DEAL, VENUES.aave.address),
    }
    for name, units in held.items():
        chain.set(reads[name], units)
    return chain


async def book_of(chain, *deals, since=0):
    rows = Rows(*deals, since=since)
    reader = BookReader(rows, chain, ChainObserver(chain, VENUES, LIMITS), LIMITS)
    return await reader.read()


async def only_row(chain, one):
    book = await book_of(chain, one)
    (row,) = book.rows
    return row


async def test_a_row_holds_what_the_account_holds_and_owes():
    chain = hold(BookChain(), weth=2, cash=3, tokens=4, collateral=5, debt=6, queued=7, claimable=8)
    row = await only_row(chain, OpenDeal(OPEN, NOTHING))
    p = row.position
    assert (p.native, p.weth, p.cash, p.tokens) == (0, 2, 3, 4)
    assert (p.collateral, p.debt, p.queued, p.claimable) == (5, 6, 7, 8)
    assert (p.at, row.allowances) == (AT, 0)


async def test_a_scaled_balance_counts_at_the_index_of_the_blocks_time():
    doubled = replace(reserve(A_USDT), variable_borrow_index=2 * RAY, variable_borrow_rate=0)
    chain = hold(BookChain(cash=doubled), debt=600_000 * 10**6)
    row = await only_row(chain, OpenDeal(OPEN, NOTHING))
    assert row.position.debt == 1_200_000 * 10**6


BOOKED = AtRest(weth=2, usdt=3, usdtz=4, queued=15, collateral=5, debt=6)
AS_BOOKED = {"weth": 2, "cash": 3, "tokens": 4, "queued": 7, "claimable": 8}
AS_BOOKED |= {"collateral": 5, "debt": 6}


@pytest.mark.parametrize("word", AS_BOOKED)
async def test_one_unit_that_the_ledger_has_and_the_chain_does_not_is_missing(word):
    chain = hold(BookChain(), **AS_BOOKED)
    (row,) = (await book_of(chain, OpenDeal(OPEN, NOTHING, at_rest=BOOKED))).rows
    assert row.missing == 0
    less = AS_BOOKED[word] + (1 if word == "debt" else -1)
    hold(chain, **{word: less})
    (row,) = (await book_of(chain, OpenDeal(OPEN, NOTHING, at_rest=BOOKED))).rows
    assert row.missing == 1


async def test_what_is_held_beyond_the_ledger_or_earned_as_interest_is_not_missing():
    chain = hold(
        BookChain(), **{word: 10 * units for word, units in (AS_BOOKED | {"debt": 0}).items()}
    )
    assert (await only_row(chain, OpenDeal(OPEN, NOTHING, at_rest=BOOKED))).missing == 0
    later = replace(reserve(A_USDT), variable_borrow_index=2 * RAY, variable_borrow_rate=0)
    chain = hold(BookChain(cash=later), **AS_BOOKED)
    assert (await only_row(chain, OpenDeal(OPEN, NOTHING, at_rest=BOOKED))).missing == 0


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ({"group_id": new_group_id()}, 0),  # booked when it is settled
        ({}, 1),  # recorded and mined after the records were read
        ({"last_block": AT.number + 1}, 0),  # a node that is behind
    ],
)
async def test_nothing_is_missing_where_the_ledger_is_not_of_the_same_moment(changes, since):
    one = OpenDeal(replace(OPEN, **changes), NOTHING, at_rest=BOOKED)
    (row,) = (await book_of(BookChain(), one, since=since)).rows
    assert row.missing == 0


async def test_the_balance_sheet_counts_the_deals_own_core_and_the_token_at_market():
    chain = hold(
        BookChain(),
        weth=1_000 * WAD,
        collateral=1_500 * WAD,
        debt=600_000 * 10**6,
        tokens=1_000_000 * 10**6,
    )
    bought = Traded(1_000_000 * 10**6, 600_000 * 10**6, Usd8(0))
    row = await only_row(chain, OpenDeal(OPEN, bought))
    sheet = row.exposed.position
    # 5,000 ether at $2,000: half is core, 1,500 collateral, 1,000 bucket
    assert sheet.core == 5_000_000 * USD8
    assert sheet.collateral == 3_000_000 * USD8
    assert sheet.reserve_eth == 2_000_000 * USD8
    assert (sheet.debt, sheet.token_cost) == (600_000 * USD8, 600_000 * USD8)
    assert sheet.token_market == pytest.approx(600_000 * USD8, rel=1e-9)
    assert row.exposed.token_par == 1_000_000 * USD8
    assert row.exposed.threshold == Bps(8_300)
    assert row.core.balance_wei == 2_500 * WAD


async def test_the_book_is_at_one_block_with_what_deals_share_read_once():
    chain = BookChain()
    second = replace(deal(status=DealStatus.HOLDING), deal_number=8)
    book = await book_of(chain, OpenDeal(OPEN, NOTHING), OpenDeal(second, NOTHING))
    assert book.at == AT
    assert book.booked_core == {CORE: 2 * OPEN.plan.terms.split.core.units}
    assert book.market.token_price == pytest.approx(60_000_000, abs=1)
    assert chain.bundles == 2
    assert len(chain.asked) == 3  # the market, what it can lend, and what deals share
    assert [deal_id for deal_id, _ in book.exposed()] == [OPEN.deal_id, second.deal_id]


async def test_allowances_that_are_open_are_counted():
    row = await only_row(hold(BookChain(), allowance=1), OpenDeal(OPEN, NOTHING))
    assert row.allowances == 1


async def test_a_book_without_deals_is_empty():
    book = await book_of(BookChain())
    assert (book.rows, book.booked_core) == ((), {})


def test_redeemed_tokens_take_their_share_of_the_cost_with_them():
    half = OpenDeal(OPEN, Traded(1_000, 601, Usd8(0)))
    assert half.token_cost(500) == 301  # 300.5 rounded up
    assert half.token_cost(1_000) == 601
    assert half.token_cost(0) == 0


def test_tokens_that_are_not_booked_yet_count_at_the_dearest_that_the_plan_allows():
    terms = OPEN.plan.terms
    unbooked = OpenDeal(OPEN, NOTHING)
    assert unbooked.token_cost(terms.min_tokens.units) == terms.spend.units


def test_what_was_traded_is_told_from_the_ledger_and_eth_at_the_plans_price():
    held = {
        (Account.TRADE_PURCHASE, USDTZ): Held(-1_000),
        (Account.TRADE_PURCHASE, USDT): Held(600),
        (Account.TRADE_REDEMPTION, USDTZ): Held(400),
        (Account.TRADE_REDEMPTION, USDT): Held(-400),
        (Account.TRADE_ETH, WETH): Held(10 * WAD),
        (Account.TRADE_ETH, USDT): Held(-19_900 * 10**6),
    }
    found = traded(BOOK, OPEN, Balances(held))
    # 600 for 1,000: 400 redeemed took 240 along; 10 ether at $2,000 brought 100 less
    assert found == Traded(600, 360, Usd8(100 * USD8))


class Store:
    """Deals by number, counting what is loaded."""

    def __init__(self, *deals):
        self.deals = {one.deal_number: one for one in deals}
        self.loaded, self.bad = [], set()

    async def open_numbers(self, session, chain_id):
        return {one.deal_number: one.version for one in self.deals.values()}

    async def without_legs(self, session, numbers):
        self.loaded.append(set(numbers))
        if self.bad & set(numbers):
            raise Broken("plan.tampered", "the stored plan hashes to another")
        return [self.deals[one] for one in numbers]


class NoSession:
    def begin(self):
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def execute(self, *_):
        return []


async def test_only_deals_whose_version_changed_are_read_again():
    one, other = OPEN, replace(deal(status=DealStatus.HOLDING), deal_number=9)
    store = Store(one, other)
    reader = OpenDeals(NoSession(), store, BOOK, 138)
    assert [each.deal for each in (await reader.read()).deals] == sorted(
        (one, other), key=lambda each: each.deal_number
    )
    store.deals[one.deal_number] = replace(one, version=one.version + 1)
    del store.deals[other.deal_number]
    (left,) = (await reader.read()).deals
    assert left.deal.version == one.version + 1
    await reader.read()
    assert store.loaded == [{one.deal_number, other.deal_number}, {one.deal_number}]


async def test_many_deals_are_loaded_in_parts():
    many = [replace(OPEN, deal_id=new_deal_id(), deal_number=n) for n in range(250)]
    store = Store(*many)
    found = await OpenDeals(NoSession(), store, BOOK, 138).read()
    assert [one.deal for one in found.deals] == many
    assert [len(part) for part in store.loaded] == [100, 100, 50]


class Named(NoSession):
    """Answers which deals the unreadable ones are."""

    def __init__(self, *deals):
        self.deals = deals

    async def execute(self, query, *_):
        if "core_booked_wei" not in str(query):
            return []
        return [(one.deal_id, one.deal_number, one.bank, 5) for one in self.deals]


async def test_one_deal_that_cannot_be_read_hides_none_of_the_others():
    many = [replace(OPEN, deal_id=new_deal_id(), deal_number=n) for n in range(3)]
    store = Store(*many)
    store.bad = {1}
    reader = OpenDeals(Named(many[1]), store, BOOK, 138)
    found = await reader.read()
    assert [one.deal.deal_number for one in found.deals] == [0, 2]
    (lost,) = found.unreadable
    assert (lost.booking.deal_id, lost.booking.core_wei) == (many[1].deal_id, 5)
    assert (lost.code, lost.why) == ("plan.tampered", "the stored plan hashes to another")
    store.loaded.clear()
    await reader.read()
    assert store.loaded == [{1}]  # asked again by itself, the others are known
    with pytest.raises(Broken, match="hashes to another"):
        await reader.at_least({0: 1, 1: 1})
    store.bad = set()
    healed = await reader.read()
    assert ([one.deal.deal_number for one in healed.deals], healed.unreadable) == ([0, 1, 2], ())


async def test_a_deal_whose_record_broke_since_is_not_shown_as_it_was():
    store = Store(OPEN)
    reader = OpenDeals(Named(OPEN), store, BOOK, 138)
    await reader.read()
    store.deals = {OPEN.deal_number: replace(OPEN, version=OPEN.version + 1)}
    store.bad = {OPEN.deal_number}
    found = await reader.read()
    assert (found.deals, len(found.unreadable)) == ((), 1)


async def test_an_unreadable_deals_core_counts_as_booked():
    lost = Unreadable(Booking(new_deal_id(), 8, OPEN.bank, 3), "plan.tampered", "no plan")
    chain = BookChain()
    rows = Rows(OpenDeal(OPEN, NOTHING), unreadable=(lost,))
    found = await BookReader(rows, chain, ChainObserver(chain, VENUES, LIMITS), LIMITS).read()
    assert found.booked_core == {CORE: OPEN.plan.terms.split.core.units + 3}
    assert found.unreadable == (lost,)


async def test_deals_that_wait_for_the_same_ether_take_none_from_each_other():
    waiting = deal(status=DealStatus.APPROVED)
    found = await book_of(BookChain(), OpenDeal(OPEN, NOTHING), OpenDeal(waiting, NOTHING))
    assert found.booked_core == {CORE: OPEN.plan.terms.split.core.units}
