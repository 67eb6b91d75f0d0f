"""The average of squared returns: its recursion, days, and what it says in the middle of one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import BPS, USD8, Usd8
from holdfast.risk.volatility import DAY_SECONDS, REFERENCE, Volatility

DAY = 20_000


def dollars(value):
    return Usd8(round(value * USD8))


def days(*prices):
    """The volatility after one price a day."""
    held = Volatility.beginning(dollars(prices[0]), DAY * DAY_SECONDS)
    for number, price in enumerate(prices[1:], start=1):
        held = held.seen(dollars(price), (DAY + number) * DAY_SECONDS)
    return held


def test_nothing_is_known_at_first_so_the_year_is_a_usual_one():
    assert days(2_000).yearly == REFERENCE


def test_a_fall_counts_the_moment_it_is_seen():
    # ln(0.8)^2 = 0.0498; (0.94 * 0.72^2 / 365 + 0.06 * 0.0498) * 365 = 1.5778, 125.60 %.
    held = days(2_000).seen(dollars(1_600), DAY * DAY_SECONDS + 3_600)
    assert held.yearly == 12_560


def test_what_came_back_within_the_day_is_no_return():
    held = days(2_000).seen(dollars(1_600), DAY * DAY_SECONDS + 3_600)
    assert held.seen(dollars(2_000), DAY * DAY_SECONDS + 7_200).yearly == REFERENCE


def test_a_closed_day_stays_and_fades():
    fallen, next_day = days(2_000, 1_600), days(2_000, 1_600, 1_600)
    later = days(2_000, 1_600, 1_600, 1_600)
    # The day before the fall took 6 % of the first variance: 124.43 %.
    assert fallen.yearly == next_day.yearly == 12_443
    # A calm day takes 6 % of the variance: 124.43 * sqrt(0.94) = 120.64 %.
    assert later.yearly == pytest.approx(12_064, abs=1)


def test_an_older_blocks_price_counts_as_today():
    held = days(2_000, 2_000)
    assert held.seen(dollars(1_900), DAY * DAY_SECONDS) == Volatility(
        held.variance_wad, held.day, held.base, dollars(1_900)
    )


@given(st.lists(st.floats(min_value=10, max_value=100_000), min_size=2, max_size=40))
def test_the_integers_follow_the_floats(prices):
    """Within a ten thousandth, and a bp for rounding down."""
    prices = [round(price, 2) for price in prices]
    variance = (REFERENCE / 10_000) ** 2 / 365
    daily = variance
    for before, after in zip([prices[0], *prices], prices, strict=False):
        variance = daily
        daily = 0.94 * variance + 0.06 * math.log(after / before) ** 2
    expected = math.sqrt(max(variance, daily) * 365) * 10_000
    assert days(*prices).yearly == pytest.approx(expected, rel=1e-4, abs=1)


def test_a_rough_history_lets_one_expect_more_than_a_usual_year():
    """Ten days of 10 % up and down: 0.94^10 * 72 %^2 + (1 - 0.94^10) * (182 %)^2, square root."""
    closes = [Usd8((2_000 if day % 2 else 2_200) * USD8) for day in range(11)]
    found = Volatility.after(closes, closes[-1], 0)
    kept = 0.94**10
    swing = 365**0.5 * math.log(1.1)
    expected = (kept * 0.72**2 + (1 - kept) * swing**2) ** 0.5
    assert abs(found.yearly / BPS - expected) < 0.0002


@pytest.mark.parametrize("closes", [(), (Usd8(USD8),), (Usd8(USD8),) * 200])
def test_no_history_and_a_calm_one_begin_at_a_usual_year(closes):
    assert Volatility.after(closes, Usd8(USD8), 0) == Volatility.beginning(Usd8(USD8), 0)
