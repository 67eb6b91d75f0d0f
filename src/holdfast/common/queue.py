"""Wakes deals and calls for chores: the one port over the job engine, which only ever signals.

A lost wake-up delays a deal until the next sweep; a doubled one does nothing. What a deal has
done stands in its own rows, written in the transaction that asks for the next wake-up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, LiteralString, Protocol, TypeAlias
from uuid import UUID

import structlog
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager

from holdfast.common.boundary import unobserved
from holdfast.common.coalescing import Coalesced
from holdfast.common.db import libpq_url, raw_connection
from holdfast.common.errors import Ambiguous, Broken, Transient
from holdfast.common.ids import DealId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from procrastinate.tasks import Task
    from procrastinate.types import JSONDict
    from psycopg import AsyncConnection

    from holdfast.common.boundary import Boundary
    from holdfast.common.coalescing import Wake
    from holdfast.common.db import Session

_Task: TypeAlias = "Task[..., Awaitable[None], ...]"

QUEUE = "deals"
TASK = "advance"
CHORE_QUEUE = "chores"
CHORE_TASK = "chore"

_POLL_SECONDS = 0.2  # NOTIFY can be lost while a fetch runs, and timed jobs send none when due
_CHORE_POLL_SECONDS = 1.0  # no deal waits for a chore
_HEARTBEAT_SECONDS = 1.0
_STALLED_SECONDS = 3.0  # three heartbeats missed: the worker is dead, or too busy to be trusted
_REAP_SECONDS = 0.5
_DRAIN_SECONDS = 10.0
# Once a second until the deal is due again (execution.jobs.AGAIN_SECONDS); then the sweep has it.
# Fewer would leave a gap in which nobody tries, more would only try beside the sweep's own wake.
# PostgreSQL that restarts (4 s were ridden out) and a node that a pool probes again (5 s at the
# most) are back before.
_RETRIES, _RETRY_SECONDS = 10, 1
_RETRY = RetryStrategy(
    max_attempts=_RETRIES, wait=_RETRY_SECONDS, retry_exceptions=(Transient, Ambiguous)
)
_RETENTION_HOURS = 7 * 24  # of jobs that failed, kept as evidence; the others go when they end
_RETENTION_CRON = "17 * * * *"
_CHORE_SWEEP_CRON = "* * * * * */30"  # the sixth field is the seconds

_log = structlog.stdlib.get_logger(__name__)


def schema_sql() -> str:
    """The engine's own tables and functions, as the installed version ships them."""
    return SchemaManager.get_schema()


class Queue:
    """Wake-ups of deals, in the database at `url`."""

    def __init__(self, url: str, boundary: Boundary = unobserved) -> None:
        self._boundary = boundary
        self._engine = _Engine(url, QUEUE, connections=6)
        self._advance = self._engine.task(TASK, self._woken, retry=_RETRY)
        retention = self._engine.task("delete_old_jobs", self._delete_old_jobs)
        self._engine.every(_RETENTION_CRON, retention)
        self._wake: Wake | None = None

    async def wake(self, session: Session, *deals: DealId, at: datetime | None = None) -> None:
        """Ask for `deals` to be advanced, now or at `at`, if and only if `session` commits.

        Raises:
            Transient: `queue.unavailable`; the transaction is lost and nothing was written.
        """
        if deals:
            asked: list[JSONDict] = [{"deal_id": str(deal)} for deal in deals]
            await _defer(session, self._advance, asked, at)

    async def run(self, wake: Wake, *, concurrency: int = 8) -> None:
        """Call `wake` for every deal that is woken, until cancelled; then finish what runs.

        Raises:
            Broken: `queue.stopped`; the engine lost its listener or heartbeat, end the process.
        """
        self._wake = Coalesced(wake)
        await self._engine.run(concurrency)

    async def _woken(self, context: JobContext, deal_id: str) -> None:
        if self._wake is None:
            raise Broken("queue.no_handler", "a job came before the queue was run")
        self._boundary("queue.job_fetched")
        deal = DealId(UUID(deal_id))
        with structlog.contextvars.bound_contextvars(deal=deal_id):
            try:
                await self._wake(deal)
            except (Transient, Ambiguous):
                # Raised, the engine tries again soon; at last the job ends and the sweep goes on.
                if context.job.attempts < _RETRIES:
                    raise
        self._boundary("queue.job_done")

    async def _delete_old_jobs(self, _context: JobContext, timestamp: int) -> None:  # noqa: ARG002 - the engine's call
        await self._engine.app.job_manager.delete_old_jobs(
            _RETENTION_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )


class ChoreRunner(Protocol):
    """Whoever does chores; what fails there stays there."""

    async def do(self, kind: str, subject: str) -> None:
        """Make one attempt at a chore, if it is due."""
        ...

    async def sweep(self) -> None:
        """Ring for chores that are overdue."""
        ...


class ChoreQueue:
    """Calls for work that no deal waits for, on connections and workers of its own.

    What a chore is and how often it was tried stands in the rows of whoever does it: a job
    carries its kind and subject and nothing else, and is never retried by the engine.
    """

    def __init__(self, url: str) -> None:
        self._engine = _Engine(url, CHORE_QUEUE, connections=3, poll_seconds=_CHORE_POLL_SECONDS)
        self._chore = self._engine.task(CHORE_TASK, self._called)
        self._engine.every(_CHORE_SWEEP_CRON, self._engine.task("sweep_chores", self._swept))
        self._runner: ChoreRunner | None = None

    async def ring(
        self, session: Session, kind: str, subject: str, *, at: datetime | None = None
    ) -> None:
        """Call for a chore, now or at `at`, if and only if `session` commits; as `Queue.wake`."""
        await _defer(session, self._chore, [{"kind": kind, "subject": subject}], at)

    async def run(self, runner: ChoreRunner, *, concurrency: int = 2) -> None:
        """Have chores done until cancelled; then finish what runs. Raises as `Queue.run`."""
        self._runner = runner
        await self._engine.run(concurrency)

    async def _called(self, _context: JobContext, kind: str, subject: str) -> None:
        await self._ready().do(kind, subject)

    async def _swept(self, _context: JobContext, timestamp: int) -> None:  # noqa: ARG002 - the engine's call
        await self._ready().sweep()

    def _ready(self) -> ChoreRunner:
        if self._runner is None:
            raise Broken("queue.no_handler", "a job came before the queue was run")
        return self._runner


class _Engine:
    """One queue of the job engine: its connections, its worker, and the reaper of dead workers."""

    def __init__(
        self, url: str, queue: str, *, connections: int, poll_seconds: float = _POLL_SECONDS
    ) -> None:
        self._poll_seconds = poll_seconds
        connector = PsycopgConnector(
            conninfo=libpq_url(url),
            min_size=2,
            max_size=connections,
            kwargs={"application_name": f"holdfast-queue-{queue}"},
            # Each call of the engine is one statement: a transaction around it would only cost
            # two more exchanges with the server.
            configure=_autocommit,
        )
        self.app = App(connector=connector)
        self._queue = queue

    def task(
        self, name: str, work: Callable[..., Awaitable[None]], *, retry: RetryStrategy | None = None
    ) -> _Task:
        """The task `name`, which does `work`; it is given the job's context first."""
        made = self.app.task(name=name, queue=self._queue, pass_context=True, retry=retry or False)
        return made(work)

    def every(self, cron: str, task: _Task) -> None:
        """Have `task` done at the times of `cron`, once however many workers there are."""
        # Without any periodic task the engine stops watching its own listener and heartbeat as
        # soon as it has started (procrastinate issue 1597): each queue must have one.
        self.app.periodic(cron=cron)(task)

    async def run(self, concurrency: int) -> None:
        """Work until cancelled; `queue.stopped` when the engine ends by itself."""
        async with self.app.open_async(), asyncio.TaskGroup() as group:
            group.create_task(self._reap(), name=f"queue.{self._queue}.reaper")
            group.create_task(self._work(concurrency), name=f"queue.{self._queue}.worker")

    async def _work(self, concurrency: int) -> None:
        await self.app.run_worker_async(
            queues=[self._queue],
            concurrency=concurrency,
            fetch_job_polling_interval=self._poll_seconds,
            update_heartbeat_interval=_HEARTBEAT_SECONDS,
            shutdown_graceful_timeout=_DRAIN_SECONDS,
            install_signal_handlers=False,
            delete_jobs="successful",
        )
        raise Broken("queue.stopped", "the job worker stopped by itself: its log says why")

    async def _reap(self) -> None:
        """Give the jobs of dead workers to living ones."""
        while True:
            await self._retry_stalled()
            await asyncio.sleep(_REAP_SECONDS)

    async def _retry_stalled(self) -> None:
        jobs = self.app.job_manager
        for job in await jobs.get_stalled_jobs(
            queue=self._queue, seconds_since_heartbeat=_STALLED_SECONDS
        ):
            try:
                await jobs.retry_job(job)
            except ConnectorException:
                continue  # another reaper was faster, or the worker ended the job after all
            _log.warning("queue.job_taken_over", job=job.id, worker=job.worker_id)


async def _defer(session: Session, task: _Task, asked: list[JSONDict], at: datetime | None) -> None:
    connection = await raw_connection(session)
    try:
        await task.configure(connection=connection, schedule_at=at).batch_defer_async(*asked)
    except ConnectorException as error:
        raise Transient("queue.unavailable", "the wake-up could not be written") from error


async def _autocommit(connection: AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)


@dataclass(frozen=True, slots=True)
class Depth:
    """The jobs of one queue.

    Args:
        waiting: due, and taken by nobody.
        later: not due yet.
        running: taken by a worker that lives.
        abandoned: taken by one that does not; given to another within seconds.
        failed: ended by an unforeseen error, kept as evidence.
    """

    queue: str
    waiting: int
    later: int
    running: int
    abandoned: int
    failed: int


_DEPTHS: Final[LiteralString] = """
    SELECT j.queue_name,
        count(*) FILTER (WHERE j.status = 'todo' AND coalesce(j.scheduled_at, now()) <= now()),
        count(*) FILTER (WHERE j.status = 'todo' AND j.scheduled_at > now()),
        count(*) FILTER (WHERE j.status = 'doing' AND w.last_heartbeat > %(alive)s),
        count(*) FILTER (
            WHERE j.status = 'doing' AND coalesce(w.last_heartbeat <= %(alive)s, true)),
        count(*) FILTER (WHERE j.status = 'failed')
    FROM procrastinate_jobs AS j LEFT JOIN procrastinate_workers AS w ON w.id = j.worker_id
    GROUP BY j.queue_name ORDER BY j.queue_name
"""


async def depths(session: Session, now: datetime) -> list[Depth]:
    """How many jobs there are in each queue that has any."""
    connection = await raw_connection(session)
    alive = now - timedelta(seconds=_STALLED_SECONDS)
    rows = await (await connection.execute(_DEPTHS, {"alive": alive})).fetchall()
    return [Depth(*row) for row in rows]
