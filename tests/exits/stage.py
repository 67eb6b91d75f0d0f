"""What the proofs run on: one PostgreSQL, and for each attempt a fresh devnet and database."""

import asyncio
import contextlib
import fcntl
import itertools
import shutil
import sys

import psycopg
from psycopg import sql

from holdfast.common.db import Database, libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.postgres_files import make_folders
from holdfast.config import from_environment
from holdfast.devnet.node import NodeOptions
from holdfast.devnet.paths import DEFAULT_CACHE
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ready_state
from holdfast.migrations import runner

_TEMPLATE = "exits_template"


@contextlib.contextmanager
def stage():
    """Gives a function that opens worlds: (devnet, database address, folder), gone afterwards."""
    folder = from_environment().state_dir / "exit-proofs"
    make_folders(folder, mode=0o711)
    with _alone(folder):
        postgres = EmbeddedPostgres(folder, durable=False)
        postgres.start()
        try:
            _remake(postgres, _TEMPLATE)
            asyncio.run(_migrate(postgres.url_of(_TEMPLATE)))
            yield _worlds(folder, postgres)
        finally:
            postgres.stop(immediate=True)


def _worlds(folder, postgres):
    ready, numbers = ready_state(DEFAULT_CACHE), itertools.count()

    @contextlib.contextmanager
    def world():
        name = f"exits_{next(numbers)}"
        place = folder / name
        shutil.rmtree(place, ignore_errors=True)
        _remake(postgres, name, template=_TEMPLATE)
        try:
            with Devnet.start(ready, place, NodeOptions()) as devnet:
                yield devnet, postgres.url_of(name), place
        finally:
            _drop(postgres, name)
            shutil.rmtree(place, ignore_errors=True)

    return world


@contextlib.contextmanager
def _alone(folder):
    with (folder / "exits.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"other exit proofs run in {folder}: wait for their end")
        yield


def _remake(postgres, name, template="template0"):
    _drop(postgres, name)
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    _execute(postgres, statement.format(sql.Identifier(name), sql.Identifier(template)))


def _drop(postgres, name):
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    _execute(postgres, statement.format(sql.Identifier(name)))


def _execute(postgres, statement):
    with psycopg.connect(libpq_url(postgres.url), autocommit=True) as connection:
        connection.execute(statement)


async def _migrate(url):
    pool = Database.connect(url)
    await runner.upgrade(pool)
    await pool.close()
