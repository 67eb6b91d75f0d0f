"""The demonstration: a devnet, a database, a worker process and one whole deal."""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from holdfast.bootstrap import opened
from holdfast.common.db import Database, libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.errors import Broken, HoldfastError, Rejected
from holdfast.common.ids import BankId, ModuleId, PrincipalId
from holdfast.common.money import USD8, Usd8
from holdfast.devnet.node import NodeOptions
from holdfast.devnet.paths import DEFAULT_CACHE
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ready_state
from holdfast.entry.worker_process import WorkerProcess
from holdfast.migrations import runner
from holdfast.model.deal import TERMINAL, DealRequest, DealStatus, Funding, Ladder
from holdfast.model.leg import LegStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from holdfast.bootstrap import System
    from holdfast.common.ids import DealId
    from holdfast.config import Settings
    from holdfast.execution.records import DealRecord, LegRecord

DATABASE: Final = "holdfast_demo"
DEMO_DOLLARS: Final = 10_000_000
_DESK: Final = PrincipalId("demo")
_LOOK_SECONDS: Final = 0.1
_DEAL_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demonstration shows.

    `freeze_at` freezes redemption before that tranche (counted from 1) and thaws it once the deal
    has brought its principal home; `block_time` of 0 mines each transaction at once.
    """

    funding: Funding = Funding.BORROW
    freeze_at: int | None = None
    keep: bool = False
    block_time: int = 1


@dataclass(frozen=True, slots=True)
class Stage:
    """The running parts of a demonstration."""

    devnet: Devnet
    settings: Settings
    environment: dict[str, str]
    folder: Path


class Demo:
    """One demonstration; `say` is told what happens as it happens."""

    def __init__(
        self, settings: Settings, options: DemoOptions, say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._options = options
        self._say = say

    def run(self) -> dict[str, Any]:
        """The deal's report, and with a freeze the report of the moment it held.

        Raises:
            Broken: `demo.stuck` when the deal does not end in time, `demo.worker` when the worker
                ends by itself.
        """
        with ExitStack() as stack:
            stage = self._stage(stack)
            worker = stack.enter_context(
                WorkerProcess(stage.environment, stage.folder / "worker.log")
            )
            report = asyncio.run(self._deal(stage, worker))
            if self._options.keep:
                stack.pop_all()
                self._tell_how_to_reach(stage, worker)
            return report

    def _stage(self, stack: ExitStack) -> Stage:
        folder = self._settings.state_dir / "demo"
        stack.enter_context(alone(folder))
        self._say("building the local chain: real node, real Aave V3 and Uniswap V3 bytecode")
        ready = ready_state(DEFAULT_CACHE)
        options = NodeOptions(port=0, block_time_seconds=self._options.block_time or None)
        _end_previous(folder)
        devnet = Devnet.start(ready, folder / "devnet", options, detached=True)
        stack.callback(devnet.stop)
        self._say(f"node at {devnet.url}, chain {devnet.profile.chain_id}")
        url = self._database(folder, stack)
        self._say("database ready, schema migrated")
        changes = {
            "database_url": url,
            "profile": str(devnet.profile_path),
            "sweep_seconds": 1.0,
            "holding_check_seconds": 1.0,
        }
        environment = {f"HOLDFAST_{name.upper()}": str(value) for name, value in changes.items()}
        return Stage(devnet, self._settings.model_copy(update=changes), environment, folder)

    def _database(self, folder: Path, stack: ExitStack) -> str:
        server = EmbeddedPostgres(folder)
        stack.callback(server.stop)
        server.start()
        name = sql.Identifier(DATABASE)
        with psycopg.connect(libpq_url(server.url), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        url = server.url_of(DATABASE)
        asyncio.run(_migrate(url))
        return url

    async def _deal(self, stage: Stage, worker: WorkerProcess) -> dict[str, Any]:
        async with opened(stage.settings) as system:
            made = await system.desk.create(
                _request(stage.devnet, self._options.funding), author=_DESK, approve_as=_DESK
            )
            self._say(f"deal {made.deal_id}: plan {made.plan.plan_hash} approved")
            await asyncio.to_thread(self._set_freeze, stage.devnet)
            watch = _Watch(system, made.deal_id, worker, self._say)
            held = await self._through_freeze(stage, watch) if self._options.freeze_at else None
            await watch.until(lambda deal: deal.status in TERMINAL)
            report = await system.reporter.report(made.deal_id)
        blocks = {leg["block_number"] for leg in report["legs"] if leg["block_number"]}
        report["blocks"] = len(blocks)
        return report if held is None else {**report, "freeze": held}

    def _set_freeze(self, devnet: Devnet) -> None:
        match self._options.freeze_at:
            case None:
                return
            case 1:
                devnet.control.freeze()
            case tranche:
                devnet.control.freeze_after(tranche - 1)

    async def _through_freeze(self, stage: Stage, watch: _Watch) -> dict[str, Any]:
        """Wait until the deal holds with its principal home, note it, and thaw."""
        await watch.until(_is_waiting_for_thaw)
        held = await watch.system.reporter.report(watch.deal_id)
        self._say("redemption is frozen: principal is home, the claim is booked; thawing")
        await asyncio.to_thread(stage.devnet.control.thaw)
        return held

    def _tell_how_to_reach(self, stage: Stage, worker: WorkerProcess) -> None:
        self._say(f"left running: node {stage.devnet.url}, worker {worker.pid}")
        self._say("reach them with:")
        for name, value in stage.environment.items():
            self._say(f"  export {name}='{value}'")
        self._say(f"  holdfast devnet status --state-dir {stage.folder / 'devnet'}")


class _Watch:
    """Follows one deal and tells of every leg that landed."""

    def __init__(
        self, system: System, deal_id: DealId, worker: WorkerProcess, say: Callable[[str], None]
    ) -> None:
        self.system = system
        self.deal_id = deal_id
        self._worker = worker
        self._say = say
        self._told = 0
        self._status: tuple[object, object] | None = None

    async def until(self, is_over: Callable[[DealRecord], bool]) -> DealRecord:
        """The deal once `is_over`; `demo.stuck` when that takes too long."""
        try:
            async with asyncio.timeout(_DEAL_SECONDS):
                while True:
                    deal = await self.system.desk.find(self.deal_id)
                    self._tell(deal)
                    if is_over(deal):
                        return deal
                    self._worker.require_alive()
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            raise Broken(
                "demo.stuck", f"the deal did not get on for {_DEAL_SECONDS:.0f} s"
            ) from error

    def _tell(self, deal: DealRecord) -> None:
        done = [leg for leg in deal.legs if leg.status is not LegStatus.SENT]
        for leg in done[self._told :]:
            self._say(_line(leg))
        self._told = len(done)
        if self._status != (deal.status, deal.hold_reason):
            self._status = (deal.status, deal.hold_reason)
            reason = f": {deal.hold_reason}" if deal.hold_reason else ""
            self._say(f"deal is {deal.status}{reason}")


def _line(leg: LegRecord) -> str:
    return (
        f"  step {int(leg.step)}  {leg.label:<44.44} {leg.status:<8} block {leg.block_number} "
        f"gas {leg.gas_used or 0:>7,}  {leg.tx_hash}"
    )


def _is_waiting_for_thaw(deal: DealRecord) -> bool:
    is_holding = deal.status is DealStatus.HOLDING and deal.group_id is None
    return is_holding and deal.trouble is None and bool(deal.exposure)


def _request(devnet: Devnet, funding: Funding) -> DealRequest:
    return DealRequest(
        total_eth_value=Usd8(DEMO_DOLLARS * USD8),
        bank=BankId("BANK001"),
        module=ModuleId("MODULE001"),
        chain_id=devnet.profile.chain_id,
        funding=funding,
        # What a bucket of that size buys is more than may be bought at once and unproved.
        ladder=Ladder.POSITION if funding is Funding.BUCKET else Ladder.REDEMPTION,
    )


async def _migrate(url: str) -> None:
    db = Database.connect(url, pool_size=1)
    try:
        await runner.upgrade(db)
    finally:
        await db.close()


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """One demonstration at a time: they share a folder, a node and a database.

    Raises:
        Rejected: `demo.busy` while another one runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Rejected(
                "demo.busy",
                f"another demonstration runs in {folder}: wait for it, or give this one a folder "
                "of its own with HOLDFAST_STATE_DIR",
            ) from error
        yield


def _end_previous(folder: Path) -> None:
    """Stop a node that an earlier demonstration left running."""
    try:
        Devnet.attach(folder / "devnet").stop()
    except HoldfastError:
        return
