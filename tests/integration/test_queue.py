import asyncio
import contextlib
import os
import signal
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from holdfast.common.db import Database, libpq_url
from holdfast.common.errors import Ambiguous, Broken, Transient
from holdfast.common.ids import new_deal_id
from holdfast.common.queue import Queue
from holdfast.execution.jobs import AGAIN_SECONDS

HANGS_SECONDS = 60  # a bound for what never comes
WAKES = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'advance'"


@contextlib.asynccontextmanager
async def working(url, wake, *, concurrency=8):
    """Run a worker around the block, as the product's worker process does."""
    running = asyncio.create_task(Queue(url).run(wake, concurrency=concurrency))
    try:
        yield running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, ExceptionGroup):
            await running


class Woken:
    """Remembers which deals were woken, and lets a test wait for them."""

    def __init__(self, *, raising=None):
        self.deals = []
        self._changed = asyncio.Event()
        self._raising = raising

    async def __call__(self, deal):
        self.deals.append(deal)
        self._changed.set()
        if self._raising is not None:
            raise self._raising

    async def wait_for(self, count, seconds=HANGS_SECONDS):
        await self._until(lambda: len(self.deals) >= count, seconds)

    async def wait_until(self, deal, seconds=HANGS_SECONDS):
        await self._until(lambda: deal in self.deals, seconds)

    async def _until(self, condition, seconds):
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


async def counts(database_url, query, *parameters):
    async with await psycopg.AsyncConnection.connect(libpq_url(database_url)) as connection:
        cursor = await connection.execute(query, parameters)
        return (await cursor.fetchone())[0]


async def wake(database, queue, *deals, at=None):
    async with database.begin() as session:
        await queue.wake(session, *deals, at=at)


async def test_a_wake_reaches_the_handler_once_its_transaction_commits(database, database_url):
    woken, deal = Woken(), new_deal_id()
    async with working(database_url, woken):
        async with database.begin() as session:
            await Queue(database_url).wake(session, deal)
            await asyncio.sleep(0.5)
            assert woken.deals == []
        await woken.wait_for(1)
    assert woken.deals == [deal]


async def test_a_wake_rolls_back_with_its_transaction(database, database_url):
    async def wake_and_fail():
        async with database.begin() as session:
            await Queue(database_url).wake(session, new_deal_id())
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        await wake_and_fail()
    assert await counts(database_url, WAKES) == 0


async def test_a_transaction_that_only_wakes_is_committed(database, database_url):
    await wake(database, Queue(database_url), new_deal_id())
    assert await counts(database_url, WAKES) == 1


async def test_a_timed_wake_waits_for_its_time(database, database_url):
    woken = Woken()
    times = []

    async def note(deal):
        times.append(now())
        await woken(deal)

    async with working(database_url, note):
        due = now() + timedelta(seconds=1)
        await wake(database, Queue(database_url), new_deal_id(), at=due)
        await woken.wait_for(1)
    assert times >= [due]


def now():
    """The time on the database's own clock."""
    return datetime.now(UTC)  # noqa: TID251 - the same machine's


async def test_a_lost_notification_is_made_good_by_the_poll(database, database_url):
    async with database.begin() as session:
        await session.exec_driver_sql(
            "DROP TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 ON procrastinate_jobs"
        )
    woken, deal = Woken(), new_deal_id()
    async with working(database_url, woken):
        await asyncio.sleep(0.5)
        await wake(database, Queue(database_url), deal)
        await woken.wait_for(1, seconds=4)  # the engine's own poll takes five
    assert woken.deals == [deal]


async def test_wakes_of_a_busy_deal_run_it_once_more_and_not_at_the_same_time(
    database, database_url
):
    deal, started, release = new_deal_id(), asyncio.Event(), asyncio.Event()
    runs, at_once = [], []

    async def slow(woken):
        at_once.append(woken)
        assert len(at_once) == 1
        runs.append(woken)
        started.set()
        await release.wait()
        at_once.remove(woken)

    queue = Queue(database_url)
    async with working(database_url, slow, concurrency=2):
        await wake(database, queue, deal)
        await started.wait()
        await wake(database, queue, deal, deal, deal)
        await until_done(database_url, left=1)
        release.set()
        await until_done(database_url, left=0)
    assert runs == [deal, deal]


async def until_done(database_url, *, left, seconds=HANGS_SECONDS):
    async with asyncio.timeout(seconds):
        while await counts(database_url, WAKES) != left:  # noqa: ASYNC110 - another process's rows
            await asyncio.sleep(0.05)


async def test_a_deal_that_waits_does_not_hold_up_another(database, database_url):
    slow_deal, quick_deal, release = new_deal_id(), new_deal_id(), asyncio.Event()
    woken = Woken()

    async def advance(deal):
        if deal == slow_deal:
            await release.wait()
        await woken(deal)

    async with working(database_url, advance, concurrency=2):
        await wake(database, Queue(database_url), slow_deal, slow_deal, slow_deal, quick_deal)
        await woken.wait_for(1)
        assert woken.deals == [quick_deal]
        release.set()


class Recovers:
    """A wake that fails as many times as it is told, then works."""

    def __init__(self, error, failures):
        self.error, self.left, self.runs = error, failures, 0

    async def __call__(self, deal):
        self.runs += 1
        if self.left > 0:
            self.left -= 1
            raise self.error


@pytest.mark.parametrize("error", [Transient("x.later", "later"), Ambiguous("x.open", "open")])
async def test_a_wake_that_may_succeed_later_is_tried_again_soon(database, database_url, error):
    recovers = Recovers(error, failures=1)
    async with working(database_url, recovers):
        await wake(database, Queue(database_url), new_deal_id())
        await until_done(database_url, left=0)
    assert recovers.runs == 2


async def test_a_wake_that_never_succeeds_is_left_to_the_sweep(database, database_url):
    recovers = Recovers(Transient("x.later", "later"), failures=100)
    async with working(database_url, recovers):
        await wake(database, Queue(database_url), new_deal_id())
        await until_done(database_url, left=0)
    # The first, and one a second until the deal is due again for the sweep.
    assert recovers.runs == 1 + AGAIN_SECONDS


@pytest.mark.parametrize("error", [Transient("x.later", "later"), Broken("x.broken", "broken")])
async def test_an_error_of_a_deal_leaves_the_worker_running(database, database_url, error):
    woken, failing, other = Woken(raising=error), new_deal_id(), new_deal_id()
    async with working(database_url, woken) as running:
        await wake(database, Queue(database_url), failing)
        await woken.wait_for(1)
        await wake(database, Queue(database_url), other)
        await woken.wait_until(other)
        assert not running.done()
    assert set(woken.deals) == {failing, other}


async def test_finished_jobs_are_deleted_and_unforeseen_failures_are_kept(database, database_url):
    async with working(database_url, Woken()):
        await wake(database, Queue(database_url), new_deal_id())
        await until_done(database_url, left=0)
    failing = Woken(raising=RuntimeError("planted"))
    async with working(database_url, failing):
        await wake(database, Queue(database_url), new_deal_id())
        await failing.wait_for(1)
    failed = f"{WAKES} AND status = 'failed'"
    assert await counts(database_url, failed) == 1


async def test_cancelling_the_worker_finishes_the_job_that_runs(database, database_url):
    started, finished = asyncio.Event(), []

    async def slow(deal):
        started.set()
        await asyncio.sleep(0.5)
        finished.append(deal)

    deal = new_deal_id()
    async with working(database_url, slow):
        await wake(database, Queue(database_url), deal)
        await started.wait()
    assert finished == [deal]
    assert await counts(database_url, WAKES) == 0


async def test_a_worker_whose_engine_stops_is_broken(database_url):
    async with working(database_url, Woken()) as running:
        await asyncio.sleep(0.3)
        async with await psycopg.AsyncConnection.connect(
            libpq_url(database_url), autocommit=True
        ) as connection:
            await connection.execute("DROP FUNCTION procrastinate_update_heartbeat_v1")
        async with asyncio.timeout(HANGS_SECONDS):
            await asyncio.wait([running])
        assert running.exception().split(Broken)[0] is not None


async def test_a_wake_on_a_lost_connection_is_transient(database_url):
    database = Database.connect(database_url)

    async def wake_while_the_server_hangs_up():
        async with database.begin() as session:
            await session.exec_driver_sql("SELECT 1")
            await terminate_others(database_url)
            await Queue(database_url).wake(session, new_deal_id())

    with pytest.raises(Transient):
        await wake_while_the_server_hangs_up()
    await database.close()


async def terminate_others(database_url):
    await counts(
        database_url,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


WORKER = textwrap.dedent(
    """
    import asyncio, sys
    from holdfast.common.queue import Queue

    async def hang(deal):
        print(deal, flush=True)
        await asyncio.sleep(600)

    asyncio.run(Queue(sys.argv[1]).run(hang))
    """
)


async def test_the_job_of_a_killed_worker_is_taken_over_within_seconds(database, database_url):
    deal = new_deal_id()
    await wake(database, Queue(database_url), deal)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, database_url, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(HANGS_SECONDS):
        assert (await victim.stdout.readline()).decode().strip() == str(deal)
    os.kill(victim.pid, signal.SIGKILL)
    await victim.wait()
    woken = Woken()
    async with working(database_url, woken):
        # stall 3 s + heartbeat 1 s + reaper 0.5 s + poll 0.2 s = 4.7 s at worst
        await woken.wait_for(1, seconds=6)
    assert woken.deals == [deal]
