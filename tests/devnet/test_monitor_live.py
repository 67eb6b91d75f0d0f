"""The monitor over a falling market: each alarm told, each cure on chain, by its wake-ups alone."""

import asyncio

from holdfast.model.deal import HoldReason
from holdfast.risk.trading import Source, TradingState
from tests.devnet.test_cures import (
    DOLLAR,
    FALLS,
    QUEUE_SECONDS,
    alerts,
    assert_whole,
    cured,
    home,
    told,
    waiting,
)
from tests.devnet.test_monitor import SLEEPS, monitored
from tests.support.deals import running, settings_for, until
from tests.support.onchain import OnChain
from tests.support.scenes import Principal, assert_nothing_left, ended, holding

THIN, OVER = "risk.warning.I3.debt_cover_warning", "risk.breach.I6.ltv"
STALE, FROZEN = "risk.breach.I10.oracle_age", "risk.market.frozen"
LAGS = {"risk.breach.I10.oracle_deviation"}  # the pool's average follows the feed later
TICK_BLOCKS = 5  # a tick is five seconds, a block here one


async def test_a_deal_that_never_looks_by_itself_is_cured_when_a_tick_sees_the_fall(
    interval_devnet, database_url, tmp_path
):
    devnet = interval_devnet
    settings = settings_for(devnet, database_url, tmp_path, **SLEEPS)
    async with running(settings) as system, monitored(system):
        fall = await waiting(system, devnet)
        await fall.to(1_500, cures=1)
        assert fall.held().usdt > 611_000 * DOLLAR
        deal = await fall.to(1_300, cures=2)
        assert fall.ltv() <= 0.20
        looks = [detail["block"] for detail in await told(system, deal.deal_id, "deal.cure")]
        for look, legs in zip(looks, cured(deal), strict=True):
            assert {leg.block_number - look for leg in legs} <= {1, 2}
        async with system.db.begin() as session:
            kept = await system.notices.alerts.listed(session, with_closed=True)
        (thin,) = [one for one in kept if one.code == THIN]
        assert 0 <= looks[0] - thin.fields["block"] <= TICK_BLOCKS
        assert "deal.cure" in {one.code for one in kept}
        assert not [one for one in kept if one.code.startswith("risk.breach.I9")]
        assert "deal.cure" not in await alerts(system)  # over by itself


async def test_each_step_of_a_crisis_raises_its_alarm_and_the_principal_comes_home_whole(
    interval_devnet, database_url, tmp_path
):
    """ETH falls by 10, 25, 35 and 50 %, the feed goes stale and comes back, the desk freezes."""
    devnet, chain = interval_devnet, OnChain(interval_devnet)
    control, principal = devnet.control, Principal.of(chain)
    settings = settings_for(devnet, database_url, tmp_path, **SLEEPS)
    async with running(settings) as system, monitored(system):
        fall = await waiting(system, devnet)
        for dollars, cures in zip(FALLS, (0, 1, 2, 2), strict=True):
            await fall.to(dollars, cures)
        assert await codes(system) - LAGS == {THIN, OVER}
        await asyncio.to_thread(control.set_price_staleness, 10_000)
        await is_open(system, STALE)
        assert await reduced_by_the_monitor(system)
        await asyncio.to_thread(control.set_price_staleness, 0)
        await is_open(system, STALE, wanted=False)
        await asyncio.to_thread(control.freeze)
        await is_open(system, FROZEN)
        await woken(system, fall)
        await holding(system, fall, HoldReason.REDEMPTION_FROZEN)
        await until(system, fall.deal_id, home)
        assert fall.held().debt == fall.held().collateral == 0
        await asyncio.to_thread(control.thaw)
        await asyncio.to_thread(control.set_queue_delay, 0)
        await asyncio.to_thread(control.advance_time, QUEUE_SECONDS + 1)
        await woken(system, fall)
        deal, report = await ended(system, fall)
        assert await codes(system) - LAGS == {THIN, OVER, STALE, FROZEN}
    assert_nothing_left(chain, deal, report)
    assert_whole(chain, principal, deal)


async def woken(system, fall):
    """What else a deal does by itself, every 15 seconds by default."""
    async with system.db.begin() as session:
        await system.queue.wake(session, fall.deal_id)


async def codes(system):
    """The monitor's alarms that were ever raised, but for ticks that a busy machine makes late."""
    async with system.db.begin() as session:
        kept = await system.notices.alerts.listed(session, with_closed=True)
    late = {"risk.tick_late"}
    return {one.code for one in kept if one.code.startswith("risk.")} - late


async def is_open(system, code, *, wanted=True):
    """Wait until the alarm is there, or over."""
    async with asyncio.timeout(30):
        while True:
            if (code in await alerts(system)) is wanted:
                return
            await asyncio.sleep(0.1)


async def reduced_by_the_monitor(system):
    async with system.db.begin() as session:
        settings = await system.switch.settings(session)
    states = {one.state for one in settings if one.source is Source.MONITOR}
    return states == {TradingState.REDUCING}
