"""Each deal is held to every rule on a tick: warned at 28 %, acted on at 30 %, and by its cover."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.common.alerts import Severity
from holdfast.common.ids import ChainId, new_group_id
from holdfast.common.money import USD8, WAD, Bps
from holdfast.execution.cures import policy_of
from holdfast.execution.model import Change, Convert, RepayPart, Send
from holdfast.execution.pressure import STANDS_STILL, pressure_on
from holdfast.execution.saga import decide
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.monitoring.assessment import anchors, assess, failures, price_facts
from holdfast.monitoring.risk_alerts import (
    CODES,
    Watchpoints,
    deal_alerts,
    market_alerts,
    shared_alerts,
)
from holdfast.monitoring.ticker import to_reduce
from holdfast.monitoring.ticks import COLUMNS, FORMAT, MOST, State
from holdfast.risk.invariants import Facts
from tests.unit.execution.scene import venues
from tests.unit.monitoring.open_book import CORE_WEI, LIMITS, book, market_of, row
from tests.unit.planning.world import CORE
from tests.unit.risk.markets import NOON, market, pool, reserve

CHAIN = ChainId(138)


def assessed(*, is_price_stale=False, **changes):
    return assess(row(**changes), market_of(is_price_stale=is_price_stale), LIMITS)


def codes(one):
    return [check.code for check in one.failed]


def test_a_deal_as_it_was_opened_is_calm():
    one = assessed()
    assert (one.state, one.failed, one.ltv) == (State.CALM, (), 2_000)
    # $2M bucket: 2,000,000 * 0.5 * 0.99 over 600,000 * (1 + 0.06 * 90 / 365) + 20,000 = 628,877
    assert one.cover == pytest.approx(990_000 / 628_876.7 * WAD, rel=1e-6)
    # NAV: 5M core + 3M collateral + 2M bucket - 0.6M debt + 0.6M token; without the token 9.4M
    assert (one.exposure, one.freeze_exposure) == (600, 639)


def test_over_28_percent_people_are_warned_and_the_deal_sleeps_on():
    one = assessed(collateral=2_100_000)  # 600,000 over it is 28.58 %
    assert (codes(one), one.state) == (["I6.ltv_warning"], State.WARNED)
    assert not one.is_to_be_woken


def test_over_30_percent_the_deal_is_woken_to_repay():
    one = assessed(collateral=1_990_000)  # 30.16 %
    assert codes(one) == ["I6.ltv", "I6.ltv_warning"]
    assert (one.state, one.is_to_be_woken) == (State.DUE, True)


def test_under_the_cover_warning_the_deal_is_woken_to_turn_bucket_into_cash():
    one = assessed(reserve=1_500_000)  # 742,500 / 628,877 = 1.18
    assert codes(one) == ["I3.debt_cover_warning"]
    assert one.is_to_be_woken


def test_a_thin_cover_whose_cash_pays_all_wakes_nobody():
    """$640,000 in cash for $612,387 owed: (640,000 + 49,500) / 628,877 = 1.10."""
    one = assessed(reserve=100_000, cash=640_000)
    assert codes(one) == ["I3.debt_cover_warning"]
    assert (one.state, one.is_to_be_woken) == (State.WARNED, False)
    (alert,) = deal_alerts(one)
    assert alert.text.endswith("; the deal has nothing to do for it now")
    # 28,000 less and it sells ether for what is missing
    assert assessed(reserve=100_000, cash=612_000).is_to_be_woken


@pytest.mark.parametrize(
    ("status", "hold", "is_due"),
    [
        (DealStatus.EXECUTING, None, True),
        (DealStatus.HOLDING, HoldReason.OPERATOR, True),  # a cure does not wait for a person
        (DealStatus.HOLDING, HoldReason.REDEMPTION_FROZEN, False),  # it repays everything anyway
        (DealStatus.HOLDING, HoldReason.AMBIGUITY, False),
        (DealStatus.CLOSING, None, False),
        (DealStatus.APPROVED, None, False),
    ],
)
def test_only_a_deal_that_would_act_is_woken(status, hold, is_due):
    one = assessed(reserve=1_500_000, status=status, hold_reason=hold)
    assert codes(one) == ["I3.debt_cover_warning"]
    assert one.is_to_be_woken is is_due


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        ({"act_ltv": Bps(2_500)}, {"collateral": 2_300_000}),  # 26.1 %, which no rule of ours names
        ({"convert_cover_wad": 3 * WAD // 2}, {"reserve": 1_700_000}),  # cover of 1.34
    ],
)
def test_a_deal_is_woken_by_the_cure_policy_that_was_approved_for_it(policy, changes):
    calm = row(**changes)
    assert assess(calm, market_of(), LIMITS).state is State.CALM
    envelope = calm.deal.plan.envelope
    stricter = replace(envelope, cures=replace(policy_of(calm.deal, LIMITS), **policy))
    deal = replace(calm.deal, plan=replace(calm.deal.plan, envelope=stricter))
    one = assess(replace(calm, deal=deal), market_of(), LIMITS)
    assert (one.failed, one.is_to_be_woken) == ((), True)


def test_a_held_deal_with_nothing_to_cure_is_left_to_its_person():
    held = {"status": DealStatus.HOLDING, "hold_reason": HoldReason.OPERATOR}
    assert not assessed(reserve=100_000, cash=640_000, **held).is_to_be_woken
    assert not assessed(collateral=2_100_000, **held).is_to_be_woken


def test_one_unit_that_the_chain_lacks_is_told_and_wakes_nobody():
    one = assessed(missing=1)
    assert (codes(one), one.state) == (["I9.mismatch"], State.WARNED)
    assert not one.is_to_be_woken
    (alert,) = deal_alerts(one)
    assert (alert.code, alert.severity) == ("risk.breach.I9.mismatch", Severity.CRITICAL)


def test_on_a_stale_price_no_deal_is_woken_but_for_its_anchor():
    assert not assessed(collateral=1_990_000, is_price_stale=True).is_to_be_woken
    short = book(row(core_wei=CORE_WEI - 1))
    failed = failures(Facts(anchor=anchors(short)[CORE]), LIMITS)
    one = assess(short.rows[0], market_of(is_price_stale=True), LIMITS, failed)
    assert one.is_to_be_woken


DOLLARS = st.integers(0, 3_000_000)
GUARDED = st.sampled_from(
    [(DealStatus.EXECUTING, None)]
    + [(DealStatus.HOLDING, reason) for reason in sorted(STANDS_STILL)]
)


@settings(max_examples=300, deadline=None)
@given(DOLLARS, DOLLARS, DOLLARS, DOLLARS, GUARDED, st.booleans())
def test_a_deal_is_due_exactly_where_its_own_decision_is_to_act(
    debt, collateral, reserve, cash, guarded, is_price_stale
):
    status, hold = guarded
    one = row(
        debt=debt,
        collateral=collateral,
        reserve=reserve,
        cash=cash,
        status=status,
        hold_reason=hold,
    )
    pressure = pressure_on(
        one.deal, one.exposure, one.core, limits=LIMITS, is_price_stale=is_price_stale
    )
    seen = venues(breaches=pressure.breaches, cure=pressure.cure, is_price_stale=is_price_stale)
    does = decide(one.deal.state(), one.position, seen)
    unwinds = Change(DealEvent.HOLD, HoldReason.INVARIANT), Change(DealEvent.RESUME)
    acts = does in unwinds or (
        isinstance(does, Send) and isinstance(does.move, RepayPart | Convert)
    )
    found = assess(one, market_of(is_price_stale=is_price_stale), LIMITS)
    assert (found.state is State.DUE) is acts


def test_legs_under_way_wake_the_deal_themselves():
    one = assessed(collateral=1_990_000, group_id=new_group_id())
    assert (one.state, one.is_to_be_woken) == (State.DUE, False)


def test_an_allowance_that_legs_under_way_use_is_not_left():
    assert codes(assessed(allowances=1, group_id=new_group_id())) == []


def test_too_much_of_the_token_and_left_allowances_stop_buying_only():
    one = assessed(token_market=4_000_000, allowances=2)
    assert codes(one) == ["I4.exposure", "I5.allowances"]
    assert one.state is State.WARNED


def test_deals_whose_own_core_is_there_go_on_where_the_sum_is_short():
    short = book(row(core_wei=2 * CORE_WEI - 1), row(number=8, core_wei=2 * CORE_WEI - 1))
    failed = failures(Facts(anchor=anchors(short)[CORE]), LIMITS)
    assert [check.code for check in failed] == ["I1.core_below_booked"]
    assert to_reduce([(CORE, check) for check in failed]) == ["I1.core_below_booked"]
    states = {assess(one, short.market, LIMITS, failed).state for one in short.rows}
    assert states == {State.WARNED}


def test_a_deal_whose_own_core_is_gone_is_woken_to_go_home():
    short = book(row(core_wei=CORE_WEI - 1))
    failed = failures(Facts(anchor=anchors(short)[CORE]), LIMITS)
    one = assess(short.rows[0], short.market, LIMITS, failed)
    assert (codes(one), one.state, one.is_to_be_woken) == ([], State.DUE, True)


def test_a_touched_anchor_makes_every_deal_on_it_due():
    whole = row()
    touched = book(replace(whole, core=replace(whole.core, allowances=1)))
    failed = failures(Facts(anchor=anchors(touched)[CORE]), LIMITS)
    assert to_reduce([(CORE, check) for check in failed]) == []
    assert assess(touched.rows[0], touched.market, LIMITS, failed).state is State.DUE


def test_what_waits_in_the_desk_and_what_it_has_ready_count_together():
    most = LIMITS.in_flight // USD8
    assert codes(assessed(queued=most // 2, claimable=most // 2)) == []
    assert codes(assessed(queued=most // 2, claimable=most // 2 + 1)) == ["I8.in_flight"]


def test_an_anchor_that_one_deal_spends_from_is_shared_whichever_deal_comes_last():
    whole = row()
    envelope = whole.deal.plan.envelope
    spending = replace(envelope, accounts=replace(envelope.accounts, deal=CORE))
    other = replace(whole.deal, plan=replace(whole.deal.plan, envelope=spending))
    for rows in ((replace(whole, deal=other), whole), (whole, replace(whole, deal=other))):
        assert anchors(book(*rows))[CORE].shared_with == 1


def test_deals_on_one_anchor_are_booked_there_together():
    two = book(row(core_wei=2 * CORE_WEI), row(number=8, core_wei=2 * CORE_WEI))
    found = anchors(two)
    assert found[CORE].booked_wei == 2 * CORE_WEI
    assert failures(Facts(anchor=found[CORE]), LIMITS) == ()


def test_stale_and_disputed_prices_fail_for_all():
    calm = failures(price_facts(market()), LIMITS)
    disputed = market(NOON, eth_pool=pool(2_100))
    assert (calm, [one.code for one in failures(price_facts(disputed), LIMITS)]) == (
        (),
        ["I10.oracle_deviation"],
    )


def test_a_deals_alerts_name_it_and_say_what_follows():
    one = assessed(collateral=1_990_000)
    (breach,) = deal_alerts(one)  # the warning of the same figure would say that nothing is done
    assert (breach.code, breach.severity) == ("risk.breach.I6.ltv", Severity.CRITICAL)
    assert breach.subject == str(one.row.deal.deal_id)
    assert breach.text == (
        "deal 7: debt over collateral: 30.16 %, at most 30.00 %; the deal repays debt"
    )
    assert breach.fields["value"] == 3_016
    (warning,) = deal_alerts(assessed(collateral=2_100_000))
    assert (warning.code, warning.severity) == ("risk.warning.I6.ltv_warning", Severity.WARNING)
    both = deal_alerts(assessed(reserve=500_000))
    assert [alert.code for alert in both if "cover" in alert.code] == ["risk.breach.I3.debt_cover"]


def test_no_code_begins_another_so_that_one_can_end_alone():
    one = assessed(collateral=1_990_000, reserve=1_000_000, token_market=9_000_000, allowances=1)
    found = [alert.code for alert in deal_alerts(one)]
    assert len(found) >= 5
    assert all(a == b or not a.startswith(b) for a in found for b in found)


def test_what_deals_share_is_told_under_its_own_subject():
    (check,) = failures(price_facts(market(NOON, eth_pool=pool(2_100))), LIMITS)
    (alert,) = shared_alerts([("chain:138", check)], CHAIN, 75)
    assert (alert.code, alert.subject) == ("risk.breach.I10.oracle_deviation", "chain:138")
    assert alert.text.endswith("; no deal of the chain adds risk until it is over")


@pytest.mark.parametrize(
    ("changes", "name", "severity"),
    [
        ({"cash": 0.985}, "peg", Severity.WARNING),
        ({"cash": 1.04}, "peg", Severity.CRITICAL),
        ({"eth_pool": pool(2_000, depth=200_000)}, "exit_depth", Severity.CRITICAL),
        ({"loan": reserve(40, 960)}, "utilisation_loan", Severity.WARNING),
        ({"collateral": reserve(0, 100)}, "utilisation_collateral", Severity.CRITICAL),
        ({"loan": reserve(can_be_borrowed=False)}, "borrowing_off", Severity.WARNING),
        ({"loan": reserve(is_frozen=True)}, "borrowing_off", Severity.WARNING),
        ({"collateral": reserve(950, 50, is_paused=True)}, "paused_collateral", Severity.CRITICAL),
    ],
)
def test_what_no_invariant_names_is_told_too(changes, name, severity):
    (alert,) = market_alerts(market(**changes), Watchpoints(), CHAIN)
    assert (alert.code, alert.severity) == (f"risk.market.{name}", severity)
    assert alert.code.startswith(CODES)


@pytest.mark.parametrize(
    ("cash", "severity"),
    [
        (0.9901, None),
        (0.99, Severity.WARNING),
        (0.9701, Severity.WARNING),
        (0.97, Severity.CRITICAL),
        (1.03, Severity.CRITICAL),
    ],
)
def test_the_peg_is_told_of_from_one_per_cent_on_and_is_grave_from_three(cash, severity):
    alerts = market_alerts(market(cash=cash), Watchpoints(), CHAIN)
    assert [one.severity for one in alerts] == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("available", "severity"), [(51, None), (50, Severity.WARNING), (0, Severity.CRITICAL)]
)
def test_a_reserve_that_is_lent_out_is_told_of_from_95_per_cent_and_is_grave_when_dry(
    available, severity
):
    lent = market(loan=reserve(available, 1_000 - available))
    alerts = market_alerts(lent, Watchpoints(), CHAIN)
    assert [one.severity for one in alerts] == ([] if severity is None else [severity])


def test_a_frozen_desk_is_grave_and_a_calm_market_is_silent():
    calm = market()
    assert market_alerts(calm, Watchpoints(), CHAIN) == ()
    frozen = market(desk=type(calm.desk)(True, Bps(25), 0, calm.desk.cash))
    (alert,) = market_alerts(frozen, Watchpoints(), CHAIN)
    assert (alert.code, alert.severity) == ("risk.market.frozen", Severity.CRITICAL)


def test_a_deal_becomes_a_row_of_the_history():
    values = dict(zip(COLUMNS[FORMAT], assessed().column_values(), strict=True))
    assert (values["number"], values["state"], values["ltv_bps"]) == (7, 0, 2_000)
    assert (values["core_usd"], values["debt_usd"]) == (5_000_000, 600_000)
    without = dict(zip(COLUMNS[FORMAT], assessed(debt=0).column_values(), strict=True))
    assert without["cover_bps"] > MOST  # and is stored as the most there is
