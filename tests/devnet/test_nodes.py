"""Several sockets before one chain: nodes that lag, lie, hang and die, alone and all at once."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from holdfast.bootstrap import opened
from holdfast.chain import inspection
from holdfast.chain.metrics import ChainMetrics
from holdfast.chain.multicall import eth_balance
from holdfast.chain.node import Node
from holdfast.chain.pool import Pool
from holdfast.chain.rpc import Rpc
from holdfast.common.errors import Paused
from holdfast.common.system_clock import SystemClock
from holdfast.model.deal import DealStatus
from tests.support.deals import settings_for
from tests.support.fault_answers import Lies
from tests.support.fault_proxy import View, fault_proxy
from tests.support.faults import Fault
from tests.support.scenes import ended, loops, started


@pytest_asyncio.fixture
async def nodes(devnet):
    """Three nodes of one chain, with blocks enough to lag by more than is allowed."""
    await asyncio.to_thread(devnet.control.rpc.call, "anvil_mine", hex(100))
    async with AsyncExitStack() as stack:
        view = {"lag_blocks": 80}
        yield [
            await stack.enter_async_context(fault_proxy(devnet.url, view=View(**view)))
            for _ in range(3)
        ]


@asynccontextmanager
async def pooled(devnet, nodes):
    profile = replace(devnet.profile, rpc_urls=tuple(node.url for node in nodes))
    pool = Pool.over_http(profile, SystemClock(), ChainMetrics(CollectorRegistry()))
    try:
        yield pool, Node(Rpc(pool), profile)
    finally:
        await pool.close()


def troubles(pool):
    return [str(one.trouble) if one.trouble else "" for one in pool.status()]


async def balance(node):
    """A pinned read at the newest block, through the pool."""
    head = await node.head()
    target = node.profile.require_multicall3()
    (wei,) = await node.read([eth_balance(target, node.profile.require_accounts().core)], head.ref)
    return wei


async def until(wanted, seconds=60):
    async with asyncio.timeout(seconds):
        while not wanted():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


async def all_taken_back(pool, seconds=60):
    """Look at the nodes until all are used; one that is out is only asked when it is due."""
    async with asyncio.timeout(seconds):
        while troubles(pool) != ["", "", ""]:
            await asyncio.sleep(0.05)
            await pool.check()


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (Fault.STALE, "lagging"),
        (Fault.WRONG_CHAIN, "refused"),
        (Fault.LYING, "disagrees"),
    ],
)
async def test_a_node_that_lags_or_lies_is_left_out_and_taken_back_when_it_is_in_order(
    devnet, nodes, fault, trouble
):
    nodes[0].faults.lasting = {fault}
    nodes[0].view.lies = Lies(since=0)
    async with pooled(devnet, nodes) as (pool, node):
        assert await balance(node)
        assert troubles(pool) == [trouble, "", ""]
        nodes[0].faults.clear()
        await all_taken_back(pool)


async def test_a_node_that_dies_is_passed_over_in_the_same_call_and_used_when_it_is_back(
    devnet, nodes
):
    async with pooled(devnet, nodes) as (pool, node):
        before = await balance(node)
        await nodes[0].cut()
        assert await balance(node) == before
        assert troubles(pool) == ["unreachable", "", ""]
        await nodes[0].restore()
        await all_taken_back(pool)


async def test_a_half_open_socket_is_noticed_by_the_look_and_its_readers_go_elsewhere(
    devnet, nodes, monkeypatch
):
    monkeypatch.setattr(inspection, "LOOK_SECONDS", 0.5)
    async with pooled(devnet, nodes) as (pool, node):
        await balance(node)
        nodes[0].faults.odds = {Fault.HALF_OPEN: 1.0}
        stuck = asyncio.create_task(node.head())  # it would wait ten seconds
        await asyncio.sleep(0.1)
        await pool.check()
        async with asyncio.timeout(8):
            await stuck
        assert troubles(pool) == ["unreachable", "", ""]


def desk_settings(devnet, nodes, database_url, tmp_path):
    urls = ",".join(node.url for node in nodes)
    return settings_for(devnet, database_url, tmp_path, HOLDFAST_RPC_URL=urls)


@asynccontextmanager
async def worker(settings):
    """The system with all its loops, the endpoints' watch among them."""
    async with opened(settings) as system, loops(system):
        watching = asyncio.create_task(system.watch.run())
        try:
            yield system
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def test_a_deal_is_carried_out_while_one_node_after_the_other_fails(
    devnet, nodes, database_url, tmp_path
):
    async with worker(desk_settings(devnet, nodes, database_url, tmp_path)) as system:
        deal = await started(system, devnet)
        await nodes[0].cut()
        await asyncio.sleep(0.5)
        await nodes[0].restore()
        nodes[1].faults.odds = {Fault.DROPPED_AFTER: 0.3, Fault.BAD_GATEWAY: 0.2}
        nodes[2].faults.lasting = {Fault.WRONG_CHAIN}
        _, report = await ended(system, deal)
        assert report["ledger"]["mismatch_wei"] == "0"


async def test_without_any_node_the_desk_is_read_only_and_goes_on_by_itself_when_one_returns(
    devnet, nodes, database_url, tmp_path
):
    settings = desk_settings(devnet, nodes, database_url, tmp_path)
    async with worker(settings) as system:
        deal = await started(system, devnet)
        with capture_logs() as logs:
            for node in nodes:
                await node.cut()
            await until(lambda: any(one["event"] == "chain.read_only" for one in logs))
            await asyncio.sleep(2)  # told once, not once a look
            with pytest.raises(Paused) as caught:
                await system.node.head()
            found = await system.desk.find(deal.deal_id)  # the database is read as before
            assert len(caught.value.fields["endpoints"]) == 3
            assert found.status is not DealStatus.COMPLETED
            await nodes[1].restore()
            over, report = await ended(system, deal)
            await until(lambda: any(one["event"] == "chain.writable_again" for one in logs))
    assert over.status is DealStatus.COMPLETED
    assert report["ledger"]["mismatch_wei"] == "0"
    told = [one["event"] for one in logs]
    assert (told.count("chain.read_only"), told.count("chain.writable_again")) == (1, 1)
    async with opened(settings) as system, system.db.begin() as session:
        alerts = await system.notices.alerts.listed(session, with_closed=True)
    (told_of,) = [one for one in alerts if one.code == "chain.read_only"]
    assert (told_of.count, told_of.resolved_at is None) == (1, False)


async def test_a_worker_starts_while_every_node_is_down_and_works_when_one_is_up(
    devnet, nodes, database_url, tmp_path
):
    settings = desk_settings(devnet, nodes, database_url, tmp_path)
    async with opened(settings) as system:
        deal = await started(system, devnet)
    for node in nodes:
        await node.cut()
    async with worker(settings) as system:
        with pytest.raises(Paused):
            await system.pool.require()
        await asyncio.sleep(1)
        await nodes[2].restore()
        await ended(system, deal)
