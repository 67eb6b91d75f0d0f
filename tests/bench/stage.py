"""What every program of the comparison runs on: a fresh node of the same kind, a database."""

import contextlib
import fcntl
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from holdfast.common.db import Database, libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.log import LogLevel, configure_logging
from holdfast.common.postgres_files import make_folders
from holdfast.common.redaction import Redactor
from holdfast.config import from_environment
from holdfast.devnet.node import NodeOptions
from holdfast.devnet.paths import DEFAULT_CACHE
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ready_state
from holdfast.migrations import runner

GAS_LIMIT = 1_000_000_000
"""Of a block: 32 groups at once pass the usual 30M, and the node drops what does not fit."""


@dataclass
class Server:
    """The embedded PostgreSQL as the product runs it, fsync included."""

    folder: Path
    postgres: EmbeddedPostgres = field(init=False)

    def __post_init__(self):
        self.postgres = EmbeddedPostgres(self.folder)
        self.postgres.start()

    @property
    def pid(self):
        """The process that all others of the server descend from."""
        return int((self.folder / "postgres/data/postmaster.pid").read_text().split()[0])

    async def fresh(self, name):
        """The address of an empty, migrated database."""
        with psycopg.connect(libpq_url(self.postgres.url), autocommit=True) as connection:
            for statement in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        url = self.postgres.url_of(name)
        await _migrate(url)
        return url


@contextlib.contextmanager
def server():
    """A database server of the bench's own, stopped afterwards; two at once would disturb both."""
    folder = from_environment().state_dir / "bench"
    make_folders(folder, mode=0o711)
    with (folder / "bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another bench is running on this machine: wait for its end")
        running = Server(folder)
        try:
            yield running
        finally:
            running.postgres.stop()


def log_little():
    """Log nothing but what is wrong: the tables are the output."""
    configure_logging(Redactor(), level=LogLevel.WARNING)


@contextlib.contextmanager
def logging_to(path):
    """Log into a file as a worker does, which is part of its work."""
    with path.open("w") as stream:
        configure_logging(Redactor(), stream=stream)
        try:
            yield
        finally:
            log_little()


@contextlib.contextmanager
def node(folder, block_time):
    """A fresh devnet; `block_time` 0 mines each transaction at once."""
    shutil.rmtree(folder, ignore_errors=True)
    options = NodeOptions(block_time_seconds=block_time or None, gas_limit=GAS_LIMIT)
    with Devnet.start(ready_state(DEFAULT_CACHE), folder, options) as devnet:
        devnet.control.rpc.call("evm_setBlockGasLimit", hex(GAS_LIMIT))
        yield devnet


async def _migrate(url):
    database = Database.connect(url, pool_size=1)
    await runner.upgrade(database)
    await database.close()
