"""No connection is left open by a task that is cancelled, wherever that finds it."""

import asyncio
import gc
import itertools
import warnings

import pytest

from holdfast.common.db import Database
from holdfast.common.leader import LeaderLock
from holdfast.common.notify import Signal
from tests.support.cancelling import cancelled_at


async def use_pool(url):
    database = Database.connect(url, pool_size=1, max_overflow=1)
    try:
        async with database.begin() as session:
            await session.exec_driver_sql("SELECT 1")
            async with database.begin() as other:  # in a connection beyond the pool's size
                await other.exec_driver_sql("SELECT 1")
    finally:
        await database.close()


async def listen(url):
    async with Signal(url, "sends", poll_seconds=0) as signal:
        await signal.wait()


async def lead(url):
    async with LeaderLock(url, "chain:1").held():
        await asyncio.sleep(0)


async def cancelled(work, first, times):
    """Whether `work` was cancelled; False when it ends before its wait number `first`."""
    task = asyncio.ensure_future(cancelled_at(work, first, times))
    await asyncio.wait([task])
    return task.cancelled() or task.result() > first


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("use", [use_pool, listen, lead])
async def test_a_task_cancelled_at_any_of_its_waits_leaves_no_connection_open(
    database_url, use, times
):
    """Twice: as by an operator's second signal, while the first is still being obeyed."""
    left = []
    for first in itertools.count():
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ResourceWarning)
            was_cancelled = await cancelled(use(database_url), first, times)
            gc.collect()
        left += [(first, str(warning.message)) for warning in told]
        if not was_cancelled:
            break
    assert first >= 3, "it waits at least to connect, to ask and to be answered"
    assert left == []
