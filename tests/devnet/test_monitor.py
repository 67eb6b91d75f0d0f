"""The book on real bytecode, and the monitor of a live system while the market falls."""

import asyncio
import contextlib
from dataclasses import replace
from decimal import Decimal

from holdfast.bootstrap import opened, opened_reporter
from holdfast.chain.bundles import encode_bundles
from holdfast.chain.multicall import CALL_GAS, block_timestamp
from holdfast.common.money import WAD, Bps
from holdfast.model.deal import DealStatus
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import history
from holdfast.monitoring.ticks import State
from holdfast.reporting.reports import ReportKind
from holdfast.reporting.tables import as_json
from tests.support.deals import ALICE, request_for, running, settings_for, until
from tests.support.scenes import loops

SLEEPS = {"HOLDFAST_HOLDING_CHECK_SECONDS": "3600"}  # only the monitor wakes a deal that waits


async def at_rest(system, devnet, **fields):
    """A deal whose tokens wait in the redemption queue while its debt is open."""
    await asyncio.to_thread(devnet.control.set_queue_delay, 3_600)
    made = await system.desk.create(request_for(devnet, **fields), author=ALICE, approve_as=ALICE)
    return await until(system, made.deal_id, is_queued)


def is_queued(deal):
    landed = {leg.label for leg in deal.legs if leg.tx_hash}
    is_open = deal.status is DealStatus.EXECUTING and deal.group_id is None
    return is_open and any("redemption" in label.lower() for label in landed)


async def test_the_book_shows_what_the_deals_own_look_shows(devnet, database_url, tmp_path):
    async with running(settings_for(devnet, database_url, tmp_path, **SLEEPS)) as system:
        deal = await at_rest(system, devnet)
        (row,) = (await system.book.read()).rows
        seen = await system.advance.observer.observe(deal)
    own = replace(seen.position, blocks_to_final=0, at=row.position.at)
    assert row.position == own
    assert row.position.debt >= 600_000 * 10**6 - 1  # Aave rounds shares: a unit may be missing
    assert row.position.queued > 0
    assert (row.core, row.allowances) == (seen.core, len(seen.position.leftovers))
    # 600,000 USDT bought the tokens, the market is where it was
    assert row.exposed.position.token_cost == 600_000 * 10**8
    assert row.exposed.threshold == seen.liquidation_threshold


async def test_what_is_asked_of_a_deal_needs_no_more_gas_than_is_reckoned(
    devnet, database_url, tmp_path
):
    async with running(settings_for(devnet, database_url, tmp_path, **SLEEPS)) as system:
        await at_rest(system, devnet)
        book = await system.book.read()
        made = next(iter(system.book._bundles.values()))
    target = devnet.profile.require_multicall3()

    def used(count):
        data = encode_bundles(block_timestamp(target), [made] * count)
        call = {"to": target, "data": "0x" + data.hex(), "gas": hex(CALL_GAS)}
        return int(devnet.control.rpc.call("eth_estimateGas", call, hex(book.at.number)), 16)

    first = used(1)
    assert first - 21_000 <= made.gas


async def test_a_fall_of_ten_per_cent_is_told_and_wakes_the_deal_in_the_tick_that_sees_it(
    devnet, database_url, tmp_path
):
    woken, looked = [], asyncio.Event()
    async with opened(settings_for(devnet, database_url, tmp_path, **SLEEPS)) as real:

        async def advance(deal_id):
            woken.append(deal_id)
            looked.set()
            await real.advance(deal_id)

        async with loops(replace(real, advance=advance)):
            async with monitored(real):
                deal = await at_rest(real, devnet, opening_ltv=Bps(2_400))
                calm = await tick_until(real, lambda tick: tick.count == 1)
            assert calm.deals["state"][0] == State.CALM
            woken.clear()
            looked.clear()
            # the bucket is the reserve: its cover falls from 1.3 to under 1.25; no tick is between
            # the feed's move and the pool's
            await asyncio.to_thread(devnet.control.set_price, Decimal(1_800))
            async with monitored(real):
                fallen = await tick_until(
                    real, lambda tick: tick.market["eth_price"] < 1_801 * 10**8
                )
                async with asyncio.timeout(30):
                    await looked.wait()
            async with real.db.begin() as session:
                kept = await alert_store.recent(session, with_closed=True, limit=100)
    # 24 % over 0.9 is 26.67 %, and interest of some seconds
    assert (fallen.deals["state"][0], fallen.deals["ltv_bps"][0]) == (State.DUE, 2_667)
    assert deal.deal_id in woken
    (warning,) = [one for one in kept if one.code == "risk.warning.I3.debt_cover_warning"]
    assert warning.deal_id == deal.deal_id
    assert warning.fields["block"] == fallen.at.number


async def test_one_wei_that_leaves_a_deal_at_rest_is_told_by_the_next_tick(
    devnet, database_url, tmp_path
):
    async with running(settings_for(devnet, database_url, tmp_path, **SLEEPS)) as system:
        deal = await at_rest(system, devnet)
        await asyncio.to_thread(devnet.control.advance_time, 30 * 86_400)  # interest moves no line
        (row,) = (await system.book.read()).rows
        assert row.missing == 0
        account = deal.plan.accounts.deal
        await asyncio.to_thread(devnet.control.set_balance, account, row.position.native - 1)
        async with monitored(system):
            await tick_until(system, lambda tick: tick.count == 1)
        async with system.db.begin() as session:
            kept = await alert_store.recent(session, with_closed=True, limit=100)
    (missing,) = [one for one in kept if one.code == "risk.breach.I9.mismatch"]
    assert (missing.deal_id, missing.fields["value"]) == (deal.deal_id, 1)


async def test_a_report_shows_the_health_factor_that_the_venue_has(devnet, database_url, tmp_path):
    settings = settings_for(devnet, database_url, tmp_path, **SLEEPS)
    async with running(settings) as system:
        deal = await at_rest(system, devnet)
        async with monitored(system):  # its first look is one of those that are kept
            tick = await tick_until(system, lambda tick: tick.count == 1)
        account = system.book._protocols.aave.account(deal.plan.accounts.deal)
        (venue,) = await system.node.read([account], tick.at)
    async with opened_reporter(settings) as reporter:
        report = await reporter.made(ReportKind.HISTORY)
    (row,) = [row for row in as_json(report)["tables"]["risk_history"]["rows"] if row["looks"]]
    assert (row["deals"], row["ltv_deal"]) == (1, deal.deal_number)
    told, true = float(row["lowest_health_factor"]), venue.health_factor / WAD
    assert told <= true  # LTV is rounded up
    assert true - told < true * 2 / tick.deals["ltv_bps"][0]
    assert report.table("risk_history").chart.startswith("<svg")


@contextlib.asynccontextmanager
async def monitored(system):
    """The monitor, for as long as the block lasts."""
    task = asyncio.create_task(system.monitor.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tick_until(system, wanted, seconds=60):
    """The first tick found for which `wanted` is true."""
    chain = system.profile.chain_id
    async with asyncio.timeout(seconds):
        while True:
            async with system.db.begin() as session:
                if await history.count(session, chain):
                    tick = await history.newest(session, chain)
                    if wanted(tick):
                        return tick
            await asyncio.sleep(0.1)
