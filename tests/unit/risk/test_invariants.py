"""Each invariant holds at its limit and breaks one unit beyond it."""

from dataclasses import replace

import pytest

from holdfast.common.money import USD8, WAD, Bps, Usd8
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk import invariants
from holdfast.risk.checks import shown
from holdfast.risk.invariants import Anchor, share_of
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Severity, Unit
from tests.unit.risk.positions import STRESS, THRESHOLD, borrowed, dollars, from_bucket

LIMITS = RiskLimits()
WHOLE = Anchor(
    balance_wei=10, booked_wei=10, allowances=0, debt=Usd8(0), collateral=Usd8(0), shared_with=0
)


def broken(checks):
    return {check.code for check in checks if not check.ok}


def test_an_anchor_that_is_all_there_and_out_of_reach_is_kept():
    assert broken(invariants.anchor(WHOLE)) == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"balance_wei": 9}, "I1.core_below_booked"),
        ({"allowances": 1}, "I1.core_allowance"),
        ({"debt": Usd8(1)}, "I1.core_position"),
        ({"collateral": Usd8(1)}, "I1.core_position"),
        ({"shared_with": 1}, "I1.core_shared"),
    ],
)
def test_an_anchor_within_reach_is_named(change, code):
    assert broken(invariants.anchor(replace(WHOLE, **change))) == {code}


def test_the_reserve_alone_repays_without_what_pays_for_gas():
    # debt 9 and interest 0.13315069; bucket 20 less gas g, halved, less 1 %: at g = 1.5
    # 18.5 * 0.495 = 9.1575 >= 9.13315069, at g = 1.6 18.4 * 0.495 = 9.108 < 9.13315069
    position = borrowed("9")
    assert invariants.one_way(position, STRESS, dollars("1.5")).ok
    check = invariants.one_way(position, STRESS, dollars("1.6"))
    assert (check.ok, check.limit, check.value) == (False, dollars("9.13315069"), dollars("9.108"))


def test_gas_beyond_the_bucket_leaves_only_cash_to_repay_with():
    position = replace(borrowed("6"), cash=dollars(1))
    assert invariants.one_way(position, STRESS, dollars(21)).value == dollars(1)


def test_debt_cover_warns_before_it_stops():
    hard, warn = invariants.covered(borrowed("9"), STRESS, LIMITS)  # 1.06
    assert (hard.ok, warn.ok) == (True, False)
    assert (hard.severity, warn.severity) == (Severity.HARD, Severity.WARN)
    assert warn.is_warning
    assert not warn.is_violation
    hard, _ = invariants.covered(borrowed("9.6"), STRESS, LIMITS)  # 9.9 / 9.942 < 1
    assert hard.is_violation


def test_the_larger_of_cost_and_market_is_the_exposure():
    position = replace(borrowed("7"), token_market=dollars(8))
    # NAV 50 + 30 + 20 - 7 + 8 = 101: 8 / 101 = 7.921 %; freeze NAV 93: 7 / 93 = 7.527 %
    exposure, freeze = invariants.exposure(position, Bps(2_500))
    assert (exposure.value, freeze.value) == (793, 753)


def test_a_fifth_of_nav_is_a_quarter_of_freeze_nav():
    # freeze NAV 100 - 20 = 80: 20 / 80 = 25 %, and one unit more is over
    ok = replace(from_bucket("0", "20"), cash=Usd8(0))
    assert broken(invariants.exposure(ok, Bps(2_500))) == set()
    over = replace(ok, token_cost=dollars("20.00000001"))
    assert broken(invariants.exposure(over, Bps(2_500))) == {"I4.freeze_exposure"}


def test_exposure_of_what_is_worth_nothing_is_unbounded():
    assert share_of(Usd8(1), Usd8(0)) == NO_DEBT
    assert share_of(Usd8(1), Usd8(-1)) == NO_DEBT
    assert share_of(Usd8(0), Usd8(0)) == 0


def leverage(position, opening=2_000, most=3_000, threshold=THRESHOLD):
    checks = invariants.leverage(
        position, opening=Bps(opening), most=Bps(most), threshold=threshold, limits=LIMITS
    )
    return broken(checks)


def test_ltv_keeps_to_the_opening_the_request_and_the_cap():
    assert leverage(borrowed("6")) == set()
    assert leverage(borrowed("6.00000001")) == {"I6.opening_ltv"}
    assert leverage(borrowed("9"), opening=3_000) == {"I6.ltv_warning"}
    assert leverage(borrowed("7.5"), opening=2_500, most=2_400) == {"I6.ltv"}
    over = {"I6.ltv", "I6.ltv_warning"}
    assert leverage(borrowed("9.00000001"), opening=4_000, most=4_000) == over


def test_half_the_collateral_must_leave_a_health_factor_above_one():
    # 15 * LT / 6 > 1 needs LT > 40 %
    assert leverage(borrowed("6"), threshold=Bps(4_001)) == set()
    assert leverage(borrowed("6"), threshold=Bps(4_000)) == {"I6.stressed_health"}


def test_the_token_at_the_venue_or_a_missing_way_home_is_named():
    assert invariants.unleveraged(0).ok
    assert invariants.unleveraged(1).code == "I5.token_at_venue"
    assert not invariants.unleveraged(1).ok
    assert invariants.independent(0).ok
    assert invariants.independent(2).is_violation


def test_lots_beyond_belief_warn_and_beyond_the_budget_stop():
    def lot(millions, *, is_gate_open=False):
        spend = Usd8(millions * 1_000_000 * USD8)
        return broken(invariants.progressive(spend, Usd8(0), LIMITS, is_gate_open=is_gate_open))

    assert lot(1) == set()
    assert lot(2) == {"I8.unproven_lot"}
    assert lot(6) == {"I8.unproven_lot", "I8.loss_budget"}
    assert lot(6, is_gate_open=True) == set()


def test_a_rung_beyond_the_budget_in_flight_stops_even_with_an_open_gate():
    rung = Usd8(LIMITS.in_flight + 1)
    found = invariants.progressive(Usd8(0), rung, LIMITS, is_gate_open=True)
    assert broken(found) == {"I8.in_flight"}


def test_old_prices_and_disagreeing_prices_are_named():
    assert broken(invariants.fresh(4_500, Bps(200), LIMITS)) == set()
    assert broken(invariants.fresh(4_501, Bps(200), LIMITS)) == {"I10.oracle_age"}
    assert broken(invariants.fresh(0, Bps(201), LIMITS)) == {"I10.oracle_deviation"}


def test_a_check_says_its_value_and_its_limit():
    check, _ = invariants.covered(borrowed("9.6"), STRESS, LIMITS)
    assert check.text.endswith("1.00, at least 1.00")  # 0.9958 reads 1.00: the numbers are exact
    assert check.value < check.limit == WAD


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2_000, Unit.BPS, "20.00 %"),
        (-91, Unit.BPS, "-0.91 %"),
        (60_000_000_000_000, Unit.USD8, "$600,000.00"),
        (-150_000_000, Unit.USD8, "-$1.50"),
        (1_574_235 * 10**12, Unit.WAD, "1.57"),
        (NO_DEBT, Unit.WAD, "no debt"),
        (NO_DEBT, Unit.BPS, "unbounded"),
        (25 * 10**17, Unit.WEI, "2.50 ETH"),
        (4_500, Unit.SECONDS, "4,500 s"),
        (1_234, Unit.COUNT, "1,234"),
    ],
)
def test_numbers_read_as_people_write_them(value, unit, text):
    assert shown(value, unit) == text
