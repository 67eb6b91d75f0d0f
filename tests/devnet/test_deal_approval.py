"""An approval is for one plan on one market: when either moved, it is void."""

from decimal import Decimal

import pytest

from holdfast.model.deal import DealStatus
from tests.support.deals import ALICE, settings_for, until
from tests.support.onchain import OnChain
from tests.support.scenes import EMPTY, ended, meddled, planned, started, why, whys


def expire(devnet):
    devnet.control.advance_time(901)  # a plan is good for 900 s


def make_dearer(devnet):
    devnet.control.set_token_price(Decimal("0.61"))  # 1 % of slippage from 0.60 is not enough


def drain(devnet):
    devnet.control.drain_token_pool(9_999)


def change_code(devnet):
    """The desk is replaced by the same code with one byte after it."""
    rpc, desk = devnet.control.rpc, devnet.profile.require_redemption_desk()
    rpc.call("anvil_setCode", desk, rpc.call("eth_getCode", desk, "latest") + "00")
    devnet.control.mine()


@pytest.mark.parametrize(
    ("disturb", "code"),
    [
        (expire, "plan.expired"),
        (make_dearer, "plan.quote"),
        (drain, "plan.quote"),
        (change_code, "plan.code"),
    ],
)
async def test_an_approval_is_void_when_the_plan_no_longer_fits(
    devnet, database_url, tmp_path, disturb, code
):
    chain = OnChain(devnet)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        disturb(devnet)
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        deal = await until(system, made.deal_id, lambda one: one.status is DealStatus.PLANNED)
        assert await why(system, deal, "deal.drift") == [code]
        assert deal.legs == ()
    assert chain.holdings(made.plan.accounts.deal) == EMPTY


async def test_a_market_that_moved_a_little_voids_nothing(devnet, database_url, tmp_path):
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        devnet.control.set_token_price(Decimal("0.602"))  # within 1 % of slippage
        devnet.control.advance_time(600)  # within 900 s
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        over, _ = await ended(system, made)
        assert await whys(system, over, "deal.drift") == []
        assert over.legs != ()


async def test_core_ether_that_is_gone_voids_the_approval(devnet, database_url, tmp_path):
    core = devnet.profile.require_accounts().core
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        devnet.control.set_balance(core, made.plan.terms.split.core.units - 1)
        devnet.control.mine()
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        deal = await until(system, made.deal_id, lambda one: one.status is DealStatus.PLANNED)
        assert deal.legs == ()
        (reason,) = await why(system, deal, "deal.drift")
        assert core in reason


async def test_core_ether_is_booked_once_by_two_deals_that_start_together(
    devnet, database_url, tmp_path
):
    """Core that carries one deal but not two: the second approval is void, the first deal runs."""
    core = devnet.profile.require_accounts().core
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        first, second = await planned(system, devnet), await planned(system, devnet)
        devnet.control.set_balance(core, first.plan.terms.split.core.units * 3 // 2)
        devnet.control.mine()
        for made in (first, second):
            await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        states = set()
        for made in (first, second):
            deal = await until(
                system,
                made.deal_id,
                lambda one: one.status in {DealStatus.PLANNED, DealStatus.COMPLETED},
            )
            states.add(deal.status)
        assert states == {DealStatus.PLANNED, DealStatus.COMPLETED}
        third = await started(system, devnet)
        await ended(system, third)  # core was released by the deal that ended
