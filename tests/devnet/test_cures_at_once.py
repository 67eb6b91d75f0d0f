"""Two things go wrong together: what the deal does, and that the principal is whole all the same.

$10M at $2,000 as in test_cures; the tranche waits in the desk's queue.
"""

import asyncio
from decimal import Decimal

import pytest

from holdfast.devnet.uniswap import remove_liquidity
from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason
from tests.devnet.test_cures import alerts, assert_whole, cured, home, told, waiting
from tests.support.deals import ALICE, running, settings_for, until
from tests.support.onchain import OnChain
from tests.support.one_block import one_block
from tests.support.scenes import Principal, ended, meddled

CLOSE = Order(DealEvent.CLOSE, ALICE, keep_claim=True)
BLOCKS = 2


async def at_once(fall, dollars, *others):
    """ETH falls, pool and oracle, and `others` happen: all in one block, whose number it gives."""

    def happen():
        with one_block(fall.devnet.control, then_every_seconds=1) as block:
            fall.devnet.control.set_price(Decimal(dollars))
            for other in others:
                other()
        return block[0]

    fall.price = dollars
    return await asyncio.to_thread(happen)


async def looks_of(fall):
    """The blocks at which the deal decided on its cures."""
    return [detail["block"] for detail in await told(fall.system, fall.deal_id, "deal.cure")]


async def brought_home(fall, principal):
    """The deal over, and whole to the wei."""
    deal = await fall.system.desk.find(fall.deal_id)
    if deal.status is not DealStatus.CLOSING:
        await fall.system.desk.give(fall.deal_id, CLOSE)
    deal, report = await ended(fall.system, deal, DealStatus.COMPLETED_WITH_CLAIM)
    assert_whole(fall.chain, principal, deal)
    assert report["ledger"]["mismatch_wei"] == "0"
    assert fall.chain.allowances(fall.account) == {}
    return deal


async def test_a_desk_that_freezes_in_the_block_of_a_fall_by_35_percent(
    interval_devnet, database_url, tmp_path
):
    """The cap is cured first, within two blocks; then the freeze takes the deal home."""
    devnet, chain = interval_devnet, OnChain(interval_devnet)
    principal = Principal.of(chain)
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet)
        block = await at_once(fall, 1_300, devnet.control.freeze)
        deal = await until(
            system,
            fall.deal_id,
            lambda one: one.hold_reason is HoldReason.REDEMPTION_FROZEN and cured(one),
        )
        (look,), (legs,) = await looks_of(fall), cured(deal)
        assert 0 <= look - block <= 1
        assert {leg.block_number - look for leg in legs} <= {1, BLOCKS}
        await until(system, fall.deal_id, home)
        report = await system.reporter.report(fall.deal_id)
        assert report["ledger"]["mismatch_wei"] == "0"
        deal = await brought_home(fall, principal)
    sold, _ = fall.sold()
    assert sold < deal.plan.terms.split.bucket.units


async def test_a_feed_that_goes_stale_in_the_block_of_a_fall_moves_nothing_until_it_is_back(
    interval_devnet, database_url, tmp_path
):
    devnet, chain = interval_devnet, OnChain(interval_devnet)
    principal = Principal.of(chain)
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet)
        await at_once(fall, 1_300, lambda: devnet.control.set_price_staleness(10_000))
        await fall.sends_nothing(looks_seconds=3)
        assert "deal.price_stale" in await alerts(system)
        await asyncio.to_thread(devnet.control.set_price_staleness, 0)
        deal = await fall.rests(cures=1)
        (look,), (legs,) = await looks_of(fall), cured(deal)
        assert {leg.block_number - look for leg in legs} <= {1, BLOCKS}
        assert fall.ltv() <= 0.20
        await fall.sends_nothing()
        assert "deal.price_stale" not in await alerts(system)
        await brought_home(fall, principal)


@pytest.mark.parametrize(
    ("funding", "cure", "first", "second"),
    [
        pytest.param(Funding.BORROW, m.Convert, 1_500, 1_125, id="convert-and-the-cover-breaks"),
        pytest.param(Funding.BUCKET, m.RepayPart, 1_300, 975, id="repayment-that-is-enough"),
    ],
)
async def test_a_price_that_falls_again_while_the_cure_is_in_flight(
    devnet, database_url, tmp_path, funding, cure, first, second
):
    """A quarter more after the cure was tried, before it is signed.

    The conversion then finds the pool under its bound and reverts; at $1,125 the cover is 0.91, so
    the deal holds and pays all of its debt. The repayment comes from cash and lands.
    """
    chain = OnChain(devnet)
    principal = Principal.of(chain)

    def falls_again(deal):
        return asyncio.to_thread(devnet.control.set_price, Decimal(second))

    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={cure: falls_again}) as system:
        fall = await waiting(system, devnet, funding=funding)
        await asyncio.to_thread(devnet.control.set_price, Decimal(first))
        fall.price = second
        if cure is m.Convert:
            deal = await until(
                system, fall.deal_id, lambda one: one.hold_reason is HoldReason.INVARIANT
            )
            await until(system, fall.deal_id, lambda one: fall.held().debt == 0)
        else:
            deal = await fall.rests(cures=1)
            assert 0.26 < fall.ltv() < 0.27  # 390,000 over 1,500 ETH at $975
            assert deal.status is DealStatus.EXECUTING
        deal = await brought_home(fall, principal)
    terms = deal.plan.terms
    bought_with = terms.bucket_sale.units  # nothing of what is left was sold for the debt
    sold, _ = fall.sold()
    assert sold == bought_with if funding is Funding.BUCKET else sold < terms.split.bucket.units
    assert fall.held().usdt == fall.held().debt == 0


def thin(control, profile, bps):
    """Take so much of the ether pool's liquidity away."""
    pool = control._pool(profile.weth)
    remove_liquidity(control.rpc, control._provider, control._uniswap(), pool, bps=bps)


async def test_deals_that_convert_at_once_share_a_thin_pool_and_are_all_cured(
    devnet, database_url, tmp_path
):
    """A hundredth of the pool is left: one conversion of $615,000 alone slips 12 %.

    Each sells in parts within its bound; what another was faster with reverts and is tried again;
    others trade the pool back to the oracle's price.
    """
    chain, control = OnChain(devnet), devnet.control
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        falls = [await waiting(system, devnet) for _ in range(3)]
        await asyncio.to_thread(thin, control, devnet.profile, 9_950)
        await asyncio.to_thread(control.set_price, Decimal(1_500))
        async with asyncio.timeout(180):
            while [fall for fall in falls if not await is_covered(system, fall)]:
                await asyncio.to_thread(control.set_price, Decimal(1_500))
        for fall in falls:
            deal = await until(system, fall.deal_id, lambda one: one.group_id is None)
            assert deal.status is DealStatus.EXECUTING
            assert len(cured(deal)) > 1  # in parts
            ether, cash = fall.sold()
            slippage = deal.plan.envelope.exit_slippage / 10_000
            assert cash / 10**6 >= ether / 10**18 * 1_500 * (1 - slippage)
            assert chain.allowances(fall.account) == {}


async def is_covered(system, fall):
    deal = await system.desk.find(fall.deal_id)
    seen = await system.advance.observer.observe(deal)
    return seen.venues.cure is None
