"""Two workers on one database: when one dies or hangs, the other carries on within seconds."""

import contextlib
import signal

import pytest

from holdfast.common.leader import LeaderLock
from tests.recovery.groups import GROUPS, POINTS
from tests.recovery.scene import assert_same_deal
from tests.support.worker_process import KILLED

FUND, PURCHASE, TRANCHE = GROUPS[0], GROUPS[2], GROUPS[4]
# A dead worker's job is given to another after three heartbeats of a second; the right to send
# is free as soon as a dead leader's connection is, or when a frozen one missed three renewals; a
# deal's row when a frozen worker's transaction was idle for five seconds. Twice that, for a
# machine that is busy: until the deal is a group further on than the one that was left.
TAKEOVER_SECONDS = 10.0
LEADS = ("chain", "events", "risk", "exits")


async def two_workers(scene, point, **options):
    """The first leads the chain and will come to `point`; the second only stands by."""
    first = scene.worker(crash_at=point, **options)
    await first.leads(*LEADS)
    second = scene.worker()
    await second.says("worker.started")
    return first, second


async def test_the_second_worker_takes_over_the_chain_within_seconds(scene, undisturbed):
    first, second = await two_workers(scene, f"tx.after_broadcast:{TRANCHE.number}")
    deal = await scene.deal()
    assert await first.ended() == KILLED
    assert "leader.acquired" not in second.words()
    await deal.signs(TRANCHE.after + 1, TAKEOVER_SECONDS)
    outcome = await deal.over()
    assert second.exit_code is None
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.parametrize("point", [point.name for point in POINTS if point.takes_over])
async def test_the_second_worker_takes_over_a_job_within_seconds(scene, undisturbed, point):
    first, second = await two_workers(scene, f"{point}:{PURCHASE.number}")
    second.send(signal.SIGSTOP)  # so that the first one gets every job
    deal = await scene.deal()
    assert await first.ended() == KILLED
    second.send(signal.SIGCONT)
    await deal.signs(PURCHASE.after + 1, TAKEOVER_SECONDS)
    outcome = await deal.over()
    assert "queue.job_taken_over" in second.words()
    assert_same_deal(deal, outcome, undisturbed)


FROZEN_AT = [
    "advance.before_commit",
    "advance.after_commit",
    "tx.before_broadcast",
    "tx.after_broadcast",
    "tx.in_receipts",
]


@pytest.mark.parametrize("point", FROZEN_AT)
async def test_a_frozen_leader_is_replaced_within_seconds_and_wakes_to_nothing(
    scene, undisturbed, point
):
    deal = await scene.deal()
    frozen = await scene.paused_at(f"{point}:{PURCHASE.number}")
    second = scene.worker()
    await second.says("worker.started")
    await deal.signs(PURCHASE.after + 1, TAKEOVER_SECONDS)
    outcome = await deal.over()
    frozen.send(signal.SIGCONT)  # it believes that it leads, and goes on where it was
    assert await frozen.ended() not in {0, KILLED}  # crash-only: it found out and ended itself
    assert "leader.lost" in frozen.words()
    assert second.exit_code is None
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.parametrize("point", FROZEN_AT)
async def test_a_leader_that_wakes_among_the_work_of_the_next_repeats_nothing(
    scene, undisturbed, point
):
    deal = await scene.deal()
    asleep = await scene.paused_at(f"{point}:{PURCHASE.number}")
    second = scene.worker()
    await second.leads("chain")
    asleep.send(signal.SIGCONT)
    outcome = await deal.over()
    assert await asleep.ended() not in {0, KILLED}
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.parametrize("point", ["advance.before_commit", "advance.after_commit"])
async def test_a_frozen_worker_that_does_not_lead_gives_up_its_deal_and_lives(
    scene, undisturbed, point
):
    async with contextlib.AsyncExitStack() as leading:
        for what in LEADS:
            lock = LeaderLock(scene.database_url, f"{what}:{scene.system.profile.chain_id}")
            await leading.enter_async_context(lock.held())
        deal = await scene.deal()
        frozen = await scene.paused_at(f"{point}:1")
    second = scene.worker()
    await second.says("worker.started")
    await deal.signs(FUND.after + 1, TAKEOVER_SECONDS)
    outcome = await deal.over()
    frozen.send(signal.SIGCONT)
    assert_same_deal(deal, outcome, undisturbed)
    next_deal = await scene.deal()
    assert await second.kill() == KILLED
    await next_deal.over()
    assert frozen.exit_code is None
