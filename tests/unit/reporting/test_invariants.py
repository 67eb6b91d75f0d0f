"""Each invariant of a deal is shown with its code, limit and value."""

from dataclasses import replace

from holdfast.common.money import USD8, WAD, Usd8
from holdfast.execution.model import Leftover
from holdfast.model.leg import LegKind
from holdfast.reporting.invariants import Standing, invariant_rows
from holdfast.risk.limits import RiskLimits
from tests.unit.execution.scene import deal, leg, seen
from tests.unit.planning.world import ROUTER, USDT

USUAL = {"native": 1_000 * WAD, "collateral": 1_500 * WAD, "debt": 600_000 * 10**6}
CORE = 2_500 * WAD


def rows(record=None, booked=CORE, mismatch=0, core=CORE, cost=600_000, **held):
    standing = Standing(
        deal=record or deal(),
        seen=seen(core=core, **{**USUAL, **held}),
        booked_core=booked,
        mismatch=mismatch,
        token_cost=Usd8(cost * USD8),
        token_market=Usd8(cost * USD8),
    )
    return {row["code"]: row for row in invariant_rows(standing, RiskLimits())}


def broken(**kwargs):
    return {code for code, row in rows(**kwargs).items() if not row["ok"]}


def test_the_deal_as_planned_keeps_every_rule():
    assert broken() == set()
    assert {code.partition(".")[0] for code in rows()} >= {"I1", "I2", "I3", "I5", "I6", "I8", "I9"}


def test_each_row_has_its_limit_and_value_in_words():
    """$600,000 over $3M of collateral; 1,000 ETH at $970 over $612,387 owed under stress."""
    shown = rows()
    assert (shown["I6.ltv"]["value"], shown["I6.ltv"]["limit"]) == ("20.00 %", "30.00 %")
    assert (shown["I3.debt_cover"]["value"], shown["I3.debt_cover"]["limit"]) == ("1.58", "1.00")
    assert shown["I3.debt_cover"]["severity"] == "hard"
    assert shown["I3.debt_cover_warning"]["severity"] == "warn"


def test_what_breaks_a_rule_turns_that_row_red():
    assert broken(core=CORE - 1) == {"I1.core_below_booked"}
    assert broken(booked=2 * CORE) == {"I1.core_below_booked"}
    assert broken(mismatch=1) == {"I9.mismatch"}
    left = (Leftover(USDT.address, ROUTER),)
    assert broken(leftovers=left) == {"I5.allowances"}
    # $5M may be in redemption at a time.
    assert broken(claimable=5_000_000 * 10**6 + 1) == {"I8.in_flight"}
    assert broken(queued=5_000_000 * 10**6) == set()
    assert broken(collateral=999 * WAD) == {"I6.ltv", "I6.ltv_warning"}
    assert broken(collateral=1_070 * WAD) == {"I6.ltv_warning"}
    assert broken(native=700 * WAD) == {"I3.debt_cover_warning"}
    assert broken(native=0) == {"I2.repayment", "I3.debt_cover", "I3.debt_cover_warning"}


def test_a_token_that_is_too_large_a_part_of_nav_is_red():
    """$9.4M of ETH and cash less debt: a quarter of what is there without the token is $2.35M."""
    assert broken(cost=2_349_999) == set()
    assert broken(cost=2_350_001) == {"I4.freeze_exposure"}
    # the anchor may hold far more, for other deals: that is not this deal's
    assert broken(cost=2_350_001, core=10**24) == {"I4.freeze_exposure"}
    assert rows(core=10**24)["I4.exposure"] == rows()["I4.exposure"]


def test_a_core_that_the_engine_can_sign_for_is_red():
    plan = deal().plan
    accounts = replace(plan.accounts, core=plan.accounts.float)
    exposed = deal()
    exposed = replace(
        exposed, plan=replace(plan, envelope=replace(plan.envelope, accounts=accounts))
    )
    assert broken(record=exposed) == {"I1.core_shared"}


def test_a_deal_without_debt_has_nothing_to_cover():
    assert broken(debt=0, native=0, collateral=0, record=deal(legs=(leg(LegKind.REPAY),))) == set()
