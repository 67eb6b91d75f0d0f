"""PostgreSQL crashes in the middle of a deal and comes back: nothing is lost, nothing repeated."""

import asyncio
import itertools
import os
import shutil
import signal

import psycopg
import pytest
from psycopg import sql

from holdfast.common.db import Database, libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.migrations import runner
from tests.recovery.groups import GROUPS
from tests.recovery.scene import assert_same_deal, opened_scene
from tests.support.postgres import FOLDER

PURCHASE, TRANCHE = GROUPS[2], GROUPS[4]
AWAY_SECONDS = 2.0
LONG_AWAY_SECONDS = 4.0
BACK_SECONDS = 25.0  # less than the half minute after which a deal looks again by itself
_numbers = itertools.count()


@pytest.fixture(scope="module")
def durable_server(request):
    """A server of these tests' own, that writes to disk as a real one does."""
    folder = request.config.stash[FOLDER]
    home = folder / f"crashing-{os.getpid()}"  # two processes of one run must not stop each other's
    server = EmbeddedPostgres(folder, durable=True, home=home)
    server.start()
    yield server
    server.stop(immediate=True)
    shutil.rmtree(home)


@pytest.fixture
async def durable_scene(request, devnet, durable_server, tmp_path, nursery):
    name = f"crash_{next(_numbers)}"
    with psycopg.connect(libpq_url(durable_server.url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = durable_server.url_of(name)
    pool = Database.connect(url, pool_size=1)
    await runner.upgrade(pool)
    await pool.close()
    async with opened_scene(devnet, url, tmp_path, nursery) as made:
        yield made


# Where the worker is when the database goes away: it stands still there and goes on without one.
@pytest.mark.parametrize(
    "point",
    [
        "advance.before_commit",
        "advance.after_commit",
        "tx.before_broadcast",
        "tx.after_broadcast",
        "tx.in_receipts",
    ],
)
async def test_a_database_that_crashes_while_a_tranche_is_redeemed_leaves_the_same_deal(
    durable_scene, durable_server, undisturbed, point
):
    scene = durable_scene
    deal = await scene.deal()
    worker = await scene.paused_at(f"{point}:{TRANCHE.number}")
    durable_server.stop(immediate=True)
    worker.send(signal.SIGCONT)
    await asyncio.sleep(AWAY_SECONDS)
    durable_server.start()
    async with scene.working():  # one may ride it out or end: either way
        await deal.signs(TRANCHE.after + 1, BACK_SECONDS)
        outcome = await deal.over()
    assert_same_deal(deal, outcome, undisturbed)


async def test_a_database_that_is_away_for_four_seconds_in_mid_deal_needs_no_operator(
    durable_scene, durable_server, undisturbed
):
    deal = await durable_scene.deal()
    async with durable_scene.supervised_worker() as worker:
        await deal.signs(PURCHASE.after)
        durable_server.stop(immediate=True)
        await asyncio.sleep(LONG_AWAY_SECONDS)
        durable_server.start()
        await deal.signs(PURCHASE.after + 1, BACK_SECONDS)
        outcome = await deal.over()
    assert "supervisor.restarting" in worker.words()
    assert worker.exit_code == 0
    assert_same_deal(deal, outcome, undisturbed)
