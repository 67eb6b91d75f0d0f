"""Opens the database alone: what works without a node, and the kill switch first of all.

Whatever one of these does not need is not imported for it: when the desk must stop, seconds count.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from holdfast.common.db import Database
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.system_clock import SystemClock
from holdfast.migrations import revisions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from holdfast.config import Settings
    from holdfast.monitoring.risk_status import RiskStatus
    from holdfast.reporting.reporter import Reporter
    from holdfast.reporting.workers import WorkersReporter
    from holdfast.risk.switch import KillSwitch


async def database_url(settings: Settings) -> str:
    """The given database, or the embedded one, started and migrated."""
    if settings.database_url is not None:
        return settings.database_url
    server = EmbeddedPostgres(settings.state_dir)
    url = await asyncio.to_thread(server.start)
    db = Database.connect(url, pool_size=1)
    try:
        found = await revisions.current(db)
        if found != revisions.newest() and not revisions.is_newer(found):
            from holdfast.migrations import runner  # noqa: PLC0415

            await runner.upgrade(db)
    finally:
        await db.close()
    return url


@asynccontextmanager
async def opened_switch(settings: Settings) -> AsyncGenerator[tuple[Database, KillSwitch]]:
    """The database and the kill switch; no node is asked.

    Raises:
        Rejected: `database.schema` when it is not migrated.
        Transient: when it does not answer.
    """
    from holdfast.audit.service import AuditTrail  # noqa: PLC0415
    from holdfast.common.queue import Queue  # noqa: PLC0415
    from holdfast.execution.waiting import TradingWaits  # noqa: PLC0415
    from holdfast.monitoring.alarm import alerts_at  # noqa: PLC0415
    from holdfast.risk.switch import KillSwitch  # noqa: PLC0415

    async with _database_alone(settings) as (url, db):
        clock, waiting = SystemClock(), TradingWaits(Queue(url))
        yield db, KillSwitch(AuditTrail(clock), alerts_at(url), clock, waiting)


@asynccontextmanager
async def opened_risk_status(settings: Settings) -> AsyncGenerator[RiskStatus]:
    """What the risk monitor last saw; raises as `opened_switch`."""
    from holdfast.monitoring.risk_status import RiskStatus  # noqa: PLC0415

    async with _database_alone(settings) as (_, db):
        yield RiskStatus(db)


@asynccontextmanager
async def opened_workers_reporter(settings: Settings) -> AsyncGenerator[WorkersReporter]:
    """What tells how the workers of the settings' database fare; raises as `opened_switch`."""
    from holdfast.execution.store.deals import DealStore  # noqa: PLC0415
    from holdfast.reporting.workers import WorkersReporter  # noqa: PLC0415

    async with _database_alone(settings) as (_, db):
        yield WorkersReporter(db, DealStore(), SystemClock())


@asynccontextmanager
async def opened_reporter(
    settings: Settings, closes: tuple[float, ...] = ()
) -> AsyncGenerator[Reporter]:
    """What makes reports from the settings' database; `closes` are daily prices of ETH.

    Raises as `opened_switch`.
    """
    from holdfast.audit.service import AuditTrail  # noqa: PLC0415
    from holdfast.bootstrap.settings import limits_of  # noqa: PLC0415
    from holdfast.monitoring.store import history  # noqa: PLC0415
    from holdfast.reporting.reporter import Reporter  # noqa: PLC0415 - numpy

    async with _database_alone(settings) as (_, db):
        clock = SystemClock()
        yield Reporter(db, AuditTrail(clock), clock, limits_of(settings), history, closes)


@asynccontextmanager
async def _database_alone(settings: Settings) -> AsyncGenerator[tuple[str, Database]]:
    """One connection to the migrated database, and its address; no node is asked."""
    url = await database_url(settings)
    db = Database.connect(url, pool_size=1)
    try:
        await revisions.require_newest(db)
        yield url, db
    finally:
        await db.close()
