"""What a storm runs on: a database that survives its own crash, a node, and a nursery."""

import asyncio
import contextlib
import fcntl
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

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
from tests.support.witness import Chain
from tests.support.worker_process import Nursery

DATABASE = "chaos"
_ETHER = 10**18
_FLOAT_ETHER = 50_000_000
_CORE_ETHER = 50_000_000


@dataclass
class Stage:
    """One desk's world."""

    folder: Path
    postgres: EmbeddedPostgres
    devnet: Devnet
    nursery: Nursery
    url: str

    @property
    def chain(self):
        return Chain(self.devnet.url)

    @property
    def profile(self):
        """The chain's profile, as its file has it."""
        return json.loads(self.devnet.profile_path.read_text())

    @property
    def libpq_url(self):
        return libpq_url(self.url)

    def environment(self, **more):
        """What a worker of this stage is started with; the rest is the product's default."""
        return {
            "HOLDFAST_STATE_DIR": str(self.folder),
            "HOLDFAST_DATABASE_URL": self.url,
            "HOLDFAST_PROFILE": str(self.devnet.profile_path),
            **{f"HOLDFAST_{name.upper()}": value for name, value in more.items()},
        }


def storm_folder():
    """Where `make crash-test` keeps its things."""
    folder = from_environment().state_dir / "crash-test"
    make_folders(folder, mode=0o711)
    return folder


@contextlib.contextmanager
def alone(folder):
    """One crash test at a time: two would share a database and disturb each other's figures."""
    with (folder / "storm.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another crash test runs in {folder}: wait for its end")
        yield


@contextlib.contextmanager
def stage(folder, postgres):
    """A stage in `folder` on a server of its own; node, database and workers are gone afterwards.

    What the workers printed stays in `folder/logs`.
    """
    for name in ("logs", "devnet"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "logs").mkdir()
    postgres.start()
    try:
        with _node(folder / "devnet") as devnet, contextlib.closing(Nursery()) as nursery:
            url = asyncio.run(_fresh_database(postgres))
            yield Stage(folder, postgres, devnet, nursery, url)
    finally:
        postgres.stop(immediate=True)


@contextlib.contextmanager
def _node(folder):
    with Devnet.start(ready_state(DEFAULT_CACHE), folder, NodeOptions()) as devnet:
        accounts = devnet.profile.require_accounts()
        # Enough for thousands of deals: a deal's other half stays in core while it is open.
        devnet.control.set_balance(accounts.float_, _FLOAT_ETHER * _ETHER)
        devnet.control.set_balance(accounts.core, _CORE_ETHER * _ETHER)
        yield devnet


async def _fresh_database(postgres):
    with psycopg.connect(libpq_url(postgres.url), autocommit=True) as connection:
        for statement in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(DATABASE)))
    url = postgres.url_of(DATABASE)
    pool = Database.connect(url, pool_size=1)
    await runner.upgrade(pool)
    await pool.close()
    return url
