"""Each invariant holds at its limit and breaks one unit beyond it, and says what follows."""

from dataclasses import fields, replace

import pytest

from holdfast.common.money import USD8, WAD, Bps, Usd8
from holdfast.model.deal import Funding
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.checks import shown
from holdfast.risk.formulas import share_of
from holdfast.risk.invariants import (
    RULES,
    Anchor,
    Facts,
    Lending,
    Lot,
    Moment,
    Prices,
    Reaction,
    Spending,
    breaches_of,
    evaluate,
    reaction,
)
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Severity, Unit
from tests.unit.risk.positions import STRESS, THRESHOLD, borrowed, dollars, from_bucket

LIMITS = RiskLimits()
WHOLE = Anchor(
    balance_wei=10, booked_wei=10, allowances=0, debt=Usd8(0), collateral=Usd8(0), shared_with=0
)


def found(moment=Moment.PRE_TRADE, **facts):
    return {check.code: check for check in evaluate(Facts(**facts), LIMITS, moment)}


def broken(moment=Moment.PRE_TRADE, **facts):
    return {code for code, check in found(moment, **facts).items() if not check.ok}


def test_an_anchor_that_is_all_there_and_out_of_reach_is_kept():
    assert broken(anchor=WHOLE) == set()


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
    assert broken(anchor=replace(WHOLE, **change)) == {code}


def one_way(position, gas_reserve):
    return found(sheet=position, stress=STRESS, gas_reserve=gas_reserve)["I2.repayment"]


def test_the_reserve_alone_repays_without_what_pays_for_gas():
    # debt 9 and interest 0.13315069; bucket 20 less gas g, halved, less 1 %: at g = 1.5
    # 18.5 * 0.495 = 9.1575 >= 9.13315069, at g = 1.6 18.4 * 0.495 = 9.108 < 9.13315069
    position = borrowed("9")
    assert one_way(position, dollars("1.5")).ok
    check = one_way(position, dollars("1.6"))
    assert (check.ok, check.limit, check.value) == (False, dollars("9.13315069"), dollars("9.108"))


def test_gas_beyond_the_bucket_leaves_only_cash_to_repay_with():
    position = replace(borrowed("6"), cash=dollars(1))
    assert one_way(position, dollars(21)).value == dollars(1)


def covered(position):
    return evaluate(Facts(sheet=position, stress=STRESS), LIMITS, Moment.PRE_TRADE)


def test_debt_cover_warns_before_it_stops():
    hard, warn = covered(borrowed("9"))  # 1.06
    assert (hard.ok, warn.ok) == (True, False)
    assert (hard.severity, warn.severity) == (Severity.HARD, Severity.WARN)
    assert warn.is_warning
    assert not warn.is_violation
    hard, _ = covered(borrowed("9.6"))  # 9.9 / 9.942 < 1
    assert hard.is_violation


def test_the_larger_of_cost_and_market_is_the_exposure():
    position = replace(borrowed("7"), token_market=dollars(8))
    # NAV 50 + 30 + 20 - 7 + 8 = 101: 8 / 101 = 7.921 %; freeze NAV 93: 7 / 93 = 7.527 %
    checks = found(sheet=position, max_exposure=Bps(2_500))
    assert (checks["I4.exposure"].value, checks["I4.freeze_exposure"].value) == (793, 753)


def test_a_fifth_of_nav_is_a_quarter_of_freeze_nav():
    # freeze NAV 100 - 20 = 80: 20 / 80 = 25 %, and one unit more is over
    ok = replace(from_bucket("0", "20"), cash=Usd8(0))
    assert broken(sheet=ok, max_exposure=Bps(2_500)) == set()
    over = replace(ok, token_cost=dollars("20.00000001"))
    assert broken(sheet=over, max_exposure=Bps(2_500)) == {"I4.freeze_exposure"}
    # a deal may ask for less than the desk allows, never for more
    assert broken(sheet=over, max_exposure=Bps(9_000)) == {"I4.freeze_exposure"}
    assert broken(sheet=ok, max_exposure=Bps(2_499)) == {"I4.freeze_exposure"}


def test_exposure_of_what_is_worth_nothing_is_unbounded():
    assert share_of(Usd8(1), Usd8(0)) == NO_DEBT
    assert share_of(Usd8(1), Usd8(-1)) == NO_DEBT
    assert share_of(Usd8(0), Usd8(0)) == 0


def leverage(position, opening=2_000, most=3_000, threshold=THRESHOLD):
    lending = Lending(most=Bps(most), threshold=threshold, opening=Bps(opening))
    return broken(sheet=position, lending=lending)


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
    assert broken(token_at_venue=0, missing_home=0, allowances=0) == set()
    assert broken(token_at_venue=1) == {"I5.token_at_venue"}
    for moment in (Moment.BEFORE_STEP, Moment.TICK):
        assert broken(moment, allowances=1) == {"I5.allowances"}
    assert found(missing_home=2)["I7.way_home"].is_violation


def test_a_lot_beyond_the_loss_budget_stops_while_the_gate_is_shut():
    def lot(dollars, *, is_gate_open=False, moment=Moment.PRE_TRADE):
        return broken(moment, lot=Lot(Usd8(dollars * USD8), Usd8(0), is_gate_open))

    for moment in (Moment.PRE_TRADE, Moment.BEFORE_STEP):
        assert lot(1_000_000, moment=moment) == set()
        assert lot(1_000_001, moment=moment) == {"I8.loss_budget"}
        assert lot(6_000_000, is_gate_open=True, moment=moment) == set()


def test_a_rung_beyond_the_budget_in_flight_stops_even_with_an_open_gate():
    rung = Usd8(LIMITS.in_flight + 1)
    assert broken(lot=Lot(Usd8(0), rung, is_gate_open=True)) == {"I8.in_flight"}
    assert broken(Moment.TICK, in_redemption=rung) == {"I8.in_flight"}
    assert broken(Moment.TICK, in_redemption=LIMITS.in_flight) == set()


def test_books_that_differ_from_the_chain_are_named_once_there_are_books():
    assert broken(Moment.TICK, mismatch=0) == set()
    assert broken(Moment.TICK, mismatch=1) == {"I9.mismatch"}
    assert found(Moment.PRE_TRADE, mismatch=1) == {}


def test_old_prices_and_disagreeing_prices_and_a_node_behind_are_named():
    assert broken(prices=Prices(4_500, 90_000, Bps(200), 120)) == set()
    assert broken(prices=Prices(4_501, 0, Bps(200))) == {"I10.oracle_age"}
    assert broken(prices=Prices(0, 90_001, Bps(0))) == {"I10.cash_oracle_age"}
    assert broken(prices=Prices(0, 0, Bps(201))) == {"I10.oracle_deviation"}
    assert broken(Moment.TICK, prices=Prices(0, 0, Bps(0), 121)) == {"I10.node_lag"}
    assert "I10.node_lag" not in found(Moment.TICK, prices=Prices(0, 0, Bps(0)))


def test_a_check_says_its_value_and_its_limit():
    check, _ = covered(borrowed("9.6"))
    assert check.text.endswith("1.00, at least 1.00")  # 0.9958 reads 1.00: the numbers are exact
    assert check.value < check.limit == WAD


def everything():
    """Facts with every part known, all of it broken."""
    return Facts(
        anchor=Anchor(0, 1, 1, Usd8(1), Usd8(1), 1),
        sheet=replace(borrowed("40"), token_cost=dollars(90), token_market=dollars(90)),
        stress=STRESS,
        gas_reserve=dollars(20),
        spending=Spending(Funding.BORROW, dollars(20), dollars(1)),
        max_exposure=Bps(2_500),
        token_at_venue=1,
        allowances=1,
        lending=Lending(most=Bps(3_000), threshold=Bps(4_000), opening=Bps(2_000)),
        missing_home=1,
        lot=Lot(dollars(9_000_000), dollars(9_000_000), is_gate_open=False),
        in_redemption=dollars(9_000_000),
        mismatch=1,
        prices=Prices(9_999, 99_999, Bps(9_999), 9_999),
    )


def test_there_are_ten_rules_and_each_says_what_its_breach_means():
    assert [rule.code for rule in RULES] == [f"I{number}" for number in range(1, 11)]
    assert all(rule.name and rule.means for rule in RULES)
    assert len({rule.means for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert all(code.startswith(f"{rule.code}.") for code in rule.reactions)


def test_each_check_of_each_rule_is_listed_with_what_it_leads_to():
    facts = everything()
    assert all(getattr(facts, one.name) is not None for one in fields(Facts))
    for rule in RULES:
        made = {check.code for check in rule.checks(facts, LIMITS)}
        assert made == set(rule.reactions)


@pytest.mark.parametrize("moment", Moment)
def test_only_what_leads_to_something_at_a_moment_is_asked_then(moment):
    listed = {code: one.at(moment) for rule in RULES for code, one in rule.reactions.items()}
    asked = evaluate(everything(), LIMITS, moment)
    assert {check.code for check in asked} == {code for code, one in listed.items() if one}
    assert not any(check.ok for check in asked)
    assert all(reaction(check, moment) is listed[check.code] for check in asked)


def test_nothing_is_checked_of_what_was_not_read():
    assert [evaluate(Facts(), LIMITS, moment) for moment in Moment] == [(), (), ()]


def test_a_rule_that_holds_leads_to_nothing():
    (check, *_) = evaluate(Facts(anchor=WHOLE), LIMITS, Moment.TICK)
    assert reaction(check, Moment.TICK) is None


def test_before_a_trade_every_hard_breach_blocks_and_none_is_cured():
    """An active breach: the trade would cause it."""
    for check in evaluate(everything(), LIMITS, Moment.PRE_TRADE):
        expected = Reaction.BLOCK if check.severity is Severity.HARD else Reaction.WARN
        assert reaction(check, Moment.PRE_TRADE) is expected


def test_the_token_is_never_sold_because_it_became_too_large():
    """A passive exposure breach means no buying and redemption only."""
    checks = evaluate(everything(), LIMITS, Moment.TICK)
    grown = [check for check in checks if check.code.startswith("I4.")]
    assert {reaction(check, Moment.TICK) for check in grown} == {Reaction.BLOCK}


def test_breaches_are_found_by_what_they_lead_to():
    checks = evaluate(everything(), LIMITS, Moment.TICK)
    converts = breaches_of(checks, Moment.TICK, Reaction.CURE_CONVERT)
    assert [check.code for check in converts] == ["I2.repayment", "I3.debt_cover_warning"]
    repays = breaches_of(checks, Moment.TICK, Reaction.CURE_REPAY)
    assert [check.code for check in repays] == ["I6.ltv"]
    goes_home = [one.code for one in breaches_of(checks, Moment.TICK, Reaction.HOLD)]
    assert "I6.stressed_health" in goes_home


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


def test_the_published_limits_are_those_of_the_law():
    """RISK.md: I3, I4, I6, the gap of the theorem, the volatility rule, the first lots."""
    limits = RiskLimits()
    assert (limits.min_cover_wad, limits.warn_cover_wad) == (WAD, WAD * 125 // 100)
    assert limits.max_exposure == 2_500
    assert (limits.max_ltv, limits.warn_ltv, limits.opening_ltv) == (3_000, 2_800, 2_490)
    assert limits.gap == 5_000
    assert limits.loss_budget == 1_000_000 * USD8
