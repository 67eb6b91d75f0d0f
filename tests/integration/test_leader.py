import asyncio

import psycopg
import pytest

from holdfast.common.db import libpq_url
from holdfast.common.errors import Transient
from holdfast.common.leader import LeaderLock

HANGS_SECONDS = 30  # a bound for what never comes
LEASE_SECONDS = 5.0  # no pause of a busy machine is so long that a leader counts as frozen


def lock(url, name="chain:138"):
    return LeaderLock(url, name, retry_seconds=0.05, renew_seconds=0.1, lease_seconds=LEASE_SECONDS)


async def led(url):
    """The names of the leads that somebody holds."""
    async with await psycopg.AsyncConnection.connect(libpq_url(url)) as own:
        held = await own.execute("SELECT name FROM leases WHERE holder IS NOT NULL ORDER BY name")
        return [name for (name,) in await held.fetchall()]


async def kill_leader(url, name="chain:138"):
    async with await psycopg.AsyncConnection.connect(libpq_url(url), autocommit=True) as own:
        await own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            (f"holdfast-leader-{name}",),
        )


async def test_only_one_leads_and_leaving_hands_over(database_url):
    order = []

    async def follow():
        async with lock(database_url).held():
            order.append("second")

    async with lock(database_url).held():
        follower = asyncio.create_task(follow())
        await asyncio.sleep(0.3)
        order.append("first leaves")
    await asyncio.wait_for(follower, HANGS_SECONDS)
    assert order == ["first leaves", "second"]


async def test_locks_of_different_names_do_not_meet(database_url):
    one, other = lock(database_url, "chain:138"), lock(database_url, "chain:651940")
    async with one.held() as lost, asyncio.timeout(HANGS_SECONDS), other.held() as other_lost:
        assert await led(database_url) == ["chain:138", "chain:651940"]
        assert not lost.is_set()
        assert not other_lost.is_set()


async def test_the_lead_is_released_when_its_connection_dies_and_the_leader_is_told(database_url):
    async with lock(database_url).held() as lost:
        assert not lost.is_set()
        await kill_leader(database_url)
        await asyncio.wait_for(lost.wait(), HANGS_SECONDS)
        async with asyncio.timeout(HANGS_SECONDS), lock(database_url).held():
            pass


async def test_a_leader_whose_renewal_fails_in_an_unforeseen_way_is_told(database_url, monkeypatch):
    async def fail(*_):
        raise psycopg.InternalError("unforeseen")

    leading = lock(database_url)
    async with leading.held() as lost:
        monkeypatch.setattr(leading, "_renew", fail)
        await asyncio.wait_for(lost.wait(), HANGS_SECONDS)
        with pytest.raises(Transient):
            leading.lease.require()


async def test_work_is_cancelled_when_the_lead_is_lost(database_url):
    cancelled = asyncio.Event()

    async def work():
        try:
            await kill_leader(database_url)
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with pytest.raises(Transient) as caught:
        await lock(database_url).lead(work)
    assert caught.value.code == "leader.lost"
    assert cancelled.is_set()


async def test_work_that_ends_or_fails_while_leading_says_so(database_url):
    async def finish():
        pass

    async def fail():
        raise RuntimeError("planted")

    await lock(database_url).lead(finish)
    with pytest.raises(RuntimeError, match="planted"):
        await lock(database_url).lead(fail)


async def test_cancelling_the_leader_frees_the_lead(database_url):
    started = asyncio.Event()

    async def work():
        started.set()
        await asyncio.sleep(60)

    leading = asyncio.create_task(lock(database_url).lead(work))
    await started.wait()
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leading
    async with asyncio.timeout(HANGS_SECONDS), lock(database_url).held():
        pass
