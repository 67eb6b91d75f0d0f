"""Two workers share a chain's senders, and still every leg is on chain once."""

import asyncio
import contextlib

import psycopg

from holdfast.common.db import libpq_url
from holdfast.common.leader import LeaderLock
from holdfast.model.deal import DealStatus
from tests.recovery.scene import assert_ledger_is_the_chain
from tests.support.checker import SAME_SHAPE, judge_all
from tests.support.worker_process import KILLED

DEALS, DOLLARS = 6, 1_000_000
HANGS_SECONDS = 60  # a bound for what never comes
LEADS = (
    "SELECT name, holder FROM leases"
    " WHERE holder IS NOT NULL AND renewed_at > now() - interval '3 s'"
)
HALVES = {"chain:138:0/2", "chain:138:1/2"}


def leads(scene):
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        return dict(connection.execute(LEADS).fetchall())


async def halves_led(scene, seconds=HANGS_SECONDS):
    """Who leads the two halves, once both are led."""
    async with asyncio.timeout(seconds):
        while True:
            found = leads(scene)
            if found.keys() >= HALVES:
                return [found[name] for name in sorted(HALVES)]
            await asyncio.sleep(0.05)


async def started_together(scene, count):
    """Workers of which none leads before all of them run: one that is late finds nothing left."""
    async with contextlib.AsyncExitStack() as leading:
        for name in HALVES:
            await leading.enter_async_context(LeaderLock(scene.database_url, name).held())
        workers = [scene.worker(chain_shards="2") for _ in range(count)]
        for worker in workers:
            await worker.says("worker.started")
    return workers


async def expected_of(scene):
    """What one such deal does with a worker alone and a chain in one piece."""
    model = await scene.deal(dollars=DOLLARS)
    return (await model.finished()).effects


async def assert_each_leg_once(scene, deals, expected, seconds=180):
    outcomes = [await deal.over(seconds) for deal in deals]
    verdict = judge_all(
        scene.chain, deals[0].start, [deal.places for deal in deals], expected, by=SAME_SHAPE
    )
    assert verdict.is_clean, verdict
    for outcome in outcomes:
        assert outcome.status is DealStatus.COMPLETED
        assert_ledger_is_the_chain(outcome)


async def test_two_workers_share_two_shards_and_one_takes_both_when_the_other_dies(scene):
    expected = await expected_of(scene)
    workers = await started_together(scene, 2)
    assert len(set(await halves_led(scene))) == 2  # each worker leads one
    await assert_each_leg_once(
        scene, [await scene.deal(dollars=DOLLARS) for _ in range(DEALS)], expected
    )
    assert all("tx.broadcast" in worker.words() for worker in workers)
    deals = [await scene.deal(dollars=DOLLARS) for _ in range(2)]
    assert await workers[0].kill() == KILLED
    await assert_each_leg_once(scene, deals, expected)
    assert len(set(await halves_led(scene))) == 1


async def test_loops_of_two_divisions_that_work_at_once_repeat_nothing(scene):
    """As while HOLDFAST_CHAIN_SHARDS is changed: no worker is stopped before the next one runs."""
    expected = await expected_of(scene)
    old = scene.worker()
    await old.leads("chain")
    deals = [await scene.deal(dollars=DOLLARS) for _ in range(DEALS)]
    new = scene.worker(chain_shards="2")
    await halves_led(scene)
    await assert_each_leg_once(scene, deals, expected)
    assert "tx.broadcast" in old.words()
    assert "tx.broadcast" in new.words()
