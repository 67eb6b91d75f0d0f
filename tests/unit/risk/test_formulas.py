"""The formulas, against numbers worked by hand."""

import pytest

from holdfast.common.money import BPS, RAY, USD8, WAD, Bps
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.errors import ImpossibleInput
from holdfast.risk.formulas import (
    all_in_cost,
    break_even_success,
    close_factor,
    collateral_to_restore,
    interest,
    liquidation_drop,
    liquidation_price,
    ltv,
    repayment_to_restore,
    simple_return,
)
from tests.unit.risk.positions import dollars


def test_ltv_is_debt_over_collateral_rounded_up():
    assert ltv(dollars(6), dollars(30)) == 2_000
    assert ltv(dollars("6.00000001"), dollars(30)) == 2_001
    assert ltv(dollars(0), dollars(0)) == 0
    assert ltv(dollars(1), dollars(0)) == NO_DEBT  # unbounded, so over every limit


def test_the_liquidation_price_is_debt_over_quantity_and_threshold():
    # $600,000 / (1,500 ETH * 0.83) = $481.927710843...
    assert liquidation_price(dollars(600_000), 1_500 * WAD, Bps(8_300)) == dollars("481.92771085")
    assert liquidation_price(dollars(0), 0, Bps(8_300)) == 0


def test_from_30_percent_ltv_liquidation_is_63_9_percent_away():
    # 1 - 0.30 / 0.83 = 0.638554
    assert liquidation_drop(Bps(3_000), Bps(8_300)) == 6_385
    assert liquidation_drop(Bps(9_000), Bps(8_300)) == 0


def test_the_close_factor_is_half_until_the_health_factor_is_095():
    assert close_factor(95 * 10**16 + 1) == BPS // 2
    assert close_factor(95 * 10**16) == BPS


def test_after_black_thursday_2_2_percent_of_nav_restores_30_percent():
    # debt 6 at a peak LTV of 47 %: collateral 12.765957; 6 - 0.3 * 12.765957 = 2.170213
    assert repayment_to_restore(dollars(6), dollars("12.76595745"), Bps(3_000)) == dollars(
        "2.17021277"
    )
    # or 6 / 0.3 - 12.765957 = 7.234043 more collateral
    assert collateral_to_restore(dollars(6), dollars("12.76595745"), Bps(3_000)) == dollars(
        "7.23404255"
    )


def test_nothing_restores_what_is_not_above_its_target():
    assert repayment_to_restore(dollars(6), dollars(30), Bps(3_000)) == 0
    assert collateral_to_restore(dollars(6), dollars(30), Bps(3_000)) == 0


def test_interest_is_simple_and_rounded_up():
    # 600,000 * 0.06 * 90 / 365 = 8,876.71232876...
    assert interest(dollars(600_000), RAY * 6 // 100, 90) == dollars("8876.71232877")
    assert interest(dollars(600_000), RAY * 6 // 100, 365) == dollars(36_000)


def test_the_all_in_cost_multiplies_price_slip_fee_and_financing():
    # 0.60 * 1.002 = 0.6012; * 1.0005 = 0.6015006; * 1.015 = 0.610523109
    cost = all_in_cost(
        60 * WAD // 100, slip=Bps(20), swap_fee_pips=500, financing_wad=15 * WAD // 1_000
    )
    assert cost == 610_523_109 * 10**9


def test_the_simple_return_and_the_break_even_follow_from_the_cost():
    # k 0.605, fee 0.25 %: 0.9975 / 0.605 - 1 = 64.87 %; 0.605 / 0.9975 = 60.65 %
    cost = 605 * WAD // 1_000
    assert simple_return(cost, Bps(25)) == 6_487
    assert break_even_success(cost, Bps(25)) == 6_066  # 60.6516 % rounded up
    # with 10 % recovered in a freeze: (0.605 - 0.1) / (0.9975 - 0.1) = 56.27 %
    assert break_even_success(cost, Bps(25), Bps(1_000)) == 5_627


def test_a_cost_above_par_returns_less_than_nothing_and_never_breaks_even():
    cost = 110 * WAD // 100
    assert simple_return(cost, Bps(0)) == -910  # 1 / 1.1 - 1 = -9.09 %, rounded down
    assert break_even_success(cost, Bps(0)) == 11_000
    assert break_even_success(5 * WAD // 100, Bps(0), Bps(1_000)) == 0


@pytest.mark.parametrize(
    ("code", "ask"),
    [
        ("risk.quantity", lambda: liquidation_price(dollars(1), 0, Bps(8_300))),
        ("risk.threshold", lambda: liquidation_drop(Bps(1), Bps(0))),
        ("risk.target", lambda: collateral_to_restore(dollars(1), dollars(1), Bps(0))),
        ("risk.cost", lambda: simple_return(0, Bps(0))),
        ("risk.recovery", lambda: break_even_success(WAD, Bps(5_000), Bps(5_000))),
    ],
)
def test_a_question_without_an_answer_is_refused(code, ask):
    with pytest.raises(ImpossibleInput) as caught:
        ask()
    assert caught.value.code == code


def test_money_stays_whole_numbers():
    assert isinstance(interest(dollars(1), RAY // 3, 7), int)
    assert dollars(1) == USD8
