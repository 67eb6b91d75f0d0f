"""The standard scenarios, and the theorem they rest on."""

from dataclasses import replace

import pytest

from holdfast.common.money import BPS, USD8, WAD, Bps, Usd8
from holdfast.risk.reserve import breaking_gap, exit_cost, loss_bound, owed, reserve
from holdfast.risk.scenarios import (
    STANDARD,
    Delay,
    Exposed,
    Shock,
    bound,
    outcome,
    stressed,
)
from tests.unit.risk.positions import STRESS, THRESHOLD, borrowed, dollars, from_bucket


def exposed(position, paid="0"):
    return Exposed(
        position=position,
        stress=STRESS,
        threshold=THRESHOLD,
        token_par=dollars(10),
        paid=dollars(paid),
        gas_per_gwei=dollars("0.001"),
    )


def verdicts(position):
    return {one.name: outcome(one, exposed(position)).principal_whole for one in STANDARD}


def named(name):
    return next(shock for shock in STANDARD if shock.name == name)


def test_names_are_unique_and_every_standard_shock_is_there():
    names = [shock.name for shock in STANDARD]
    assert len(set(names)) == len(names) == 20


def test_at_20_percent_the_principal_is_whole_in_every_standard_scenario():
    assert all(verdicts(borrowed("6")).values())


def test_at_30_percent_dear_loans_a_dearer_debt_or_a_thin_exit_break_it():
    # owed 9.33: APR 80 % makes it 9 + 1.775 + 0.2 = 10.975 > 9.9; USDT +5 % makes it
    # 9.45 + 0.1398 + 0.2 = 9.79 < 9.9; a fifth of the depth makes the slip 5 % and, with gas at
    # 700 gwei costing 0.7, 9.5 < 9 + 0.133 + 0.7 = 9.833
    failing = {name for name, is_whole in verdicts(borrowed("9")).items() if not is_whole}
    assert failing == {
        "freeze_and_eth_down_50_and_apr_80",
        "eth_down_50_and_gas_700_gwei_and_exit_depth_down_80",
    }


def test_without_a_loan_nothing_can_break_it():
    assert all(verdicts(from_bucket("0", "19.8")).values())


def test_a_deeper_fall_comes_in_steps_no_larger_than_the_gap():
    fifty = outcome(named("eth_down_50"), exposed(borrowed("6")))
    eighty = outcome(named("eth_down_80"), exposed(borrowed("6")))
    assert eighty.cover_wad == fifty.cover_wad
    assert f"{fifty.cover_wad / WAD:.2f}" == "1.57"


def test_a_liquidated_position_is_not_whole_however_rich_the_reserve():
    rich = replace(borrowed("6"), cash=dollars(100))
    thin = replace(exposed(rich), threshold=Bps(4_000))  # 15 * 0.4 / 6 = 1, not above it
    assert not outcome(named("eth_down_50"), thin).principal_whole
    assert outcome(named("eth_down_30"), thin).principal_whole


def test_recovery_lessens_the_loss_and_a_delay_only_costs_interest():
    # S 6 + i 0.08876713 + f 0.2 + selling 6.28876713 at 1 % slip, 0.06352291 = 6.35229004
    nothing = outcome(named("token_to_zero"), exposed(borrowed("6")))
    assert nothing.loss == dollars("6.35229004")
    tenth = outcome(named("recovery_10"), exposed(borrowed("6")))
    assert tenth.loss == nothing.loss - dollars(1)
    assert outcome(named("delay_7_months"), exposed(borrowed("6"))).loss == 0


def test_dear_gas_and_what_the_sale_cost_are_in_the_loss():
    usual = outcome(named("token_to_zero"), exposed(from_bucket("0", "19.8"), paid="0.1"))
    assert usual.loss == dollars("20.1")  # 19.8 + f 0.2 + 0.1
    dear = outcome(named("gas_700_gwei"), exposed(from_bucket("0", "19.8"), paid="0.1"))
    assert dear.loss == dollars("20.6")  # 700 * 0.001 = 0.7 instead of 0.2


def test_a_dearer_debt_currency_costs_what_the_debt_gained():
    # 5 % of 6 is 0.3; owed 6.3 + 0.09320548 + 0.2 = 6.59320548, selling costs 0.06659804
    loss = outcome(named("usdt_up_5"), exposed(borrowed("6"))).loss
    assert loss == dollars("6") + dollars("0.3") + dollars("0.09320548") + dollars("0.2") + dollars(
        "0.06659804"
    )


def test_the_worst_case_covers_every_scenario_without_a_dearer_world():
    position = borrowed("6")
    most = loss_bound(position, STRESS, Usd8(0))
    for shock in STANDARD:
        is_dearer = shock.apr_ray or shock.gas_gwei or shock.usdt_move > 0 or shock.extra_days
        if is_dearer or shock.sale_discount or shock.depth_left != BPS:
            continue
        assert outcome(shock, exposed(position)).loss <= most


def test_the_breaking_gap_is_where_the_reserve_just_pays():
    # 1 - 6.28876713 / 19.8 = 68.2385 %
    assert breaking_gap(borrowed("6"), STRESS) == 6_823
    assert breaking_gap(from_bucket("6", "18"), STRESS) == BPS
    assert breaking_gap(from_bucket("0", "19.8"), STRESS) == BPS
    assert breaking_gap(replace(borrowed("6"), reserve_eth=Usd8(0)), STRESS) == 0


@pytest.mark.parametrize("debt", ["6", "7.5", "9"])
def test_at_the_breaking_gap_the_reserve_pays_and_beyond_it_does_not(debt):
    position = borrowed(debt)
    gap = breaking_gap(position, STRESS)
    assert reserve(position, replace(STRESS, gap=gap)) >= owed(position.debt, STRESS)
    beyond = replace(STRESS, gap=Bps(gap + 1))
    assert reserve(position, beyond) < owed(position.debt, STRESS)


def test_nothing_is_sold_at_a_loss_where_cash_pays():
    assert exit_cost(from_bucket("6", "18"), STRESS) == 0
    # 6.28876713 / 0.99 = 6.3522900303, up to 6.35229004; less 6.28876713
    assert exit_cost(borrowed("6"), STRESS) == dollars("0.06352291")


def test_a_shock_that_leaves_no_depth_to_speak_of_still_has_an_answer():
    thin = outcome(Shock("thin", depth_left=Bps(1)), exposed(borrowed("6")))
    assert not thin.principal_whole
    assert thin.bucket_sold > BPS
    assert thin.loss > USD8


@pytest.mark.parametrize(
    ("name", "slip"),
    [("exit_depth_down_80", 500), ("single_venue_price", 1_100), ("eth_down_50", 300)],
)
def test_a_sale_further_under_the_oracle_than_any_may_go_is_a_delay_and_not_whole(name, slip):
    """The pool keeps 1 %: a fifth of it 5 %, a single bad venue 11 %; a sale may lose 3 %."""
    usual = replace(STRESS, exit_slip=Bps(300))
    one = replace(exposed(borrowed("6")), stress=usual, pool_slip=Bps(100))
    assert stressed(named(name), one).exit_slip == slip
    may = outcome(named(name), replace(one, most_slip=Bps(slip)))
    assert (may.principal_whole, may.delayed_by) == (True, None)
    waits = outcome(named(name), replace(one, most_slip=Bps(slip - 1)))
    assert (waits.principal_whole, waits.delayed_by) == (False, Delay.PRICE)
    # the same numbers otherwise, and no delay where cash pays by itself
    assert replace(waits, principal_whole=True, delayed_by=None) == may
    rich = replace(one.position, cash=Usd8(10**15))
    paid = outcome(named(name), replace(one, position=rich, most_slip=Bps(0)))
    assert paid.delayed_by is None


def test_gas_above_what_even_repaying_may_pay_is_a_delay_and_not_whole():
    one = exposed(borrowed("6"))
    dear = named("gas_700_gwei")
    assert outcome(dear, replace(one, most_gas_gwei=700)).delayed_by is None
    waits = outcome(dear, replace(one, most_gas_gwei=699))
    assert (waits.principal_whole, waits.delayed_by) == (False, Delay.GAS)
    free = replace(one.position, debt=Usd8(0))
    assert outcome(dear, replace(one, position=free, most_gas_gwei=0)).delayed_by is None


def test_the_bound_sells_as_deep_as_any_sale_may_go():
    one = replace(exposed(borrowed("6")), most_slip=Bps(1_200))
    deep = replace(STRESS, exit_slip=Bps(1_200))
    assert bound(one) == loss_bound(one.position, deep, one.paid)
    assert bound(one) > bound(replace(one, most_slip=None))
