"""Reverse stress: the first value that breaks, found by bisection, against the exact formulas."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.common.money import BPS, RAY, USD8, Bps, Usd8
from holdfast.risk.arrays import deal_columns
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.reserve import breaking_gap, owed, reserve
from holdfast.risk.reverse import REACH, Axis, Rule, reverse, reverse_together
from holdfast.risk.scenarios import Shock, outcome
from tests.unit.risk.positions import borrowed, from_bucket
from tests.unit.risk.test_scenarios import exposed

LARGE = 10_000_000  # dollars, so that rounding to 1e-8 is far below the tolerance


def scaled(position):
    parts = {name: Usd8(getattr(position, name) * LARGE) for name in position.__slots__}
    return replace(position, **parts)


def big(debt, threshold=8_300):
    one = exposed(scaled(borrowed(debt)))
    stress = replace(one.stress, costs=Usd8(one.stress.costs * LARGE))
    return replace(one, stress=stress, threshold=Bps(threshold))


def firsts(*deals):
    """The first breaking value of every axis and rule, a list with one for each deal."""
    found = reverse(deal_columns(deals))
    return {(one.axis, one.rule): one.first[:, 0].tolist() for one in found}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 20 * USD8),
    st.integers(1, 20 * USD8),
    st.integers(0, 5 * USD8),
    st.integers(0, 5_000),
)
def test_the_breaking_gap_is_that_of_the_integers(debt, bucket, cash, slip):
    held = scaled(replace(borrowed("6"), debt=debt, reserve_eth=bucket, cash=cash))
    one = replace(big("6"), position=held)
    one = replace(one, stress=replace(one.stress, exit_slip=Bps(slip)))
    (found,) = firsts(one)[Axis.ETH_GAP, Rule.I3]
    assert abs(max(0, found - 1) - breaking_gap(held, one.stress)) <= 1


def test_the_table_breaks_where_it_is_reckoned_by_hand():
    # 1 - 6.28876713 / 19.8 = 68.2385 %; 1 - 6 / (30 * 0.83) = 75.903 %
    found = firsts(big("6"))
    assert found[Axis.ETH_GAP, Rule.I3] == [6_824]
    assert found[Axis.ETH_GAP, Rule.HEALTH] == [7_591]
    # R 9.9 pays 6 + f 0.2 + 3.7 of interest: 3.7 / 6 * 365 / 90 = 250.0925 % a year, or at 6 % a
    # year 3.7 / 0.36 * 365 = 3,751.4 days, 90 of which are the horizon
    assert found[Axis.APR, Rule.I3] == [25_010]
    assert found[Axis.DELAY, Rule.I3] == [3_662]
    # 10 * (1 - slip) = 6.28876713 at 37.11 %, which 1 % becomes with 2.69 % of the depth
    assert found[Axis.DEPTH_LOST, Rule.I3] == [9_731]
    # 6 (1 + u) * 1.0147945 + 0.2 = 9.9: u = 59.3098 %; 15 * 0.83 / 6 = 2.075
    assert found[Axis.USDT_UP, Rule.I3] == [5_931]
    assert found[Axis.USDT_UP, Rule.HEALTH][0] in {10_750, 10_751}  # HF is 1 at 107.50 % exactly


def test_what_no_rate_and_no_depth_can_liquidate_is_out_of_reach():
    found = firsts(big("6"))
    for axis in (Axis.APR, Axis.DEPTH_LOST, Axis.DELAY):
        assert found[axis, Rule.HEALTH] == [REACH[axis] + 1]


def test_without_a_loan_or_with_enough_cash_no_fall_breaks_it():
    deals = [exposed(from_bucket("0", "19.8")), exposed(from_bucket("6", "18"))]
    found = firsts(*deals)
    assert found[Axis.ETH_GAP, Rule.I3] == [BPS + 1] * 2
    assert found[Axis.APR, Rule.I3][0] == REACH[Axis.APR] + 1


def test_a_deal_that_is_broken_already_breaks_at_once():
    found = firsts(replace(big("6"), position=scaled(replace(borrowed("6"), reserve_eth=Usd8(0)))))
    assert found[Axis.ETH_GAP, Rule.I3] == [0]
    assert found[Axis.DELAY, Rule.I3] == [0]


@pytest.mark.parametrize("debt", ["6", "7.5", "9"])
def test_one_step_before_the_border_the_integers_still_hold(debt):
    one, found = big(debt), firsts(big(debt))
    (rate,) = found[Axis.APR, Rule.I3]
    for value, holds in ((rate - 1, True), (rate, False)):
        shock = Shock("rate", eth_drop=Bps(5_000), apr_ray=RAY // BPS * value)
        assert outcome(shock, one).principal_whole is holds
    (move,) = found[Axis.USDT_UP, Rule.I3]
    for value, holds in ((move - 1, True), (move, False)):
        shock = Shock("usdt", eth_drop=Bps(5_000), usdt_move=value)
        assert outcome(shock, one).principal_whole is holds
    assert reserve(one.position, one.stress) >= owed(one.position.debt, one.stress)


def test_every_deal_is_searched_at_once_and_apart():
    debts = ["6", "7.5", "9", "9.5"]
    together = firsts(*(big(debt) for debt in debts))
    for place, debt in enumerate(debts):
        alone = firsts(big(debt))
        assert {key: [values[place]] for key, values in together.items()} == alone


def test_the_book_breaks_with_its_weakest_deal_and_sooner_in_a_crowded_pool():
    columns = deal_columns([big("6"), big("9")])
    deep = ExitPool(Usd8(10**6 * LARGE * USD8), 500)
    thin = ExitPool(Usd8(200 * LARGE * USD8), 500)
    by = {
        pool: {(one.axis, one.rule): one.first.item() for one in reverse_together(columns, pool)}
        for pool in (deep, thin)
    }
    weakest = firsts(big("9"))
    assert by[deep][Axis.ETH_GAP, Rule.I3] == weakest[Axis.ETH_GAP, Rule.I3][0]
    assert by[thin][Axis.ETH_GAP, Rule.I3] < by[deep][Axis.ETH_GAP, Rule.I3]
    assert by[thin][Axis.ETH_GAP, Rule.HEALTH] == by[deep][Axis.ETH_GAP, Rule.HEALTH]
    assert isinstance(by[thin][Axis.APR, Rule.I3], int)
    assert np.issubdtype(reverse_together(columns, thin)[0].first.dtype, np.integer)
