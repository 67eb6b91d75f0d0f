"""A new version is rolled out while deals are under way: old and new workers on one database."""

import contextlib
import signal
import time

import psycopg
import pytest

from holdfast.common.db import libpq_url
from tests.recovery.groups import GROUPS
from tests.recovery.scene import assert_same_deal
from tests.support.versions import version
from tests.support.worker_process import KILLED, ExecutedWorker

PURCHASE = GROUPS[2]
START_SECONDS = 180.0  # a cold start: nothing of these copies is compiled yet
DRAIN_SECONDS = 5.0
# Ten seconds after which a deal that was woken in vain is due again, more than once if need be.
PATIENCE_SECONDS = 180.0

EXPANDED = """
    ALTER TABLE deals ADD COLUMN of_the_next_version text;
    ALTER TABLE intents ADD COLUMN of_the_next_version text;
    UPDATE alembic_version SET version_num = 'next'
"""
# The new version wakes deals by a new task as well as by the one that the old version knows.
_OLD_TASK = "self._advance = self._engine.task(TASK, self._woken, retry=_RETRY)"
_NEW_TASK = (
    "self._engine.task(TASK, self._woken, retry=_RETRY);"
    ' self._advance = self._engine.task("advance_next", self._woken, retry=_RETRY)'
)
UNKNOWN_TASK = ("common/queue.py", _OLD_TASK, _NEW_TASK)


@contextlib.contextmanager
def worker_of(scene, root):
    environment = {**scene.environment(), "PYTHONPATH": str(root)}
    worker = ExecutedWorker(environment, scene.folder / f"{root.name}-{time.monotonic_ns()}.log")
    try:
        yield worker
    finally:
        worker.end()


def expand(scene):
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        connection.execute(EXPANDED)


def failed_jobs(scene):
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        return connection.execute(
            "SELECT DISTINCT task_name FROM procrastinate_jobs WHERE status = 'failed'"
        ).fetchall()


@pytest.mark.slow
async def test_a_deal_of_the_old_version_is_finished_by_the_new_one(scene, undisturbed, tmp_path):
    old, new = (version(tmp_path, name) for name in ("old", "new"))
    with worker_of(scene, old) as first, contextlib.ExitStack() as stack:
        await first.says('"version": "old"', START_SECONDS)
        deal = await scene.deal()
        await deal.signs(PURCHASE.before)
        expand(scene)
        second = stack.enter_context(worker_of(scene, new))
        await second.says('"version": "new"', START_SECONDS)
        first.send(signal.SIGTERM)
        told = time.monotonic()
        assert await first.ended() == 0
        drained = time.monotonic() - told
        print(f"the old version drained in {drained:.2f} s")  # noqa: T201 - a figure
        assert drained < DRAIN_SECONDS
        outcome = await deal.over()
    assert failed_jobs(scene) == []
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.slow
async def test_old_workers_run_and_start_on_the_schema_of_the_next_version(
    scene, undisturbed, tmp_path
):
    old = version(tmp_path, "old")
    with worker_of(scene, old) as first:
        await first.says('"version": "old"', START_SECONDS)
        expand(scene)
        deal = await scene.deal()
        await deal.signs(PURCHASE.before)
        assert await first.kill() == KILLED
        with worker_of(scene, old) as second:
            outcome = await deal.over()
            assert "database.newer_schema" in second.words()
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.slow
async def test_a_task_that_the_old_version_does_not_know_delays_a_deal_and_fails_none(
    scene, undisturbed, tmp_path
):
    old, new = version(tmp_path, "old"), version(tmp_path, "new", UNKNOWN_TASK)
    with worker_of(scene, old) as first, worker_of(scene, new) as second:
        await first.says('"version": "old"', START_SECONDS)
        await second.says('"version": "new"', START_SECONDS)
        deal = await scene.deal()
        await deal.signs(PURCHASE.before, PATIENCE_SECONDS)
        first.send(signal.SIGTERM)
        assert await first.ended() == 0
        outcome = await deal.over(PATIENCE_SECONDS)
    assert set(failed_jobs(scene)) <= {("advance_next",)}
    assert_same_deal(deal, outcome, undisturbed)
