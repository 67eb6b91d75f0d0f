"""Every check that is asked at a moment has its facts there: what production builds supplies them.

A check whose fact is None is not made at all, and nobody would notice.
"""

import pytest

from holdfast.execution import foresight
from holdfast.execution.moved import moved
from holdfast.monitoring import assessment
from holdfast.planning.checks import facts as planned_facts
from holdfast.risk.invariants import RULES, Facts, Moment, evaluate
from holdfast.risk.limits import RiskLimits
from tests.unit.execution.scene import deal, seen
from tests.unit.execution.test_foresight import OPENED, PURCHASE, legs_of
from tests.unit.monitoring.open_book import book, row
from tests.unit.planning.world import World, asking, drafted, setting
from tests.unit.risk.markets import NOON, market

LIMITS = RiskLimits()
ELSEWHERE = {
    # The ledger compares itself with the chain before each group, and `deal show` on demand.
    (Moment.BEFORE_STEP, "I9.mismatch"),
    (Moment.TICK, "I9.mismatch"),
}
ASKED = [
    (moment, code)
    for rule in RULES
    for code, reactions in rule.reactions.items()
    for moment in Moment
    if reactions.at(moment) is not None and (moment, code) not in ELSEWHERE
]


def planning():
    """As the planner asks."""
    return [planned_facts(drafted(), setting(asking(), World()))]


def before_a_step():
    """As the last look before a purchase is signed asks."""
    record, looked = deal(), seen(**OPENED)
    change = moved(legs_of(PURCHASE), record.plan.terms)
    return foresight._facts(record, change, looked, limits=LIMITS, is_gate_open=False)


def on_a_tick():
    """As the monitor asks of a deal, its anchor and the prices, where blocks come by themselves."""
    seen_book = book(row())
    (one,) = seen_book.rows
    anchors = [Facts(anchor=each) for each in assessment.anchors(seen_book).values()]
    prices = assessment.price_facts(market(NOON, lag_seconds=12))
    return [assessment._facts(one, seen_book.market.eth_price), *anchors, prices]


BUILT = {
    Moment.PRE_TRADE: planning,
    Moment.BEFORE_STEP: before_a_step,
    Moment.TICK: on_a_tick,
}


@pytest.mark.parametrize(("moment", "code"), ASKED, ids=str)
def test_a_check_that_is_asked_has_its_facts(moment, code):
    made = {check.code for facts in BUILT[moment]() for check in evaluate(facts, LIMITS, moment)}
    assert code in made
