"""Each deal is held to every rule on a tick: warned at 28 %, acted on at 30 %, and by its cover."""

from dataclasses import replace

import pytest

from holdfast.common.alerts import Severity
from holdfast.common.ids import ChainId, new_group_id
from holdfast.common.money import WAD, Bps
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
from tests.unit.monitoring.open_book import CORE_WEI, ETH, LIMITS, book, row
from tests.unit.planning.world import CORE
from tests.unit.risk.markets import NOON, market, pool, reserve

CHAIN = ChainId(138)


def assessed(**changes):
    return assess(row(**changes), ETH, LIMITS)


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


def test_legs_under_way_wake_the_deal_themselves():
    one = assessed(collateral=1_990_000, group_id=new_group_id())
    assert (one.state, one.is_to_be_woken) == (State.DUE, False)


def test_too_much_of_the_token_and_left_allowances_stop_buying_only():
    one = assessed(token_market=4_000_000, allowances=2)
    assert codes(one) == ["I4.exposure", "I5.allowances"]
    assert one.state is State.WARNED


def test_deals_whose_own_core_is_there_go_on_where_the_sum_is_short():
    short = book(row(core_wei=2 * CORE_WEI - 1), row(number=8, core_wei=2 * CORE_WEI - 1))
    failed = failures(Facts(anchor=anchors(short)[CORE]), LIMITS)
    assert [check.code for check in failed] == ["I1.core_below_booked"]
    assert to_reduce([(CORE, check) for check in failed]) == ["I1.core_below_booked"]
    states = {assess(one, ETH, LIMITS, failed).state for one in short.rows}
    assert states == {State.WARNED}


def test_a_deal_whose_own_core_is_gone_is_woken_to_go_home():
    short = book(row(core_wei=CORE_WEI - 1))
    failed = failures(Facts(anchor=anchors(short)[CORE]), LIMITS)
    one = assess(short.rows[0], ETH, LIMITS, failed)
    assert (codes(one), one.state, one.is_to_be_woken) == ([], State.DUE, True)


def test_a_touched_anchor_makes_every_deal_on_it_due():
    touched = replace(anchors(book(row()))[CORE], allowances=1)
    failed = failures(Facts(anchor=touched), LIMITS)
    assert to_reduce([(CORE, check) for check in failed]) == []
    assert assess(row(), ETH, LIMITS, failed).state is State.DUE


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
    breach, warning = deal_alerts(one)
    assert (breach.code, warning.code) == ("risk.breach.I6.ltv", "risk.warning.I6.ltv_warning")
    assert (breach.severity, warning.severity) == (Severity.CRITICAL, Severity.WARNING)
    assert breach.subject == str(one.row.deal.deal_id)
    assert breach.text == (
        "deal 7: debt over collateral: 30.16 %, at most 30.00 %; the deal repays debt"
    )
    assert breach.fields["value"] == 3_016


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
