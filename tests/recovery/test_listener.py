"""Workers that lead the event listener are killed; what it heard is all there was, each once."""

import asyncio

import psycopg
import pytest

from holdfast.common.db import libpq_url
from holdfast.common.money import amount_of
from tests.support.deals import ALICE, request_for
from tests.support.heard import told_by_the_chain
from tests.support.sabotage import die_listening
from tests.support.worker_process import KILLED


def rows(scene, query):
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        return connection.execute(query).fetchall()


def cursor(scene):
    return max(number for (number,) in rows(scene, "SELECT block_number FROM event_cursors"))


def head(scene):
    return scene.devnet.control.block_number()


async def caught_up(scene, seconds=60):
    """Return once the cursor stands at the newest block."""
    async with asyncio.timeout(seconds):
        while cursor(scene) < head(scene):  # noqa: ASYNC110 - another process's rows
            await asyncio.sleep(0.05)


class Gifts:
    """One more unit of cash for an account each time, in a block of its own."""

    def __init__(self, scene, account):
        self.scene, self.account, self.given = scene, account, 0

    def give(self, count):
        for _ in range(count):
            self.given += 1
            cash = amount_of(self.scene.devnet.profile.usdt, self.given)
            self.scene.devnet.control.give(cash, self.account)


def assert_heard_once(scene, gifts, start):
    found = rows(scene, "SELECT block_hash, log_index, amount FROM account_events")
    places = [(block, index) for block, index, _ in found]
    assert len(places) == len(set(places))
    assert set(places) == told_by_the_chain(scene.devnet, [gifts.account], after=start)
    assert sorted(int(amount) for *_, amount in found) == [
        units * 10**6 for units in range(1, gifts.given + 1)
    ]


@pytest.fixture
async def gifts(scene):
    """Gifts to the account of a deal that nobody approved, so that nothing else happens to it."""
    made = await scene.system.desk.create(request_for(scene.devnet), author=ALICE, approve_as=None)
    return Gifts(scene, made.plan.accounts.deal)


async def listening(scene, **options):
    """A worker that leads the listener."""
    worker = scene.worker(**options)
    await worker.says("events.started")
    return worker


async def the_account_is_known(scene):
    """From here on its events are heard from blocks as they are read, not looked up later."""
    worker = await listening(scene)
    await worker.says("events.accounts")
    await worker.kill()


async def test_listeners_killed_at_any_moment_leave_no_gap_and_no_double(scene, gifts):
    await the_account_is_known(scene)
    start, unread = head(scene), 0
    for pause in (0.0, 0.3, 0.6, 0.9, 1.2):
        worker = await listening(scene)
        gifts.give(3)
        await asyncio.sleep(pause)
        assert await worker.kill() == KILLED
        unread += cursor(scene) < head(scene)
        gifts.give(2)  # while nobody listens
    assert unread > 0  # some died with blocks to read
    await listening(scene)
    await caught_up(scene)
    assert_heard_once(scene, gifts, start)


async def test_a_listener_killed_before_its_page_is_committed_leaves_nothing_of_it(scene, gifts):
    await the_account_is_known(scene)
    start, at = head(scene), cursor(scene)
    gifts.give(3)
    for _ in range(2):
        worker = await listening(scene, sabotage=die_listening.__name__)
        assert await worker.ended() == KILLED
        assert (cursor(scene), rows(scene, "SELECT 1 FROM account_events")) == (at, [])
    await listening(scene)
    await caught_up(scene)
    assert_heard_once(scene, gifts, start)
