"""The market, the funding account or a stranger disturbs a deal that is under way."""

from decimal import Decimal

import pytest

from holdfast.common.money import TokenAmount
from holdfast.devnet.accounts import ADMIN
from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.ledger import service as ledger
from holdfast.ledger.model import Account
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason
from tests.support.deals import ALICE, settings_for, until
from tests.support.onchain import OnChain
from tests.support.scenes import (
    EMPTY,
    HOLD,
    Orders,
    Principal,
    assert_nothing_left,
    ended,
    history,
    holding,
    meddled,
    planned,
    started,
    why,
)


@pytest.mark.parametrize(("funding", "dollars"), [(Funding.BORROW, 1_000), (Funding.BUCKET, 850)])
async def test_a_fall_that_no_cure_restores_unwinds_the_deal_whole_in_ether(
    devnet, database_url, tmp_path, funding, dollars
):
    """The loan of 20 % becomes 40 % of the collateral, or 47 %: above 30 % (I6).

    No cure restores that: at $1,000 the bucket's ether and the first tranche cover what is owed
    only 0.89 times (I3); with the bucket in cash it takes $850, from where the next fall by half
    would be liquidated. What cures restore is in test_cures.py.
    """
    chain = OnChain(devnet)
    before = Principal.of(chain)

    def fall(_):
        devnet.control.set_price(Decimal(dollars))

    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Redeem: fall}) as system:
        made = await started(system, devnet, funding=funding)
        deal, report = await ended(system, made)
        told = await history(system, deal)
        codes = await why(system, deal, "deal.hold")
    assert ("deal.hold", HoldReason.INVARIANT) in told
    assert "I6.ltv" in codes
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)
    # Collateral comes back whole in ether; only the bucket may have been sold.
    account = deal.plan.accounts.deal
    assert chain.withdrawn(account) >= deal.plan.terms.split.working.units
    sold = chain.moved("WETH", sender=account, receiver=chain.pool_with_usdt("WETH"))
    assert sold <= deal.plan.terms.split.bucket.units


async def test_a_float_that_cannot_fund_fails_the_deal_and_says_why(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    float_ = devnet.profile.require_accounts().float_
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        devnet.control.set_balance(float_, made.plan.terms.split.moved.units - 1)
        devnet.control.mine()
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        deal, report = await ended(system, made, DealStatus.FAILED)
        (reason,) = await why(system, deal, "deal.hold")
    assert reason == deal.trouble_text
    assert reason.startswith("fund: ")
    assert deal.legs == ()
    assert report["ledger"]["mismatch_wei"] == "0"
    assert chain.holdings(deal.plan.accounts.deal) == EMPTY


async def test_gas_above_the_plans_ceiling_waits_and_then_goes_on(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    rpc = devnet.control.rpc

    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        ceiling = made.plan.envelope.gas_price_ceiling_wei
        rpc.call("anvil_setNextBlockBaseFeePerGas", hex(ceiling + 1))
        devnet.control.mine()
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        with pytest.raises(TimeoutError):
            await until(system, made.deal_id, lambda deal: deal.legs, seconds=2)
        rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        devnet.control.mine()
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)


async def test_one_unit_from_a_stranger_is_booked_as_such_and_stops_nothing(
    devnet, database_url, tmp_path
):
    chain, orders = OnChain(devnet), Orders()
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.OPERATOR)
        clean = await system.reporter.report(made.deal_id)
        devnet.control.give(TokenAmount(devnet.profile.usdt, 1), deal.plan.accounts.deal)
        red = await system.reporter.report(made.deal_id)
        await system.desk.give(made.deal_id, Order(DealEvent.RESUME, ALICE))
        _, report = await ended(system, made)
        async with system.db.begin() as session:
            held = await ledger.balances(session, made.deal_id)
    assert lines(clean) == {}
    assert lines(red) == {("asset/deal_wallet", "USDT"): 1}
    # The unit went to the treasury with the rest, and is told apart from what the deal earned.
    assert lines(report) == {}
    assert report["ledger"]["trial_balance"]["USDT"] == 0
    assert held.units(Account.UNSOLICITED, devnet.profile.usdt) == -1
    assert chain.holdings(deal.plan.accounts.deal) == EMPTY


async def test_one_unit_taken_from_a_deal_stops_it_until_a_person_has_seen_it(
    devnet, database_url, tmp_path
):
    chain, orders = OnChain(devnet), Orders()
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.OPERATOR)
        chain.transfer_as(deal.plan.accounts.deal, "USDT", ADMIN, 1)
        red = lines(await system.reporter.report(made.deal_id))
        await system.desk.give(made.deal_id, Order(DealEvent.RESUME, ALICE))
        await until(system, made.deal_id, lambda one: one.status is DealStatus.HOLDING)
    wallet = "asset/deal_wallet"
    assert red[wallet, "USDT"] == 1
    assert set(red) == {(wallet, "USDT"), (wallet, "ETH")}  # and the gas of whoever sent it


def lines(report):
    rows = report["ledger"]["lines"]
    return {
        (row["account"], row["token"]): int(row["mismatch_units"])
        for row in rows
        if int(row["mismatch_units"])
    }
