"""What a storm runs on: a database that survives its own crash, a node, and a nursery."""

import asyncio
import contextlib
import fcntl
import gzip
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from psycopg import sql

from holdfast.common.db import Database, libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.postgres_files import make_folders
from holdfast.config import from_environment
from holdfast.devnet.node import GENESIS_TIMESTAMP, NodeOptions, start_node
from holdfast.devnet.paths import DEFAULT_CACHE
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ready_state
from holdfast.migrations import runner
from tests.support.room import ROOM
from tests.support.witness import Chain
from tests.support.worker_process import Nursery

DATABASE = "chaos"
_ETHER = 10**18
_FLOAT_ETHER = 50_000_000
_CORE_ETHER = 50_000_000
_LAST_REQUESTS_SECONDS = 0.3  # for those that the node had received when it was cut off


@dataclass
class Stage:
    """One desk's world."""

    folder: Path
    postgres: EmbeddedPostgres
    devnet: Devnet
    nursery: Nursery
    url: str
    nodes: list = field(default_factory=list)
    node_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

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
            **self._addresses(),
            **{f"HOLDFAST_{name.upper()}": value for name, value in {**ROOM, **more}.items()},
        }

    def _addresses(self):
        """Where workers find the chain: once nodes stand before it, through them alone."""
        if not self.nodes:
            return {}
        return {
            "HOLDFAST_RPC_URL": ",".join(node.url for node in self.nodes),
            "HOLDFAST_WS_URL": ",".join(node.ws_url for node in self.nodes),
        }

    def kill_node(self):
        """SIGKILL, once the chain is written down; nobody may reach the node by now.

        anvil writes nothing by itself: without this its blocks would die with it, as those of a
        real node, which writes each block before it shows it, do not.
        """
        time.sleep(_LAST_REQUESTS_SECONDS)
        dump = self.devnet.control.rpc.call("anvil_dumpState")
        self._dump.write_text(json.dumps(_with_one_genesis(dump)))
        os.kill(self.devnet.node.pid, signal.SIGKILL)
        self.devnet.node.stop()

    def revive_node(self):
        """Start the node again, at its old address and with its old chain."""
        options = replace(self.devnet.options, port=self.devnet.port)
        log = self.folder / "logs" / "anvil-again.log"
        program = ready_state(DEFAULT_CACHE).anvil
        node = start_node(program, log, options, state=self._dump)
        self.devnet = replace(self.devnet, node=node)

    @property
    def _dump(self):
        return self.folder / "devnet" / "chain.json"


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
            made = Stage(folder, postgres, devnet, nursery, url)
            try:
                yield made
            finally:
                made.devnet.stop()
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


def _with_one_genesis(dump):
    """The dumped chain without the block 0 that anvil made up when it was started from a dump.

    It keeps that one besides the chain's own, and after the next start may show either.
    """
    chain = json.loads(gzip.decompress(bytes.fromhex(dump[2:])))
    chain["blocks"] = [
        block
        for block in chain["blocks"]
        if int(block["header"]["number"], 16)
        or int(block["header"]["timestamp"], 16) == GENESIS_TIMESTAMP
    ]
    return chain


async def _fresh_database(postgres):
    with psycopg.connect(libpq_url(postgres.url), autocommit=True) as connection:
        for statement in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(DATABASE)))
    url = postgres.url_of(DATABASE)
    pool = Database.connect(url, pool_size=1)
    await runner.upgrade(pool)
    await pool.close()
    return url
