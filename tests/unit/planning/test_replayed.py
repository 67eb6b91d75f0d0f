"""A plan's report becomes the deal that a replay runs: the same balance sheet, to the rounding."""

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.money import Bps
from holdfast.model.deal import Funding
from holdfast.planning.model import PlanPolicy
from holdfast.planning.replayed import replay_deal
from holdfast.planning.service import Planner
from tests.unit.planning.world import ACCOUNTS, MILLIONS, REQUEST, VENUES, World, asking, drafted

CENT = 10**6


async def report(request):
    plan = await Planner(World(), VENUES, PlanPolicy(), MILLIONS).plan(request, ACCOUNTS, 0)
    return plan.report


@pytest.mark.parametrize(
    "request_",
    [REQUEST, asking(funding=Funding.BUCKET), asking(funding=Funding.BUCKET, opening_ltv=Bps(0))],
)
async def test_the_deal_of_a_report_is_the_deal_that_was_planned(request_):
    deal, planned = replay_deal(await report(request_)), drafted(request_)
    for name in ("core", "collateral", "reserve_eth", "debt", "token_cost"):
        assert getattr(deal.position, name) == pytest.approx(
            getattr(planned.after, name), abs=CENT
        ), name
    assert deal.stress == planned.stress
    assert deal.committed == pytest.approx(planned.before.nav, abs=CENT)
    assert (deal.target_ltv, deal.threshold) == (request_.opening_ltv, 8_300)
    # the least that the bucket's sale may bring, as the planner reckons it too
    assert deal.position.cash == pytest.approx(planned.after.cash, abs=CENT)


async def test_the_token_is_booked_at_market_less_what_the_purchase_cost():
    deal = replay_deal(await report(REQUEST))
    # 600,000 less the fee of 300 and the impact of 598.80
    assert deal.position.token_market == pytest.approx(599_101_19840000, abs=CENT)


async def test_the_plan_of_a_deal_that_runs_is_found_in_its_document():
    plan = await report(REQUEST)
    assert replay_deal({"deal_id": "d-1", "plan": plan}) == replay_deal(plan)


@pytest.mark.parametrize(
    "broken", [{"plan": None}, {}, [], "plan", None, {"request": 1}, {"split": {}}]
)
def test_what_is_no_plan_is_refused(broken):
    with pytest.raises(Rejected) as caught:
        replay_deal(broken)
    assert caught.value.code == "replay.plan"
