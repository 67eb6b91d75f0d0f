"""Opens the database and the endpoints that a system stands on, and closes them."""

from __future__ import annotations

import functools
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from holdfast.audit.service import AuditTrail
from holdfast.bootstrap.graph import Graph
from holdfast.bootstrap.settings import database_url, limits_of, profile_of
from holdfast.chain.metrics import ChainMetrics
from holdfast.chain.pool import Pool
from holdfast.common.db import Database
from holdfast.common.metrics import new_registry
from holdfast.common.notify import Signal
from holdfast.common.queue import Queue
from holdfast.common.retry import A_MOMENT_SECONDS, patiently
from holdfast.common.system_clock import SystemClock
from holdfast.execution.store.deals import DealStore
from holdfast.execution.waiting import TradingWaits
from holdfast.migrations import runner
from holdfast.monitoring.risk_status import RiskStatus
from holdfast.monitoring.store import history
from holdfast.monitoring.targets import targets
from holdfast.monitoring.wiring import notices_of
from holdfast.reporting.workers import WorkersReporter
from holdfast.risk.switch import KillSwitch
from holdfast.transactions.store.recording import CHANNEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from holdfast.bootstrap.whole import System
    from holdfast.config import Settings
    from holdfast.reporting.reporter import Reporter


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    patience_seconds: float = A_MOMENT_SECONDS,
) -> AsyncGenerator[System]:
    """The system for `settings`: database reachable and migrated, no node is asked yet.

    Args:
        settings: what the operator decided.
        patience_seconds: how long a database that is away is waited for.

    Raises:
        Rejected: what is wrong with the settings, the profile or the keystore.
        Transient: when the database does not answer.
    """
    async with AsyncExitStack() as stack:
        profile = profile_of(settings)
        url = await database_url(settings)
        db = Database.connect(url, pool_size=settings.database_pool)
        stack.push_async_callback(db.close)
        require_newest = functools.partial(runner.require_newest, db)
        await patiently(require_newest, seconds=patience_seconds)
        metrics = new_registry()
        pool = Pool.over_http(profile, SystemClock(), ChainMetrics(metrics))
        stack.push_async_callback(pool.close)
        signals = [Signal(url, CHANNEL) for _ in range(settings.chain_shards)]
        for each in signals:
            listen = functools.partial(stack.enter_async_context, each)
            await patiently(listen, seconds=patience_seconds)
        yield Graph(settings, profile, url, db, metrics=metrics).system(pool, signals)


@asynccontextmanager
async def opened_chain(settings: Settings) -> AsyncGenerator[Pool]:
    """The endpoints of the chain alone, without a database; none is asked yet.

    Raises:
        Rejected: what is wrong with the settings or the profile.
    """
    pool = Pool.over_http(profile_of(settings), SystemClock(), ChainMetrics(new_registry()))
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def opened_workers_reporter(settings: Settings) -> AsyncGenerator[WorkersReporter]:
    """What tells how the workers of the settings' database fare.

    Raises:
        Rejected: `database.schema` when it is not migrated.
        Transient: when it does not answer.
    """
    async with _database_alone(settings) as (_, db):
        yield WorkersReporter(db, DealStore(), SystemClock())


@asynccontextmanager
async def opened_switch(settings: Settings) -> AsyncGenerator[tuple[Database, KillSwitch]]:
    """The database and the kill switch; no node is asked.

    Raises:
        Rejected: `database.schema` when it is not migrated.
        Transient: when it does not answer.
    """
    async with _database_alone(settings) as (url, db):
        reached = targets(settings.alert_urls, settings.alert_severity)
        clock = SystemClock()
        alerts, waiting = notices_of(url, db, reached).alerts, TradingWaits(Queue(url))
        yield db, KillSwitch(AuditTrail(clock), alerts, clock, waiting)


@asynccontextmanager
async def opened_reporter(
    settings: Settings, closes: tuple[float, ...] = ()
) -> AsyncGenerator[Reporter]:
    """What makes reports from the settings' database; `closes` are daily prices of ETH.

    Raises:
        Rejected: `database.schema` when it is not migrated.
        Transient: when it does not answer.
    """
    from holdfast.reporting.reporter import Reporter  # noqa: PLC0415 - numpy, which only it needs

    async with _database_alone(settings) as (_, db):
        clock = SystemClock()
        yield Reporter(db, AuditTrail(clock), clock, limits_of(settings), history, closes)


@asynccontextmanager
async def opened_risk_status(settings: Settings) -> AsyncGenerator[RiskStatus]:
    """What the risk monitor last saw; raises as `opened_workers_reporter`."""
    async with _database_alone(settings) as (_, db):
        yield RiskStatus(db)


@asynccontextmanager
async def _database_alone(settings: Settings) -> AsyncGenerator[tuple[str, Database]]:
    """One connection to the migrated database, and its address; no node is asked."""
    url = await database_url(settings)
    db = Database.connect(url, pool_size=1)
    try:
        await runner.require_newest(db)
        yield url, db
    finally:
        await db.close()
