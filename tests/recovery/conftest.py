"""Fixtures of the recovery tests: a nursery for workers, and scenes for them to die in."""

import asyncio
import os

import psycopg
import pytest
from psycopg import sql

from holdfast.common.db import libpq_url
from holdfast.devnet.service import Devnet
from tests.recovery.scene import opened_scene
from tests.support.devnet import devnet, interval_devnet, ready, start_devnet
from tests.support.postgres import database_at
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


@pytest.fixture(scope="session")
def session_database_url(request, postgres_url, postgres_template):
    """A database with the product's schema that lasts for the run."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    name = f"undisturbed_{os.getpid()}_{worker}"
    _execute(postgres_url, "CREATE DATABASE {} TEMPLATE {}", name, postgres_template)
    yield database_at(postgres_url, name)
    _execute(postgres_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def undisturbed_deal(ready, session_database_url, tmp_path_factory, nursery):
    """One deal that nothing happens to, with its outcome; its node runs on for the session."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Devnet.start(ready, folder / "devnet") as fresh:

        async def run():
            async with opened_scene(fresh, session_database_url, folder, nursery) as scene:
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
