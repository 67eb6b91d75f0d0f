"""A PostgreSQL for tests: one server a run, a fresh copy of the migrated schema a test.

`TEST_DATABASE_URL` names another server to use, with the right to create databases.
"""

import asyncio
import fcntl
import itertools
import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from holdfast.common.db import Database, libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.migrations import runner

OVERRIDE = os.environ.get("TEST_DATABASE_URL")  # noqa: TID251 - a switch of the tests alone
FOLDER = pytest.StashKey[Path]()
MEMORY_NEEDED = 4 * 2**30
_numbers = itertools.count()


def pytest_configure(config):
    """Name the server's folder once a run: workers get it from the process that started them."""
    given = getattr(config, "workerinput", {}).get("postgres_folder")
    # Not pytest's own temporary folder: that one is closed to the user the server runs as.
    name = f"holdfast-test-{os.getpid()}"
    config.stash[FOLDER] = Path(given) if given else Path(tempfile.gettempdir(), name)
    if not given:
        _remove(config.stash[FOLDER])  # left by a killed run that had our process id
        _sweep_dead_runs()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["postgres_folder"] = str(node.config.stash[FOLDER])


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        _remove(config.stash[FOLDER])


@pytest.fixture(scope="session")
def postgres_url(request):
    """The address of a server that may be filled with databases."""
    if OVERRIDE is not None:
        return OVERRIDE
    return _server(request.config.stash[FOLDER]).start()


@pytest.fixture(scope="session")
def postgres_template(request, postgres_url):
    """The name of a database that the migrations have been applied to."""
    name = f"template_{request.config.stash[FOLDER].name.replace('-', '_')}"
    lock_file = Path(tempfile.gettempdir(), f"{name}.lock")
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _exists(postgres_url, name):
            _execute(postgres_url, sql.SQL("CREATE DATABASE {}"), name)
            asyncio.run(_migrate(database_at(postgres_url, name)))
    yield name
    lock_file.unlink(missing_ok=True)


@pytest.fixture
def new_database(request, postgres_url, postgres_template):
    """Makes databases of this test's own, with the product's schema; returns their addresses."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    made = []

    def make():
        name = f"test_{os.getpid()}_{worker}_{next(_numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        _execute(postgres_url, statement, name, postgres_template)
        made.append(name)
        return database_at(postgres_url, name)

    yield make
    for name in made:
        _execute(postgres_url, sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)


@pytest.fixture
def database_url(new_database):
    """The address of a database of this test's own, with the product's schema."""
    return new_database()


@pytest.fixture
def empty_database_url(request, postgres_url):
    """The address of a database with nothing in it."""
    name = f"empty_{os.getpid()}_{next(_numbers)}"
    _execute(postgres_url, sql.SQL("CREATE DATABASE {}"), name)
    yield database_at(postgres_url, name)
    _execute(postgres_url, sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)


@pytest.fixture
async def database(database_url):
    """A pool on `database_url`."""
    pool = Database.connect(database_url)
    yield pool
    await pool.close()


def database_at(url: str, name: str) -> str:
    """Return `url` with another database name."""
    address, mark, query = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{mark}{query}"


def _execute(url, statement, *names):
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(statement.format(*map(sql.Identifier, names)))


def _exists(url, name):
    with psycopg.connect(libpq_url(url)) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        return connection.execute(query, (name,)).fetchone() is not None


async def _migrate(url):
    pool = Database.connect(url)
    await runner.upgrade(pool)
    await pool.close()


def _sweep_dead_runs():
    """Stop servers of runs that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob("holdfast-test-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc").is_dir():
            _remove(folder)


def _server(folder):
    return EmbeddedPostgres(folder, durable=False, home=_home(folder))


def _home(folder):
    """Keep the data in memory where there is enough: ext4 is slow at making many files again."""
    memory = Path("/dev/shm")  # noqa: S108 - the name below is this run's own
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED
    return memory / folder.name if roomy else folder / "postgres"


def _remove(folder):
    if folder.exists():
        _server(folder).stop(immediate=True)
        shutil.rmtree(_home(folder), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
