"""A worker that is told to stop finishes what it does within seconds, and hands the lead over."""

import signal
import time

import psycopg
import pytest

from holdfast.common.db import libpq_url
from tests.recovery.groups import GROUPS
from tests.recovery.scene import assert_same_deal
from tests.recovery.test_two_workers import LEADS

PURCHASE, TRANCHE = GROUPS[2], GROUPS[4]
# The next leader asks for the lead every half second; twice that and more for a busy machine.
LEAD_SECONDS = 2.0
DRAIN_SECONDS = 5.0


@pytest.mark.parametrize("group", [PURCHASE, TRANCHE], ids=lambda one: one.name)
async def test_a_leader_that_is_told_to_stop_in_mid_deal_is_followed_at_once(
    scene, undisturbed, group
):
    first = scene.worker()
    await first.leads(*LEADS)
    second = scene.worker()
    await second.says("worker.started")
    deal = await scene.deal()
    await deal.signs(group.before + 1)
    first.send(signal.SIGTERM)
    told = time.monotonic()
    await second.leads("chain")
    led = time.monotonic() - told
    assert await first.ended() == 0
    drained = time.monotonic() - told
    print(f"lead handed over in {led:.2f} s, drained in {drained:.2f} s")  # noqa: T201 - a figure
    assert led < LEAD_SECONDS
    assert drained < DRAIN_SECONDS
    assert "worker.cut_off" not in first.words()
    outcome = await deal.over()
    assert "queue.job_taken_over" not in second.words()  # it left nothing to take over
    assert_same_deal(deal, outcome, undisturbed)


async def test_a_sole_worker_that_stops_leaves_nothing_under_way(scene, undisturbed):
    first = scene.worker()
    deal = await scene.deal()
    await deal.signs(TRANCHE.before + 1)
    first.send(signal.SIGTERM)
    assert await first.ended() == 0
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        assert connection.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
        ).fetchone() == (0,)
        assert connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'holdfast-leader%'"
        ).fetchone() == (0,)
    outcome = await deal.finished()
    assert_same_deal(deal, outcome, undisturbed)
