"""The open book for stress: deals that may still buy count as planned, all others as they stand."""

from dataclasses import replace

import pytest

from holdfast.common.errors import Broken
from holdfast.common.ids import new_deal_id
from holdfast.common.money import USD8, WAD, Usd8
from holdfast.execution.book import BookReader
from holdfast.execution.observer import ChainObserver
from holdfast.execution.open_deals import OpenDeal, Traded, Unreadable, lots_left
from holdfast.execution.store.labels import Booking
from holdfast.execution.stress_book import StressBook
from holdfast.model.deal import DealStatus, Funding, Ladder
from holdfast.protocols.uniswap_v3.pools import Slot0
from tests.unit.execution.scene import deal, plan
from tests.unit.execution.test_book import LIMITS, NOTHING, BookChain, Rows, hold
from tests.unit.planning.world import VENUES


def with_pool(chain, cash):
    """The exit pool at $2,000 with so many dollars of virtual reserve in range."""
    # sqrt(2,000 * 10^6 / 10^18) = 4.4721e-5 USDT units per wei
    root = (2_000 * 10**6 / 10**18) ** 0.5
    if not VENUES.sell_eth.is_zero_for_one:
        root = 1 / root
    liquidity = cash * 10**6 / (root if VENUES.sell_eth.is_zero_for_one else 1 / root)
    chain.set(VENUES.eth_pool.slot0(), Slot0(int(root * 2**96), 0))
    chain.set(VENUES.eth_pool.liquidity(), int(liquidity))
    return chain


def stress_book(chain, *deals):
    observer = ChainObserver(chain, VENUES, LIMITS)
    return StressBook(BookReader(Rows(*deals), chain, observer, LIMITS), chain, VENUES)


def opened(status, funding=Funding.BORROW, traded=NOTHING):
    return OpenDeal(deal(funding, status=status), traded)


@pytest.mark.parametrize("status", [DealStatus.APPROVED, DealStatus.EXECUTING])
async def test_a_deal_that_has_not_bought_yet_counts_as_planned(status):
    (found,) = await stress_book(BookChain(), opened(status)).exposed()
    held = found.position
    assert (held.core, held.collateral) == (5_000_000 * USD8, 3_000_000 * USD8)
    assert (held.reserve_eth, held.cash) == (2_000_000 * USD8, 0)
    assert (held.debt, held.token_cost) == (600_000 * USD8, 600_000 * USD8)
    assert found.token_par // USD8 == 988_516
    assert found.paid == 0


async def test_a_loan_that_shrinks_with_ethers_price_counts_as_what_it_will_be():
    chain = BookChain()
    chain.set(VENUES.oracle.price(VENUES.weth.address), Usd8(1_000 * USD8))
    (found,) = await stress_book(chain, opened(DealStatus.APPROVED)).exposed()
    # 20 % of 1,500 ether at $1,000, which buy half of the tokens
    assert (found.position.debt, found.position.token_cost) == (300_000 * USD8,) * 2
    assert found.position.cash == 0
    assert found.token_par // USD8 == 494_258
    hold(chain, debt=600_000 * 10**6, cash=600_000 * 10**6)
    (borrowed,) = await stress_book(chain, opened(DealStatus.EXECUTING)).exposed()
    assert borrowed.position.debt // USD8 == borrowed.position.token_cost // USD8 == 600_000


async def test_a_bucket_that_will_be_sold_counts_as_the_least_cash_it_brings():
    book = stress_book(BookChain(), opened(DealStatus.APPROVED, Funding.BUCKET))
    (found,) = await book.exposed()
    terms = deal(Funding.BUCKET).plan.terms
    kept = terms.borrow + terms.bucket_sale_min - terms.spend
    assert found.position.cash == kept.units * 100
    unsold = terms.split.bucket.units - terms.bucket_sale.units
    assert found.position.reserve_eth == unsold * 2_000 * USD8 // WAD
    sold = terms.bucket_sale.units * 2_000 * USD8 // WAD
    assert found.paid == sold - terms.bucket_sale_min.units * 100


async def test_a_deal_that_has_bought_or_goes_home_counts_as_it_stands():
    chain = hold(BookChain(), tokens=10**12, weth=WAD, debt=10**9)
    bought = opened(DealStatus.EXECUTING, traded=Traded(10**12, 6 * 10**11, Usd8(0)))
    (found,) = await stress_book(chain, bought).exposed()
    assert (found.position.debt, found.position.reserve_eth) == (1_000 * USD8, 2_000 * USD8)
    assert found.position.token_cost == 600_000 * USD8
    (closing,) = await stress_book(BookChain(), opened(DealStatus.CLOSING)).exposed()
    assert closing.position.debt == 0


LADDER = replace(deal(status=DealStatus.EXECUTING), plan=plan(ladder=Ladder.POSITION))
LOTS = LADDER.plan.terms.lots


async def held_lot(units, *lots):
    """What stress sees of a ladder that holds a token lot of `units` and has `lots` to come."""
    chain = hold(BookChain(), tokens=units, debt=600_000 * 10**6, cash=10**9)
    one = OpenDeal(LADDER, Traded(units, units, Usd8(0)), lots)
    (found,) = await stress_book(chain, one).exposed()
    return found


async def test_a_ladder_counts_the_larger_lot_that_it_has_still_to_buy():
    """Lots of $30,348 and more: while the first is held, the second is as good as bought."""
    assert LOTS[0].units == 30_348_492_428
    found = await held_lot(LOTS[0].units, *LOTS[1:])
    largest = max(lot.units for lot in LOTS[1:])
    assert found.position.token_cost == largest * 100 > 4 * LOTS[0].units * 100
    assert found.position.cash == (600_000 * 10**6 - largest) * 100
    assert found.position.reserve_eth == 2_000_000 * USD8


async def test_a_ladder_with_no_larger_lot_to_come_counts_as_it_stands():
    for lots in ((), LOTS[:1]):
        found = await held_lot(LOTS[1].units, *lots)
        assert found.position.token_cost == LOTS[1].units * 100
        assert found.position.cash == 1_000 * USD8
    # nothing left to buy and nothing held: it is about to close
    (over,) = await stress_book(hold(BookChain(), cash=7), OpenDeal(LADDER, NOTHING)).exposed()
    assert over.position.token_cost == 0


def test_the_lots_still_to_come_are_those_after_the_purchases_made():
    assert lots_left(LADDER.plan.terms, 0) == LOTS
    assert lots_left(LADDER.plan.terms, 1) == LOTS[1:]
    assert lots_left(LADDER.plan.terms, None) == ()


async def test_the_book_has_the_pools_cash_and_the_deals_by_name():
    one = opened(DealStatus.APPROVED)
    found = await stress_book(with_pool(BookChain(), 400_000_000), one).read()
    assert [name for name, _ in found.deals] == [str(one.deal.deal_id)]
    assert found.pool.cash == pytest.approx(400_000_000 * USD8, rel=1e-9)
    assert found.pool.fee_pips == 500
    assert (found.eth_price, found.at.number) == (2_000 * USD8, 90)


async def test_no_verdict_is_given_on_a_book_with_a_deal_that_cannot_be_read():
    lost = Unreadable(Booking(new_deal_id(), 8, LADDER.bank, 3), "plan.tampered", "no plan")
    chain = BookChain()
    reader = BookReader(
        Rows(unreadable=(lost,)), chain, ChainObserver(chain, VENUES, LIMITS), LIMITS
    )
    book = StressBook(reader, chain, VENUES)
    for ask in (book.exposed, book.read):
        with pytest.raises(Broken, match="deal 8 cannot be read") as found:
            await ask()
        assert found.value.code == "plan.tampered"
