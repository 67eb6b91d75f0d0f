"""The pool's arithmetic: rounding by hand, and what must hold for any amounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Broken
from holdfast.common.money import RAY, WAD
from holdfast.protocols.aave_v3 import math

AMOUNTS = st.integers(min_value=0, max_value=10**30)
INDEXES = st.integers(min_value=RAY, max_value=100 * RAY)
RATES = st.integers(min_value=0, max_value=2 * RAY)
TIMES = st.integers(min_value=0, max_value=20 * math.SECONDS_PER_YEAR)


def test_halves_round_up_and_less_rounds_down():
    # 3 * 0.5 = 1.5 -> 2; 1 * 0.499... -> 0; 1 / 2 = 0.5 -> 1 in the last place.
    assert math.ray_mul(3, RAY // 2) == 2
    assert math.ray_mul(1, RAY // 2 - 1) == 0
    assert math.ray_div(1, 2 * RAY) == 1
    assert math.ray_div(1, 2 * RAY + 2) == 0
    assert math.wad_div(1, 2 * WAD) == 1
    # 1.5 bps of 10,000 is 1.5 -> 2; 0.49 -> 0.
    assert math.percent_mul(15_000, 1) == 2
    assert math.percent_mul(4_999, 1) == 0


@given(AMOUNTS, INDEXES)
def test_what_is_booked_is_worth_the_amount_within_half_an_index(amount, index):
    back = math.unscaled(math.scaled(amount, index), index)
    assert abs(back - amount) <= index // (2 * RAY) + 1


@given(AMOUNTS, INDEXES)
def test_a_booked_amount_survives_the_round_trip(booked, index):
    # With an index of at least 1 the pool never loses a booked unit, so a full repayment is full.
    assert math.scaled(math.unscaled(booked, index), index) == booked


def test_linear_interest_of_a_year_is_the_rate():
    year = math.SECONDS_PER_YEAR
    assert math.linear_interest(RAY // 10, 1_000, 1_000 + year) == RAY + RAY // 10
    assert math.linear_interest(RAY // 10, 1_000, 1_000) == RAY


def test_compound_interest_of_a_year_is_the_three_term_series_with_a_truncated_cube():
    # 1 + 0.1 + 0.005 + 0.0001666..., but the pool keeps the cube per second cubed as the whole
    # number 31 of 31.885, so the last term is 0.0001666 * 31 / 31.885 = 0.00016204.
    year = math.SECONDS_PER_YEAR
    growth = math.compounded_interest(RAY // 10, 0, year)
    assert growth // 10**19 == 110_516_204


def test_compound_interest_of_one_and_two_seconds_drops_the_terms_that_do_not_exist():
    # One second: only the first term. Two seconds: n(n-1)/2 = 1 square and no cube.
    rate = 2 * RAY
    per_second = rate // math.SECONDS_PER_YEAR
    assert math.compounded_interest(rate, 0, 0) == RAY
    assert math.compounded_interest(rate, 0, 1) == RAY + per_second
    square = 4 * RAY // math.SECONDS_PER_YEAR**2
    assert math.compounded_interest(rate, 0, 2) == RAY + 2 * rate // math.SECONDS_PER_YEAR + square


@given(RATES, TIMES)
def test_compound_interest_is_never_less_than_linear(rate, seconds):
    compounded = math.compounded_interest(rate, 5, 5 + seconds)
    assert compounded >= math.linear_interest(rate, 5, 5 + seconds) >= RAY


@given(RATES, TIMES, TIMES)
def test_interest_grows_with_time(rate, one, other):
    short, long = sorted((one, other))
    assert math.compounded_interest(rate, 0, short) <= math.compounded_interest(rate, 0, long)


@pytest.mark.parametrize("interest", [math.linear_interest, math.compounded_interest])
def test_interest_to_a_time_before_the_last_update_is_refused(interest):
    with pytest.raises(Broken) as caught:
        interest(RAY, 10, 9)
    assert caught.value.code == "aave.time_order"


def test_value_is_rounded_down_in_the_oracles_currency():
    # 1.5 ETH at $2,000 is $3,000; one base unit of a 6-decimal token at $0.99 is 99 of 1e-8.
    assert math.base_value(15 * 10**17, 2_000 * 10**8, 18) == 3_000 * 10**8
    assert math.base_value(1, 99_000_000, 6) == 99


def test_health_factor_by_hand():
    # $3,000,000 at a threshold of 83 % against $600,000: 2,490,000 / 600,000 = 4.15.
    assert math.health_factor(3_000_000 * 10**8, 8_300, 600_000 * 10**8) == 415 * WAD // 100
    assert math.health_factor(3_000_000 * 10**8, 8_300, 0) == math.NO_DEBT


def test_what_may_still_be_borrowed_by_hand():
    # 80 % of $3,000,000 is $2,400,000; less $600,000 is $1,800,000; never under nothing.
    assert math.available_borrows(3_000_000, 600_000, 8_000) == 1_800_000
    assert math.available_borrows(3_000_000, 2_400_001, 8_000) == 0


@given(AMOUNTS, st.integers(min_value=1, max_value=10**30), st.integers(0, 10_000))
def test_the_health_factor_falls_as_debt_grows(collateral, debt, threshold):
    assert math.health_factor(collateral, threshold, debt) >= math.health_factor(
        collateral, threshold, debt + 1
    )
