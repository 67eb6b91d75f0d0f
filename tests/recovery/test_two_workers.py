"""Two workers on one database: when one dies or hangs, the other carries on within seconds."""

import asyncio
import signal
import time

import psycopg
import pytest

from holdfast.common.db import libpq_url
from tests.recovery.groups import GROUPS, POINTS
from tests.recovery.scene import assert_same_deal
from tests.support.worker_process import KILLED

PURCHASE, TRANCHE = GROUPS[2], GROUPS[4]
# A dead worker's job is given to another after three heartbeats of a second; the right to send
# is free as soon as the dead one's connection is. Twice that, for a machine that is busy.
TAKEOVER_SECONDS = 10.0
HANG_SECONDS = 5.0  # long enough for a hung worker's job to be given to another


async def two_workers(scene, point, **options):
    """The first leads the chain and will come to `point`; the second only stands by."""
    first = scene.worker(crash_at=point, **options)
    await first.says("leader.acquired")
    second = scene.worker()
    await second.says("worker.started")
    return first, second


async def test_the_second_worker_takes_over_the_chain_within_seconds(scene, undisturbed):
    first, second = await two_workers(scene, f"tx.after_broadcast:{TRANCHE.number}")
    deal = await scene.deal()
    assert await first.ended() == KILLED
    died = time.monotonic()
    assert "leader.acquired" not in second.words()
    outcome = await deal.over(TAKEOVER_SECONDS)
    assert time.monotonic() - died < TAKEOVER_SECONDS
    assert second.exit_code is None
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.parametrize("point", [point.name for point in POINTS if point.takes_over])
async def test_the_second_worker_takes_over_a_job_within_seconds(scene, undisturbed, point):
    first, second = await two_workers(scene, f"{point}:{PURCHASE.number}")
    second.send(signal.SIGSTOP)  # so that the first one gets every job
    deal = await scene.deal()
    assert await first.ended() == KILLED
    second.send(signal.SIGCONT)
    outcome = await deal.over(TAKEOVER_SECONDS)
    assert "queue.job_taken_over" in second.words()
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.parametrize(
    "point",
    ["advance.before_commit", "advance.after_commit", "tx.before_broadcast", "tx.in_receipts"],
)
async def test_a_worker_that_hangs_and_comes_back_repeats_nothing(scene, undisturbed, point):
    deal = await scene.deal()
    hung = await scene.paused_at(f"{point}:{PURCHASE.number}")
    other = scene.worker()
    await other.says("worker.started")
    await asyncio.sleep(HANG_SECONDS)
    hung.send(signal.SIGCONT)
    outcome = await deal.over()
    assert hung.exit_code is None
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.parametrize("point", ["tx.before_broadcast", "tx.after_broadcast", "tx.in_receipts"])
async def test_a_leader_that_sleeps_through_its_replacement_repeats_nothing(
    scene, undisturbed, point
):
    deal = await scene.deal()
    asleep = await scene.paused_at(f"{point}:{PURCHASE.number}")
    other = scene.worker()
    await other.says("worker.started")
    end_its_lead(scene.database_url)
    await other.says("leader.acquired")
    await asyncio.sleep(HANG_SECONDS)
    asleep.send(signal.SIGCONT)  # it still believes that it leads, and goes on where it was
    outcome = await deal.over()
    assert await asleep.ended() not in {0, KILLED}  # crash-only: it found out and ended itself
    assert "leader.lost" in asleep.words()
    assert_same_deal(deal, outcome, undisturbed)


def end_its_lead(database_url):
    """Cut the connection that the lead hangs on, as a network that drops it would."""
    with psycopg.connect(libpq_url(database_url)) as connection:
        cut = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid IN "
            "(SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
        ).fetchone()
    assert cut == (1,)
