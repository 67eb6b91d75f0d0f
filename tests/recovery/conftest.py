"""Fixtures of the recovery tests: a nursery for workers, and scenes for them to die in."""

import asyncio
import os
import shutil

import psycopg
import pytest
from psycopg import sql

from holdfast.common.db import libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.devnet.service import Devnet
from tests.chaos.stage import stage
from tests.recovery.scene import opened_scene
from tests.support.devnet import devnet, interval_devnet, ready, start_devnet
from tests.support.postgres import FOLDER, database_at
from tests.support.worker_process import Nursery

__all__ = ["devnet", "interval_devnet", "ready", "start_devnet"]


@pytest.fixture(scope="session")
def nursery():
    """Where workers are forked from."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
async def scene(devnet, database_url, tmp_path, nursery):
    """A scene of the test's own, where each transaction is mined at once."""
    async with opened_scene(devnet, database_url, tmp_path, nursery) as made:
        yield made


@pytest.fixture
async def slow_scene(interval_devnet, database_url, tmp_path, nursery):
    """A scene of the test's own, where a block is mined every second."""
    async with opened_scene(interval_devnet, database_url, tmp_path, nursery) as made:
        yield made


@pytest.fixture(scope="module")
def storm_stage(request, tmp_path_factory):
    """A stage of the crash test, with a database server of its own to be crashed."""
    folder = tmp_path_factory.mktemp("storm")
    server_folder = request.config.stash[FOLDER]
    home = server_folder / f"storm-{os.getpid()}-{folder.name}"
    server = EmbeddedPostgres(server_folder, durable=True, home=home)
    with stage(folder, server) as made:
        yield made
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def make_database(request, postgres_url, postgres_template):
    """Makes databases with the product's schema that last for the run."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    made = []

    def make():
        made.append(f"undisturbed_{os.getpid()}_{worker}_{len(made)}")
        _execute(postgres_url, "CREATE DATABASE {} TEMPLATE {}", made[-1], postgres_template)
        return database_at(postgres_url, made[-1])

    yield make
    for name in made:
        _execute(postgres_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def undisturbed_run(ready, make_database, tmp_path_factory, nursery):
    """Runs a deal on a devnet of its own: `run(deal)` takes it to its outcome."""

    def outcome_of(run, **fields):
        async def go(fresh, folder):
            async with opened_scene(fresh, make_database(), folder, nursery) as scene:
                return await run(await scene.deal(**fields))

        folder = tmp_path_factory.mktemp("undisturbed")
        with Devnet.start(ready, folder / "devnet") as fresh:
            return asyncio.run(go(fresh, folder))

    return outcome_of


@pytest.fixture(scope="session")
def undisturbed_deal(ready, make_database, tmp_path_factory, nursery):
    """One deal that nothing happens to, with its outcome; its node runs on for the session."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Devnet.start(ready, folder / "devnet") as fresh:

        async def run():
            async with opened_scene(fresh, make_database(), folder, nursery) as scene:
                deal = await scene.deal()
                return deal, await deal.finished()

        yield asyncio.run(run())


@pytest.fixture(scope="session")
def undisturbed(undisturbed_deal):
    """What every disturbed deal is compared with."""
    return undisturbed_deal[1]


def _execute(url, statement, *names):
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
