"""A leader that is frozen is replaced, and what it still believes does no harm."""

import asyncio
import os
import signal
import sys
import textwrap
import time

import psycopg
import pytest

from holdfast.common.boundary import unobserved
from holdfast.common.db import Database, libpq_url
from holdfast.common.errors import Ambiguous, Transient
from holdfast.common.leader import LeaderLock
from holdfast.common.store import LEASE_SECONDS
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.model import Place, Progress
from tests.support.reorgs import KeptReorgs
from tests.support.transactions import CHAIN, Woken

NAME = "chain:138"
HANGS_SECONDS = 30  # a bound for what never comes
LEASE = 1.5  # short enough to be waited for, and no pause of a busy machine lasts so long
QUICK = {"retry_seconds": 0.05, "renew_seconds": 0.1, "lease_seconds": LEASE}
HERE, THERE = Place(7, "0x07"), Place(9, "0x09")

LEADER = textwrap.dedent(
    """
    import asyncio, sys
    from holdfast.common.leader import LeaderLock

    async def work():
        print("> leading", flush=True)
        await asyncio.sleep(600)

    async def main():
        try:
            await LeaderLock(sys.argv[1], sys.argv[2]).lead(work)
        except Exception as error:
            print(">", error.code, flush=True)

    asyncio.run(main())
    """
)


async def leader_process(url):
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LEADER, url, NAME), stdout=asyncio.subprocess.PIPE
    )
    assert await said(made) == "leading"
    return made


async def said(process):
    """The next word of its own, which begins with a mark that its log lines lack."""
    async with asyncio.timeout(HANGS_SECONDS):
        async for line in process.stdout:
            if line.startswith(b"> "):
                return line[2:].decode().strip()
    raise AssertionError("it ended without a word")


def journal(database, lock):
    reorgs = KeptReorgs(finality=4)
    return PostgresJournal(database, CHAIN, Woken(), unobserved, reorgs=reorgs, lease=lock.lease)


async def rows(url, query, *values):
    async with await psycopg.AsyncConnection.connect(libpq_url(url), autocommit=True) as own:
        return await (await own.execute(query, values)).fetchall()


@pytest.fixture
async def other_database(database_url):
    pool = Database.connect(database_url)
    yield pool
    await pool.close()


async def test_a_frozen_leader_is_replaced_within_its_lease_and_ends_when_it_wakes(database_url):
    frozen = await leader_process(database_url)
    os.kill(frozen.pid, signal.SIGSTOP)
    since = time.monotonic()
    age = "SELECT extract(epoch FROM clock_timestamp() - renewed_at) FROM leases"
    ((unrenewed,),) = await rows(database_url, age)
    async with asyncio.timeout(20), LeaderLock(database_url, NAME).held():
        passed = time.monotonic() - since
        assert passed + float(unrenewed) > LEASE_SECONDS
        assert passed < LEASE_SECONDS + 3
        os.kill(frozen.pid, signal.SIGCONT)
        assert await said(frozen) == "leader.lost"
        assert await frozen.wait() == 0


async def test_a_killed_leader_is_replaced_at_once(database_url):
    dead = await leader_process(database_url)
    dead.kill()
    since = time.monotonic()
    async with asyncio.timeout(20), LeaderLock(database_url, NAME).held():
        assert time.monotonic() - since < LEASE_SECONDS
    await dead.wait()


async def test_a_leader_that_renews_is_left_alone(database_url):
    async with LeaderLock(database_url, NAME, **QUICK).held() as lost:
        rival = asyncio.create_task(
            LeaderLock(database_url, NAME, **QUICK).lead(asyncio.Event().wait)
        )
        await asyncio.sleep(3 * LEASE)
        assert not lost.is_set()
        rival.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rival


async def test_a_leader_without_a_lease_that_is_alive_is_left_alone(database_url):
    """As of a version from before there were leases, while workers are changed."""
    async with LeaderLock(database_url, NAME, **QUICK).held():
        pass  # leaves an old row behind
    old = LeaderLock(database_url, NAME, renew_seconds=0.1)
    key = old._values["key"]
    async with await psycopg.AsyncConnection.connect(
        libpq_url(database_url), autocommit=True
    ) as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (key,))
        rival = asyncio.create_task(
            LeaderLock(database_url, NAME, **QUICK).lead(asyncio.Event().wait)
        )
        for _ in range(30):  # twice its lease
            await asyncio.sleep(0.1)
            await connection.execute("SELECT 1")
        rival.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rival


async def test_each_leader_has_a_higher_epoch_and_its_row_says_who_it_is(database_url):
    one, two = LeaderLock(database_url, NAME), LeaderLock(database_url, NAME)
    async with one.held():
        first = one.lease.require()
    async with two.held():
        assert two.lease.require() == first + 1
        ((holder, age),) = await rows(
            database_url, "SELECT holder, extract(epoch FROM now() - renewed_at) FROM leases"
        )
        assert holder.endswith(f"/{os.getpid()}")
        assert age < LEASE_SECONDS
    assert await rows(database_url, "SELECT holder FROM leases") == [(None,)]


async def test_a_leader_that_was_replaced_writes_nothing(database, other_database, database_url):
    one, two = LeaderLock(database_url, NAME, **QUICK), LeaderLock(database_url, NAME)
    async with one.held() as lost:
        believer = journal(database, one)
        await believer.advance(Progress(place=HERE))
        epoch = one.lease.require()
        await cut_off(database_url, one)
        async with two.held():
            await asyncio.wait_for(lost.wait(), HANGS_SECONDS)
            one.lease.begin(epoch, one.lease._now_seconds())  # it believes that it leads
            for write in (
                believer.advance(Progress(place=THERE)),
                believer.sent([]),
                believer.unmine([HERE], 9),
            ):
                with pytest.raises(Transient) as caught:
                    await write
                assert caught.value.code == "leader.lost"
            assert await journal(other_database, two).place() == HERE
            await journal(other_database, two).advance(Progress(place=THERE))
    assert await believer.place() == THERE


async def cut_off(url, lock):
    await rows(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = %s",
        f"holdfast-leader-{lock.lease.name}",
    )


async def test_a_write_that_an_old_leader_began_is_undone_before_the_new_one_begins(
    database, other_database, database_url
):
    """As of a leader that froze between its check and its commit."""
    one, two = LeaderLock(database_url, NAME, **QUICK), LeaderLock(database_url, NAME, **QUICK)

    async def write_slowly(begun, go_on):
        async with database.begin() as session:
            await one.lease.fence(session)
            await session.exec_driver_sql(
                "INSERT INTO chain_cursors (chain_id, block_number, block_hash) VALUES (1, 2, '0')"
            )
            begun.set()
            await go_on.wait()

    begun, go_on = asyncio.Event(), asyncio.Event()
    async with one.held():
        writing = asyncio.create_task(write_slowly(begun, go_on))
        await begun.wait()
        await cut_off(database_url, one)
        async with asyncio.timeout(HANGS_SECONDS), two.held():
            go_on.set()
            with pytest.raises((Transient, Ambiguous)):
                await writing
            assert await rows(database_url, "SELECT * FROM chain_cursors") == []
