"""Selling for cures when many deals share one pool: within the bound, and not stuck for ever."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import USD8, WAD, Bps, Usd8
from holdfast.execution.breaches import stress_of
from holdfast.execution.cures import cure_for
from holdfast.execution.model import Convert
from holdfast.execution.sales import Bound, Offer, SaleTerms, best_offer, parts_of
from holdfast.model.deal import Funding
from holdfast.risk.limits import RiskLimits
from holdfast.risk.reserve import debt_cover
from tests.unit.execution.scene import deal
from tests.unit.execution.test_cures import exposure

DOLLAR = 10**6
LIMITS = RiskLimits()
DEAL = deal(Funding.BORROW)
FEE_BPS = 5


@dataclass
class Pool:
    """Constant product of ether and cash, with the devnet's fee of 0.05 %."""

    ether: int
    cash: int

    @classmethod
    def of(cls, dollars, price):
        """A pool with so much on each side."""
        return cls(dollars * WAD // price, dollars * DOLLAR)

    def asks(self, units):
        """Wei for `units` of cash; None when it does not have them."""
        if units >= self.cash:
            return None
        paid = -(-self.ether * units // (self.cash - units))
        return -(-paid * 10_000 // (10_000 - FEE_BPS)) + 1

    def sell(self, units):
        wei = self.asks(units)
        self.ether += wei * (10_000 - FEE_BPS) // 10_000
        self.cash -= units
        return wei

    def arbitraged(self, price):
        """Others bring it back to `price`."""
        product = self.ether * self.cash
        self.ether = int((product * WAD / (price * DOLLAR)) ** 0.5)
        self.cash = product // self.ether


@dataclass
class Seller:
    """A deal whose cover is thin, and what it sold in which block."""

    price: int
    native: int = 1_000 * WAD
    cash: int = 0
    sold: list = field(default_factory=list)
    reverts: int = 0

    @property
    def seen(self):
        return exposure(eth=self.price, native=self.native, cash=self.cash)

    @property
    def cure(self):
        return cure_for(DEAL, self.seen, LIMITS)

    @property
    def cover(self):
        return debt_cover(self.seen.sheet(0), stress_of(DEAL, self.seen, LIMITS))

    @property
    def bound(self):
        slippage = DEAL.plan.envelope.exit_slippage
        return Bound(Usd8(self.price * USD8), Usd8(USD8), 6, slippage)

    @property
    def terms(self):
        return SaleTerms(self.bound, self.bound, self.native, Bps(100))

    def signed(self, pool):
        """What it sends after this look: the part that the pool takes, and for how much at most."""
        if self.cure is None:
            return None
        assert isinstance(self.cure, Convert)
        for sizes in ([self.cure.units], parts_of(self.cure.units)):
            asked = [(one, pool.asks(one)) for one in sizes]
            offers = [Offer(units, wei) for units, wei in asked if wei is not None]
            offer = best_offer(offers, self.terms)
            if offer is not None:
                return offer.units, self.bound.most_wei(offer.units)
        return None

    def mined(self, pool, units, most):
        if (pool.asks(units) or most + 1) > most:
            self.reverts += 1  # the router's own check: nothing is sold
            return
        wei = pool.sell(units)
        self.native -= wei
        self.cash += units
        self.sold.append((units, wei))


def block(sellers, pool):
    """All look at the same pool, and are mined one after the other."""
    signed = [(one, one.signed(pool)) for one in sellers]
    for one, what in signed:
        if what is not None:
            one.mined(pool, *what)


def blocks_until_cured(sellers, pool, price, most=2_000):
    """How many blocks it takes; others bring the pool back to the price after each."""
    for number in range(1, most + 1):
        block(sellers, pool)
        if all(one.cure is None for one in sellers):
            return number
        pool.arbitraged(price)
    raise AssertionError(f"{sum(one.cure is not None for one in sellers)} not cured in {most}")


def assert_within(seller):
    """Each sale at no worse than the bound; all together at most what was missing, and 0.5 %.

    Less where parts of it have brought the cover back to 1.25.
    """
    for units, wei in seller.sold:
        assert wei <= seller.bound.most_wei(units)
    due = 600_000 + 8_876.712329 + 1.755 * seller.price
    assert seller.cash / DOLLAR <= due * 1.005 + 1
    assert seller.cash / DOLLAR >= due or seller.cover >= LIMITS.warn_cover_wad


@pytest.mark.parametrize(
    ("dollars", "most"), [(2_000_000, 40), (20_000_000, 20), (60_000_000, 20), (200_000_000, 5)]
)
def test_twenty_deals_that_convert_in_one_block_are_all_cured(dollars, most):
    """$12.3M out of one pool, from a sixteenth of one side of it up to six times that.

    One of them at least sells in each block; what the others sent reverts and costs its gas.
    """
    sellers, pool = [Seller(1_500) for _ in range(20)], Pool.of(dollars, 1_500)
    blocks = blocks_until_cured(sellers, pool, 1_500)
    for one in sellers:
        assert_within(one)
    assert blocks <= most


def test_what_a_pool_never_takes_at_once_is_sold_in_parts():
    """$615,000 from a pool of $3M on each side slips 26 %: without parts it would wait for ever."""
    seller, pool = Seller(1_400), Pool.of(3_000_000, 1_400)
    whole = seller.cure.units
    assert pool.asks(whole) > seller.bound.most_wei(whole)
    assert blocks_until_cured([seller], pool, 1_400) < 20
    assert len(seller.sold) > 1
    assert_within(seller)


def test_a_pool_that_nobody_refills_is_left_alone_until_somebody_does():
    sellers, pool = [Seller(1_500) for _ in range(20)], Pool.of(40_000_000, 1_500)
    for _ in range(30):
        block(sellers, pool)
    spent = [len(one.sold) for one in sellers]
    block(sellers, pool)
    assert [len(one.sold) for one in sellers] == spent
    assert any(one.cure is not None for one in sellers)
    for one in sellers:
        for units, wei in one.sold:
            assert wei <= one.bound.most_wei(units)
    pool.arbitraged(1_500)
    blocks_until_cured(sellers, pool, 1_500)
    for one in sellers:
        assert_within(one)


@pytest.mark.slow
@given(
    st.integers(1, 25),
    st.integers(1_000_000, 500_000_000),
    st.integers(1_400, 1_560),
)
def test_any_book_is_cured_by_any_pool_that_others_trade_in(deals, dollars, price):
    sellers, pool = [Seller(price) for _ in range(deals)], Pool.of(dollars, price)
    blocks_until_cured(sellers, pool, price)
    for one in sellers:
        assert_within(one)


@given(st.integers(0, 10**15))
def test_parts_are_halvings_and_never_nothing(units):
    parts = parts_of(units)
    assert parts == sorted(parts, reverse=True)
    assert all(0 < one <= units // 2 for one in parts)
    assert not parts or parts[-1] >= units // 64


@given(st.integers(1, 10**15), st.integers(0, 10**15))
def test_what_the_ether_always_fetches_is_a_part_unless_it_is_too_little(units, fetched):
    parts = parts_of(units, fetched)
    assert parts == sorted(set(parts), reverse=True)
    assert set(parts_of(units)) <= set(parts)
    is_worth_it = max(1, units // 64) <= fetched < units
    assert (fetched in parts) == (fetched in parts_of(units) or is_worth_it)


BOUND = Bound(Usd8(2_000 * USD8), Usd8(USD8), 6, Bps(300))
DEEP = replace(BOUND, slippage=Bps(1_200))
OFFERS = st.lists(st.builds(Offer, st.integers(1, 10**12), st.integers(1, 10**21)), max_size=8)
TERMS = st.builds(
    SaleTerms, st.just(BOUND), st.sampled_from([BOUND, DEEP]), st.integers(0, 10**21), st.just(100)
)


@given(OFFERS, TERMS)
def test_the_best_offer_is_the_largest_that_bound_and_ether_allow(offers, terms):
    best = best_offer(offers, terms)
    allowed = [
        one for one in offers if one.wei <= min(terms.deepest.most_wei(one.units), terms.held_wei)
    ]
    assert (best is None) == (not allowed)
    if best is not None:
        assert best in allowed
        assert best.units == max(one.units for one in allowed)


@given(st.integers(1, 10**13), st.integers(1, 10**23), TERMS)
def test_beyond_the_ordinary_bound_only_what_the_pool_asks_and_a_hundredth_is_given(
    units, wei, terms
):
    most = terms.most_wei(Offer(units, wei))
    assert most <= min(terms.deepest.most_wei(units), terms.held_wei)
    if wei > BOUND.most_wei(units):
        assert most <= wei * 101 // 100 + 1


@given(st.integers(0, 10**23), st.sampled_from([BOUND, DEEP]))
def test_ether_always_fetches_what_it_is_said_to(wei, bound):
    units = bound.always_fetched(wei)
    assert bound.most_wei(units) <= wei
    assert bound.most_wei(units + 3) > wei
