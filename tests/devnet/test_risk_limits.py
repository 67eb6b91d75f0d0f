"""Limits on a live devnet: a fall tightens them at the next tick, and a plan is held to them."""

from decimal import Decimal

import pytest

from holdfast.bootstrap import opened
from holdfast.common.errors import Rejected
from holdfast.common.money import Bps
from holdfast.planning.errors import PlanRefused
from tests.support.deals import ALICE, request_for, settings_for


async def tick(system):
    """What the monitor of a worker does each five seconds, as far as limits are concerned."""
    seen = await system.market.read(await system.node.head())
    async with system.db.begin() as session:
        return await system.dynamic.observe(session, seen)


async def test_a_fall_tightens_what_a_plan_may_open_with(devnet, database_url, tmp_path):
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        await tick(system)
        assert (await system.desk.preview(request_for(devnet))).envelope.opening_ltv == 2_000
        devnet.control.set_price(Decimal(1_500))
        state = await tick(system)
        assert state.scale == 4_500
        with pytest.raises(PlanRefused) as caught:
            await system.desk.preview(request_for(devnet))
        (broken,) = caught.value.fields["violations"]
        # 45 % of 30 % is 13.5 %.
        assert (broken["code"], broken["limit"], broken["value"]) == ("I6.ltv", 1_350, 2_000)
        smaller = request_for(devnet, opening_ltv=Bps(1_000))
        assert (await system.desk.preview(smaller)).envelope.max_ltv == 3_000


async def test_a_second_deal_of_a_bank_that_is_full_is_not_approved(devnet, database_url, tmp_path):
    settings = settings_for(devnet, database_url, tmp_path, HOLDFAST_MAX_BANK="15000000")
    async with opened(settings) as system:
        request = request_for(devnet)
        first = await system.desk.create(request, author=ALICE, approve_as=None)
        second = await system.desk.create(request, author=ALICE, approve_as=None)
        await system.desk.approve(first.deal_id, ALICE, first.plan.plan_hash)
        with pytest.raises(Rejected) as caught:
            await system.desk.approve(second.deal_id, ALICE, second.plan.plan_hash)
        assert caught.value.code == "caps.bank"
        with pytest.raises(PlanRefused) as refused:
            await system.desk.preview(request)
        assert {one["code"] for one in refused.value.fields["violations"]} == {"caps.bank"}
