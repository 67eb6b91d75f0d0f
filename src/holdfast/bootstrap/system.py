"""Opens the database and the endpoints that a system stands on, and closes them."""

from __future__ import annotations

import functools
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from holdfast.bootstrap.graph import Graph
from holdfast.bootstrap.records import database_url
from holdfast.bootstrap.settings import profile_of
from holdfast.chain.metrics import ChainMetrics
from holdfast.chain.pool import Pool
from holdfast.common.db import Database
from holdfast.common.metrics import new_registry
from holdfast.common.notify import Signal
from holdfast.common.retry import A_MOMENT_SECONDS, patiently
from holdfast.common.system_clock import SystemClock
from holdfast.migrations import revisions
from holdfast.transactions.store.recording import CHANNEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from holdfast.bootstrap.whole import System
    from holdfast.config import Settings


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
        require_newest = functools.partial(revisions.require_newest, db)
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
