"""Many deals at once on two workers that are killed again and again, at no chosen point."""

import asyncio
import contextlib
import random

import pytest

from holdfast.model.deal import TERMINAL, DealStatus
from tests.recovery.scene import assert_ledger_is_the_chain
from tests.support.checker import SAME_SHAPE, judge_all
from tests.support.worker_process import KILLED

DEALS, WORKERS, KILLS = 8, 2, 10
DOLLARS = 1_000_000
SEED = 20_260


@pytest.mark.slow
async def test_eight_deals_whose_two_workers_are_killed_all_the_time_end_right(scene):
    model = await scene.deal(dollars=DOLLARS)
    expected = (await model.finished()).effects
    assert len(expected) == 20  # as a deal of $10M, which redeems in one tranche more
    deals = [await scene.deal(dollars=DOLLARS) for _ in range(DEALS)]
    keepers = [asyncio.create_task(scene.supervised()) for _ in range(WORKERS)]
    killed = await kill_while_open(scene, deals)
    outcomes = [await deal.over() for deal in deals]
    await stop(keepers)
    assert killed >= KILLS // 2  # each while at least one deal was under way
    verdict = judge_all(
        scene.chain, deals[0].start, [deal.places for deal in deals], expected, by=SAME_SHAPE
    )
    assert verdict.is_clean, verdict
    for outcome in outcomes:
        assert outcome.status is DealStatus.COMPLETED
        assert_ledger_is_the_chain(outcome)


async def kill_while_open(scene, deals):
    """Kill whichever worker the dice name, as long as there is a deal that needs it."""
    dice, killed = random.Random(SEED), 0  # noqa: S311 - dice
    while killed < KILLS and not await all_over(deals):
        await asyncio.sleep(dice.uniform(0.1, 0.6))
        alive = [worker for worker in scene.workers if worker.exit_code is None]
        killed += await dice.choice(alive).kill() == KILLED
    return killed


async def all_over(deals):
    return all([(await deal.record()).status in TERMINAL for deal in deals])


async def stop(keepers):
    for keeper in keepers:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
