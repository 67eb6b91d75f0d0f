"""A venue refuses: the deal holds or goes on without, brings its principal home, and ends."""

import asyncio

import pytest

from holdfast.common.money import TokenAmount
from holdfast.execution import model as m
from holdfast.model.deal import DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from tests.support.deals import ALICE, settings_for, until
from tests.support.onchain import BORROW, OnChain
from tests.support.scenes import (
    Principal,
    assert_nothing_left,
    ended,
    history,
    holding,
    meddled,
    planned,
    started,
)


def stop_borrowing(devnet):
    devnet.control.set_borrowing(allowed=False)


def freeze_reserve(devnet):
    devnet.control.set_reserve_frozen(frozen=True)


def cap_borrowing(devnet):
    """A cap that the market has reached: only trying the loan tells."""
    control, aave = devnet.control, devnet.profile.require_aave()
    configurator = control.rpc.view(aave.addresses_provider, "getPoolConfigurator()", "address")
    usdt = devnet.profile.usdt.require_address()
    control.as_owner(configurator, "setBorrowCap(address,uint256)", usdt, 1)


REFUSALS = [stop_borrowing, freeze_reserve, cap_borrowing]


@pytest.mark.parametrize("refuse", REFUSALS)
async def test_a_refused_loan_ends_the_deal_it_was_to_pay_for_with_its_principal_home(
    devnet, database_url, tmp_path, refuse
):
    chain = OnChain(devnet)
    before = Principal.of(chain)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        refuse(devnet)
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        deal, report = await ended(system, made)
        told = await history(system, deal)
    assert ("deal.hold", HoldReason.BORROW_REFUSED) in told
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)
    assert chain.count(BORROW, None, deal.plan.accounts.deal) == 0
    assert (
        chain.moved("WETH", receiver=chain.pool_with_usdt("WETH"), sender=deal.plan.accounts.deal)
        == 0
    )


@pytest.mark.parametrize("refuse", [stop_borrowing, cap_borrowing])
async def test_a_refused_loan_does_not_stop_a_deal_that_does_not_need_it(
    devnet, database_url, tmp_path, refuse
):
    chain = OnChain(devnet)
    before = Principal.of(chain)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet, funding=Funding.BUCKET)
        refuse(devnet)
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        deal, report = await ended(system, made)
        told = await history(system, deal)
    assert "deal.hold" not in [action for action, _ in told]
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)
    assert chain.count(BORROW, None, deal.plan.accounts.deal) == 0
    # $0.9M is bought near 0.60 and redeemed at par: about $0.6M of profit.
    assert float(report["pnl"]["total_usd"]) > 500_000


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_pool_that_loses_its_depth_before_the_purchase_ends_the_deal(
    devnet, database_url, tmp_path, moment
):
    """Lost before the legs are tried, the trial refuses; lost after, the purchase reverts."""
    chain = OnChain(devnet)
    before = Principal.of(chain)

    def drain(_):
        devnet.control.drain_token_pool(9_999)

    settings = settings_for(devnet, database_url, tmp_path)
    actions = {m.Open: drain} if moment == "before" else {m.Purchase: drain}
    async with meddled(settings, after=actions) as system:
        made = await started(system, devnet)
        deal, report = await ended(system, made)
        told = await history(system, deal)
    assert ("deal.hold", HoldReason.POOL_DEPTH) in told
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)
    assert chain.moved("USDTz", receiver=deal.plan.accounts.deal) == 0
    reverted = [leg.kind for leg in deal.legs if leg.status is LegStatus.REVERTED]
    assert reverted == ([] if moment == "before" else [LegKind.SWAP])
    assert chain.count(BORROW, None, deal.plan.accounts.deal) == 1


async def test_a_queue_is_waited_out_tranche_by_tranche(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    before = Principal.of(chain)
    devnet.control.set_queue_delay(60)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await started(system, devnet)
        for rung in range(1, len(made.plan.terms.tranches) + 1):
            deal = await until(system, made.deal_id, lambda d, n=rung: waits_in_queue(d, n))
            await asyncio.sleep(0.6)  # longer than the deal's own pause between looks
            deal = await system.desk.find(made.deal_id)
            assert count(deal, LegKind.CLAIM_REDEMPTION) == rung - 1
            devnet.control.advance_time(61)
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)
    assert float(report["pnl"]["total_usd"]) > 300_000


async def test_a_desk_without_reserves_holds_the_deal_until_it_can_pay(
    devnet, database_url, tmp_path
):
    chain = OnChain(devnet)
    before = Principal.of(chain)
    usdt, desk = devnet.profile.usdt, devnet.profile.require_redemption_desk()
    left = 60_000 * 10**6  # enough for the first tranche of 50k; what is left pays no rung
    devnet.control.take_desk_reserves(TokenAmount(usdt, chain.balance("USDT", desk) - left))
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.REDEMPTION_FROZEN)
        assert count(deal, LegKind.CLAIM_REDEMPTION) == 1
        deal = await until(system, made.deal_id, lambda d: count(d, LegKind.RETURN_NATIVE) == 1)
        held = chain.holdings(deal.plan.accounts.deal)
        devnet.control.give(TokenAmount(usdt, 10**13), desk)
        deal, report = await ended(system, made)
    assert (held.debt, held.collateral, held.usdt, held.weth) == (0, 0, 0, 0)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


async def test_a_desk_whose_fee_makes_redeeming_a_loss_is_not_redeemed_at(
    devnet, database_url, tmp_path
):
    """A token cost about 0.60 of par: at a fee of 45 % it would bring 0.55."""
    chain = OnChain(devnet)
    before = Principal.of(chain)

    def raise_fee(_):
        devnet.control.set_fee(4_500)

    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: raise_fee}) as system:
        made = await started(system, devnet)
        deal = await until(system, made.deal_id, lambda d: count(d, LegKind.RETURN_NATIVE) == 1)
        assert (deal.status, deal.hold_reason) == (
            DealStatus.HOLDING,
            HoldReason.REDEMPTION_FROZEN,
        )
        assert count(deal, LegKind.REQUEST_REDEMPTION) == 0
        devnet.control.set_fee(25)
        devnet.control.mine()
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


async def test_tethers_own_fee_does_not_keep_the_debt_from_being_paid(
    devnet, database_url, tmp_path
):
    """A debt of $60,000 leaves $6 of room; what is raised for it loses $49 on the way."""
    chain = OnChain(devnet)

    def freeze(_):
        devnet.control.set_usdt_fee(19, most_dollars=49)
        devnet.control.freeze()

    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, before={m.Redeem: freeze}) as system:
        made = await started(system, devnet, dollars=1_000_000)
        deal = await until(system, made.deal_id, lambda d: count(d, LegKind.RETURN_NATIVE) == 1)
        held = chain.holdings(deal.plan.accounts.deal)
        assert (deal.status, held.debt, held.collateral) == (DealStatus.HOLDING, 0, 0)
        report = await system.reporter.report(made.deal_id)
    assert report["ledger"]["mismatch_wei"] == "0"


async def test_tether_that_stands_still_holds_the_deal_and_loses_nothing(
    devnet, database_url, tmp_path
):
    chain = OnChain(devnet)
    before = Principal.of(chain)

    def pause(_):
        devnet.control.pause_usdt()

    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: pause}) as system:
        made = await started(system, devnet)
        await until(system, made.deal_id, lambda d: d.status is DealStatus.HOLDING)
        devnet.control.unpause_usdt()
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


def waits_in_queue(deal, rung):
    requested = count(deal, LegKind.REQUEST_REDEMPTION)
    return requested == rung and deal.group_id is None


def count(deal, kind):
    return sum(leg.kind is kind and leg.status is LegStatus.LANDED for leg in deal.legs)
