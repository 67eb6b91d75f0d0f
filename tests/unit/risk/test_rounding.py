"""Figures of the reserve and of a purchase are rounded against the deal, by less than a unit."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import BPS, RAY, WAD, Bps, Usd8
from holdfast.risk.formulas import YEAR_DAYS, all_in_cost
from holdfast.risk.model import Position, Stress
from holdfast.risk.reserve import bucket_sold, debt_cover, loss_bound, owed, reserve

DOLLARS = st.integers(1, 10**18).map(Usd8)
POSITIONS = st.builds(
    Position,
    core=DOLLARS,
    collateral=DOLLARS,
    reserve_eth=DOLLARS,
    cash=DOLLARS,
    debt=DOLLARS,
    token_cost=DOLLARS,
)
STRESSES = st.builds(
    Stress,
    gap=st.integers(0, 9_999).map(Bps),
    exit_slip=st.integers(0, 9_999).map(Bps),
    apr_ray=st.integers(0, RAY),
    days=st.integers(0, 365),
    costs=DOLLARS,
)


def below(found, exact):
    return exact - 1 < found <= exact


def above(found, exact):
    return exact <= found < exact + 1


@given(POSITIONS, STRESSES)
def test_the_reserve_counts_too_little_and_the_debt_too_much(position, stress):
    kept = Fraction((BPS - stress.gap) * (BPS - stress.exit_slip), BPS**2)
    carry = Fraction(position.debt * stress.apr_ray * stress.days, RAY * YEAR_DAYS)
    assert below(reserve(position, stress), position.cash + position.reserve_eth * kept)
    due = owed(position.debt, stress)
    assert above(due, position.debt + carry + stress.costs)
    assert below(debt_cover(position, stress), Fraction(reserve(position, stress) * WAD, due))
    missing = max(0, due - position.cash)
    sold = bucket_sold(position, stress)
    assert sold == position.reserve_eth or above(sold, missing / kept)
    lost = missing * (Fraction(BPS, BPS - stress.exit_slip) - 1)
    bound = position.token_cost + carry + stress.costs + lost + 7
    assert bound <= loss_bound(position, stress, Usd8(7)) < bound + 2  # two parts are rounded


@given(
    st.integers(1, WAD),
    st.integers(0, 500).map(Bps),
    st.integers(0, 10_000),
    st.integers(0, WAD),
)
def test_a_token_costs_no_less_than_it_does(price, slip, fee, financing):
    exact = (
        price
        * Fraction(BPS + slip, BPS)
        * Fraction(10**6 + fee, 10**6)
        * Fraction(WAD + financing, WAD)
    )
    assert above(all_in_cost(price, slip=slip, swap_fee_pips=fee, financing_wad=financing), exact)
