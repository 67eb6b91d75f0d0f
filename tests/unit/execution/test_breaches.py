"""The hard rules of an open position: I1, I3 and I6, each by its code."""

from dataclasses import replace

import pytest

from holdfast.common.money import RAY, USD8, WAD, Bps, Usd8
from holdfast.execution.breaches import Exposure, breaches, stress_of
from holdfast.execution.observation import CoreSeen
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.limits import RiskLimits
from tests.unit.execution.scene import deal, position

LIMITS = RiskLimits()
CORE = 2_500 * WAD
LOAN = 600_000 * 10**6  # USDT: 20 % of 1,500 ETH at $2,000


def exposure(eth=2_000, rate=4 * RAY // 100, **held):
    usual = {"native": 1_000 * WAD, "collateral": 1_500 * WAD, "debt": LOAN}
    return Exposure(
        position=position(**{**usual, **held}),
        eth_price=Usd8(eth * USD8),
        cash_price=Usd8(USD8),
        cash_decimals=6,
        borrow_rate=rate,
        threshold=Bps(8_300),
    )


def codes(core=CORE, **kwargs):
    anchor = CoreSeen(core, allowances=0, debt=Usd8(0), collateral=Usd8(0))
    return breaches(deal(), exposure(**kwargs), anchor, LIMITS)


def test_the_deal_as_planned_breaks_nothing():
    assert codes() == ()
    assert exposure().ltv_bps == 2_000


def test_core_below_what_this_deal_booked_is_a_breach():
    assert codes(core=CORE - 1) == ("I1.core_below_booked",)


def test_an_allowance_or_a_position_of_the_core_address_is_a_breach():
    given = CoreSeen(CORE, allowances=1, debt=Usd8(0), collateral=Usd8(5))
    found = breaches(deal(), exposure(), given, LIMITS)
    assert found == ("I1.core_allowance", "I1.core_position")


def test_ltv_above_the_cap_is_a_breach():
    """$600,000 over 1,500 ETH: 30 % at $1,333.33; the bucket of 1,000 ETH still covers."""
    assert codes(eth=1_334) == ()
    assert codes(eth=1_333) == ("I6.ltv",)


def test_a_reserve_that_no_longer_covers_the_debt_is_a_breach():
    """Needed: 600,000 * (1 + 6 % * 90 / 365) and $3,510 of gas at most: $612,387.

    ETH counts at (1 - 50 %)(1 - 3 %) of $2,000, that is $970: 631.4 of it cover, 631.3 do not.
    """
    assert codes(native=6_314 * WAD // 10) == ()
    assert codes(native=6_313 * WAD // 10) == ("I3.debt_cover",)
    # Cash counts whole, wrapped ether as ether.
    assert codes(native=0, cash=612_388 * 10**6) == ()
    assert codes(native=0, weth=6_314 * WAD // 10) == ()


def test_both_may_break_at_once():
    assert codes(eth=1_000, native=0) == ("I3.debt_cover", "I6.ltv")


def test_without_debt_nothing_but_core_can_break():
    assert codes(debt=0, native=0, collateral=0, eth=1) == ()


def test_a_dear_loan_is_reckoned_at_half_again_its_rate():
    """Below 4 % a year the floor of 6 % holds; at 40 % it is 60 %."""
    record = deal()
    assert stress_of(record, exposure(), LIMITS).apr_ray == 6 * RAY // 100
    assert stress_of(record, exposure(rate=40 * RAY // 100), LIMITS).apr_ray == 60 * RAY // 100


def test_the_stress_is_the_plans_own():
    record = deal()
    stress = stress_of(record, exposure(), LIMITS)
    envelope = record.plan.envelope
    assert stress.days == envelope.request.horizon_days == 90
    # what may be lost against the oracle is the slip and how far the oracle may be off
    assert stress.exit_slip == envelope.exit_slippage == LIMITS.min_exit_slip + 200
    assert stress.gap == LIMITS.gap
    # 1.755 ETH at $2,000
    assert stress.costs == 3_510 * USD8


@pytest.mark.parametrize(
    ("dollars", "slip"), [(500_000_000, 300), (20_000_000, 852), (1_000_000, 1_200), (0, 1_200)]
)
def test_a_pool_that_has_become_thin_makes_the_reserve_count_for_less(dollars, slip):
    """$612,387 to raise of 70.71 % of the pool's cash after the gap, fee 0.05 %; 12 % at most.

    Of $14.142M that is 4.33 %: 1 - 0.9567^2 * 0.9995 = 8.52 %.
    """
    pool = ExitPool(Usd8(dollars * USD8), 500)
    thin = replace(exposure(), pool=pool)
    assert stress_of(deal(), thin, LIMITS).exit_slip == pytest.approx(slip, abs=3)
    # nothing has to be sold where cash pays by itself
    paid = replace(exposure(cash=700_000 * 10**6), pool=pool)
    assert stress_of(deal(), paid, LIMITS).exit_slip == 300
