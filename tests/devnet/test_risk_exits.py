"""The trial of an unwind against the chain that it is about."""

import contextlib
from dataclasses import replace

from holdfast.bootstrap.exits import exits_of
from holdfast.common.lease import Unrivalled
from holdfast.devnet.uniswap import remove_liquidity
from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from holdfast.monitoring.exit_alerts import FAILING
from holdfast.monitoring.exits import Checking
from tests.support.deals import ALICE, settings_for, until
from tests.support.onchain import OnChain
from tests.support.scenes import HOLD, Orders, ended, holding, meddled, started

CLOSE = Order(DealEvent.CLOSE, ALICE, keep_claim=True)
AMOUNTS_DIFFER = {LegKind.RETURN_TOKEN, LegKind.RETURN_NATIVE}
"""A deal that closes sends the claim home too, and keeps no ether to redeem with."""


_DEALS, _DAY = 20, 86_400


class _Counted:
    """A carrier that counts its exchanges."""

    def __init__(self, real):
        self.real, self.exchanges = real, 0

    async def read(self, requests):
        self.exchanges += 1
        return await self.real.read(requests)


def legs(check):
    return [(leg.kind, leg.recipient) for group in check.groups for leg in group]


def _is_queued(deal):
    asked = [leg for leg in deal.legs if leg.kind is LegKind.REQUEST_REDEMPTION]
    return deal.group_id is None and any(leg.status is LegStatus.LANDED for leg in asked)


@contextlib.asynccontextmanager
async def bought(devnet, database_url, tmp_path, **more):
    """A deal that has its loan and its tokens and stands still, and the system that runs it."""
    orders = Orders()
    more["HOLDFAST_EXIT_CHECK_BLOCKS"] = "1"
    settings = settings_for(devnet, database_url, tmp_path, **more)
    async with meddled(settings, after={m.Redeem: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        yield system, await holding(system, made, HoldReason.OPERATOR)


async def test_what_the_trial_says_is_what_the_unwind_then_does(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    async with bought(devnet, database_url, tmp_path) as (system, deal):
        home, sent = deal.plan.accounts.treasury_return, len(deal.legs)
        before, burnt = chain.native(home), chain.gas_paid(deal.plan.accounts.deal)
        check = await system.exit_checks.exits.check(deal)
        await system.desk.give(deal.deal_id, CLOSE)
        over, _ = await ended(system, deal, DealStatus.COMPLETED_WITH_CLAIM)
    assert check.works is True
    assert check.refusals == ()
    tried = [leg.kind for group in check.groups for leg in group]
    done = [leg.kind for leg in over.legs[sent:] if leg.status is LegStatus.LANDED]
    assert without(done) == without(tried)
    assert {LegKind.SWAP, LegKind.REPAY, LegKind.WITHDRAW, LegKind.UNWRAP} <= set(tried)
    # A trial keeps ether to redeem with and simulates no gas; the rest is interest of a few blocks.
    told = sum(one.units for one in check.home if one.token.symbol == "ETH")
    kept = deal.plan.terms.gas_reserve.units
    burnt = chain.gas_paid(deal.plan.accounts.deal) - burnt
    assert abs(chain.native(home) - before + burnt - told - kept) < 10**16
    assert 0 < check.cost < 20_000 * 10**8  # slippage on $600,000


async def test_several_nodes_with_others_transactions_in_their_newest_block_are_tried_too(
    devnet, database_url, tmp_path
):
    urls = ",".join((devnet.url, devnet.url.replace("127.0.0.1", "localhost")))
    async with bought(devnet, database_url, tmp_path, HOLDFAST_RPC_URL=urls) as (system, deal):
        accounts = devnet.profile.require_accounts()
        OnChain(devnet).send_as(accounts.core, accounts.float_, value=1)
        newest = devnet.control.rpc.call("eth_getBlockByNumber", "latest", False)
        assert len(newest["transactions"]) == 1
        check = await system.exit_checks.exits.check(deal)
    assert check.works is True


def without(kinds):
    return [kind for kind in kinds if kind not in AMOUNTS_DIFFER]


async def test_a_drained_pool_fails_it_at_the_sale_and_nothing_was_sent(
    devnet, database_url, tmp_path
):
    chain, control = OnChain(devnet), devnet.control
    async with bought(devnet, database_url, tmp_path) as (system, deal):
        account = deal.plan.accounts.deal
        pool = control._pool(devnet.profile.weth)
        remove_liquidity(control.rpc, control._provider, control._uniswap(), pool, bps=9_999)
        before = chain.holdings(account), chain.transactions(account)
        check = await system.exit_checks.exits.check(deal)
        assert (chain.holdings(account), chain.transactions(account)) == before
    assert check.works is False
    assert check.failing.leg is LegKind.SWAP
    assert "pool" in check.failing.reason
    assert (check.groups, check.home) == ((), [])
    assert check.after.position.debt == before[0].debt


async def test_a_paused_debt_token_raises_the_alert_and_its_end_closes_it(
    devnet, database_url, tmp_path
):
    async with bought(devnet, database_url, tmp_path) as (system, deal):
        checking = Checking(replace(system.exit_checks.parts, fence=Unrivalled()))

        async def told():
            devnet.control.mine()
            await checking.round()
            async with system.db.begin() as session:
                listed = await system.notices.alerts.listed(session)
            return [one for one in listed if one.code == FAILING]

        assert await told() == []  # tried, and it works
        devnet.control.pause_usdt()
        (alert,) = await told()
        assert alert.deal_id == deal.deal_id
        assert alert.fields["leg"] == "swap"
        assert [one.count for one in await told()] == [2]
        checking = Checking(checking._parts)  # a new leader goes on with the same alert
        assert [one.count for one in await told()] == [3]
        async with system.db.begin() as session:
            await system.notices.alerts.acknowledge(session, alert.alert_id, ALICE, "the issuer")
        assert await told() == []  # while it lasts it is not raised anew
        devnet.control.unpause_usdt()
        assert await told() == []
        devnet.control.pause_usdt()
        assert [one.count for one in await told()] == [1]  # it worked in between


async def test_twenty_deals_tried_together_say_what_each_says_by_itself(
    devnet, database_url, tmp_path
):
    """Apart from each other: no trial sees what the others would do to the pool."""
    settings = settings_for(devnet, database_url, tmp_path)
    devnet.control.set_queue_delay(_DAY)
    async with meddled(settings) as system:
        made = [await started(system, devnet, dollars=1_000_000) for _ in range(_DEALS)]
        deals = [await until(system, one.deal_id, _is_queued) for one in made]
        exits, asked = system.exit_checks.exits, _Counted(system.pool)
        together = await exits_of(asked, system.profile, settings=settings).checks(deals)
        apart = [await exits.check(deal) for deal in deals]
    assert [one.works for one in together] == [True] * _DEALS
    assert [legs(one) for one in together] == [legs(one) for one in apart]
    assert asked.exchanges < 2 * _DEALS  # one by one it takes 23 each
    for one, alone in zip(together, apart, strict=True):
        assert abs(one.cost - alone.cost) <= 10**8  # a dollar: interest of the seconds between


async def test_a_deal_that_owes_nothing_yet_comes_home_too(devnet, database_url, tmp_path):
    orders = Orders()
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, before={m.Open: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.OPERATOR)
        check = await system.exit_checks.exits.check(deal)
    assert check.works is True
    assert [leg.kind for group in check.groups for leg in group] == [LegKind.RETURN_NATIVE]
