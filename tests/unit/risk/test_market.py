"""What a reading of the market says of itself: two sources, ages, utilisation, what changed."""

from dataclasses import replace

import pytest

from holdfast.common.money import USD8, Usd8
from holdfast.risk.market import Changed, Memory, changes, settings
from holdfast.risk.price_sources import FeedPrice
from tests.unit.risk.markets import NOON, market, pool, reserve


def test_the_sources_are_compared_by_the_average_which_one_trade_cannot_move():
    # 1,980 against 2,000 is 1 %, although the pool's price of the moment is 10 % off.
    assert market(eth_pool=pool(1_800, average=1_980)).sources.deviation == 100


def test_without_an_average_the_price_of_the_moment_is_the_second_source():
    seen = market(eth_pool=pool(1_800, window=0))
    assert (seen.sources.deviation, seen.eth_pool.memory) == (1_000, Memory.ABSENT)


@pytest.mark.parametrize(
    ("window", "memory"), [(1_800, Memory.FULL), (900, Memory.SHORT), (0, Memory.ABSENT)]
)
def test_a_pool_says_how_far_back_its_average_reaches(window, memory):
    assert pool(2_000, window=window).memory is memory


def test_a_deviation_is_rounded_up_and_counts_both_ways():
    assert market(eth_pool=pool(2_000.0001)).sources.deviation == 1
    assert (
        market(eth_pool=pool(2_040)).sources.deviation
        == market(eth_pool=pool(1_960)).sources.deviation
        == 200
    )


def test_each_feed_has_its_own_age():
    """A dollar token's feed is written once a day: five hours are nothing there."""
    stale = FeedPrice(Usd8(USD8), NOON - 5_000)
    sources = market(cash_feed=stale).sources
    assert (sources.eth_age_seconds, sources.cash_age_seconds) == (0, 5_000)
    # A feed whose clock is ahead of the chain's is not younger than now.
    ahead = FeedPrice(Usd8(USD8), NOON + 60)
    both = market(cash_feed=ahead, eth_feed=ahead).sources
    assert (both.eth_age_seconds, both.cash_age_seconds) == (0, 0)


@pytest.mark.parametrize(("price", "off"), [(1, 0), (0.95, 500), (1.05, 500), (0.99999999, 1)])
def test_the_debt_currency_is_off_its_peg_either_way(price, off):
    assert market(cash=price).off_peg == off


def test_utilisation_is_what_is_lent_of_all():
    assert reserve(400, 600).utilisation == 6_000
    assert reserve(2, 1).utilisation == 3_334  # rounded up
    assert reserve(0, 0).utilisation == 0


def test_what_the_venues_owners_changed_is_named():
    before = market()
    after = market(
        collateral=reserve(950, 50, ltv=7_500, is_frozen=True),
        loan=replace(before.loan, strategy=replace(before.loan.strategy, slope_1=1)),
    )
    assert changes(settings(before), settings(after)) == (
        Changed("collateral.is_frozen", 0, 1),
        Changed("collateral.ltv", 8_000, 7_500),
        Changed("loan.slope_1", before.loan.strategy.slope_1, 1),
    )
    assert changes(settings(before), settings(market())) == ()


def test_a_setting_that_an_older_version_did_not_know_has_not_changed():
    assert changes({}, settings(market())) == ()
