"""One devnet and one database, on which workers die and are started again."""

import asyncio
import contextlib
import itertools
import json
import signal
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from holdfast.bootstrap import System, opened
from holdfast.common.db import libpq_url
from holdfast.common.errors import Transient
from holdfast.devnet.service import Devnet
from holdfast.execution.records import DealRecord
from holdfast.model.deal import TERMINAL, DealStatus
from tests.support.checker import Start, Verdict, judge
from tests.support.deals import ALICE, request_for, settings_for
from tests.support.journal import Journal
from tests.support.sabotage import PAUSED, pause_instead_of_dying
from tests.support.witness import Chain, Effect, Observed, Places, observe
from tests.support.worker_process import KILLED, ExecutedWorker, Nursery, WorkerProcess

_LOOK_SECONDS = 0.03
# Bounds for what never comes; a machine that is busy may need a minute for what takes seconds.
_DEATH_SECONDS = 120
_DEAL_SECONDS = 180
_FOREVER_SECONDS = 3_600


@dataclass
class Outcome:
    """A deal that is over: what the chain shows of it, and what its ledger says."""

    status: DealStatus
    observed: Observed
    journal: Journal
    report: dict

    @property
    def effects(self) -> list[Effect]:
        return self.observed.effects


@dataclass
class Scene:
    """Where a test's workers live and die."""

    devnet: Devnet
    database_url: str
    folder: Path
    nursery: Nursery
    system: System
    chain: Chain
    workers: list[WorkerProcess] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    _numbers: itertools.count = field(default_factory=itertools.count)

    def environment(self, **more):
        return {
            "HOLDFAST_STATE_DIR": str(self.folder),
            "HOLDFAST_DATABASE_URL": self.database_url,
            "HOLDFAST_PROFILE": str(self.devnet.profile_path),
            "HOLDFAST_SWEEP_SECONDS": "0.5",
            "HOLDFAST_HOLDING_CHECK_SECONDS": "0.5",
            **self.settings,
            **{f"HOLDFAST_{name.upper()}": value for name, value in more.items()},
        }

    def worker(self, *, executed=False, sabotage=None, **settings) -> WorkerProcess:
        """Start a worker, forked unless `executed` as an operator would."""
        log = self.folder / f"worker-{next(self._numbers)}.log"
        environment = self.environment(**settings)
        if executed:
            made = ExecutedWorker(environment, log)
        else:
            made = self.nursery.fork(environment, log, sabotage)
        self.workers.append(made)
        return made

    async def deal(self, **fields):
        """A new deal, approved and waiting for a worker."""
        desk = self.system.desk
        made = await desk.create(request_for(self.devnet, **fields), author=ALICE, approve_as=None)
        profile = json.loads(self.devnet.profile_path.read_text())
        places = Places.of(profile, made.plan.accounts.deal)
        # Before the approval: a worker that runs already sends the first leg at once.
        start = Start.read(self.chain, places)
        await desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        return StagedDeal(self, made.deal_id, made.deal_number, places, start)

    async def paused_at(self, point) -> WorkerProcess:
        """A worker that stands still at `point` as if its machine were frozen; SIGCONT thaws it."""
        worker = self.worker(crash_at=point, sabotage=pause_instead_of_dying.__name__)
        await worker.says(PAUSED)
        return worker

    @contextlib.asynccontextmanager
    async def supervised_worker(self, **settings):
        """`holdfast worker --supervised`, told to end with the block: a kill would orphan it."""
        log = self.folder / f"worker-{next(self._numbers)}.log"
        worker = ExecutedWorker(self.environment(**settings), log, "--supervised")
        try:
            yield worker
        finally:
            worker.send(signal.SIGTERM)
            await worker.ended()

    def bury_the_dead(self):
        """Let the time pass after which the jobs of workers that died are given to others.

        No worker may be alive: it tells the job engine that all were last heard of a minute ago.
        """
        with psycopg.connect(libpq_url(self.database_url)) as connection:
            connection.execute(
                "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
            )

    @contextlib.asynccontextmanager
    async def working(self, **settings):
        """A worker that nothing disturbs, started again whenever it ends; killed with the block.

        On a machine that stands still for some seconds the database ends its transaction, and a
        worker that cannot know whether it committed ends itself.
        """
        keeper = asyncio.create_task(self._kept(self.worker(**settings), **settings))
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await self.workers[-1].kill()

    async def _kept(self, worker, **settings):
        while True:
            await worker.ended(_FOREVER_SECONDS)
            worker = self.worker(**settings)

    def last_words(self, lines=12):
        """What each worker said last, for a test that waited for nothing."""
        said = [
            f"-- {worker.log.name}, exit code {worker.exit_code}:\n"
            + "\n".join(worker.words().splitlines()[-lines:])
            for worker in self.workers
        ]
        return "\n".join(said)

    async def close(self):
        """End every worker that still lives."""
        for worker in self.workers:
            if worker.exit_code is None:
                await worker.kill()


@dataclass(frozen=True)
class StagedDeal:
    """One deal on a scene."""

    scene: Scene
    deal_id: object
    deal_number: int
    places: Places
    start: Start

    def observed(self) -> Observed:
        return observe(self.scene.chain, self.places, self.start.block)

    def judged_by(self, expected) -> Verdict:
        return judge(self.scene.chain, self.places, self.start, expected)

    def signed(self) -> int:
        """How many transactions are recorded with their signed bytes."""
        with psycopg.connect(libpq_url(self.scene.database_url)) as connection:
            query = "SELECT count(*) FROM intents WHERE deal_id = %s"
            return connection.execute(query, (self.deal_id,)).fetchone()[0]

    async def signs(self, count, seconds=_DEATH_SECONDS):
        """Return once `count` transactions are recorded."""
        async with asyncio.timeout(seconds):
            while self.signed() < count:  # noqa: ASYNC110 - another process's rows
                await asyncio.sleep(_LOOK_SECONDS)

    async def dies_at(self, point, **options) -> WorkerProcess:
        """A worker that was killed at `point`, by itself and by nothing else."""
        worker = self.scene.worker(crash_at=point, **options)
        try:
            assert await worker.ended(_DEATH_SECONDS) == KILLED, worker.words()
        except TimeoutError as error:
            raise AssertionError(f"still alive, not at {point}: {worker.words()}") from error
        return worker

    async def mined(self, count, seconds=60):
        """Return when `count` effects are on chain, all of them and no more."""
        async with asyncio.timeout(seconds):
            while True:
                if len(self.observed().effects) >= count:
                    break
                await asyncio.sleep(_LOOK_SECONDS)
        assert len(self.observed().effects) == count

    async def record(self) -> DealRecord:
        """The deal as it stands."""
        return await self.scene.system.desk.find(self.deal_id)

    async def until(self, is_reached, seconds=_DEAL_SECONDS) -> DealRecord:
        """The deal once `is_reached(deal)`; a database that is away is asked again."""
        record = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(Transient):
                        record = await self.record()
                        if is_reached(record):
                            return record
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            said = f"not reached in {seconds} s by {record}\n{self.scene.last_words()}"
            raise AssertionError(said) from error

    async def over(self, seconds=_DEAL_SECONDS) -> Outcome:
        """The deal's outcome once it is over."""
        record = await self.until(lambda deal: deal.status in TERMINAL, seconds)
        journal = Journal.read(self.scene.database_url, self.deal_id)
        report = await self.scene.system.reporter.report(self.deal_id)
        return Outcome(record.status, self.observed(), journal, report)

    async def finished(self, **options) -> Outcome:
        """The outcome after a last worker, which nothing disturbs."""
        async with self.scene.working(**options):
            return await self.over()


@contextlib.asynccontextmanager
async def opened_scene(devnet, database_url, folder, nursery):
    """A scene with this process's own view of the system, for creating and reporting deals."""
    async with opened(settings_for(devnet, database_url, folder)) as system:
        scene = Scene(devnet, database_url, folder, nursery, system, Chain(devnet.url))
        try:
            yield scene
        finally:
            await scene.close()


def assert_same_deal(deal: StagedDeal, outcome: Outcome, undisturbed: Outcome):
    """What recovery promises: the chain shows every leg once, and the ledger is the same."""
    verdict = deal.judged_by(undisturbed.effects)
    assert verdict.is_clean, verdict
    assert outcome.status is undisturbed.status
    assert outcome.journal.timeless() == undisturbed.journal.timeless()
    assert_ledger_is_the_chain(outcome)


def assert_ledger_is_the_chain(outcome: Outcome):
    """What depends on time cannot equal another run's: it is compared with the chain's own logs."""
    journal, observed = outcome.journal, outcome.observed
    assert journal.supply_interest == observed.total("withdraw") - observed.total("supply")
    assert journal.borrow_interest == observed.total("repay") - observed.total("borrow")
    assert journal.gas == observed.gas_wei.total()
    assert journal.totals["equity/treasury_returned", "ETH"] == observed.total("return_native")
    assert journal.totals["equity/treasury_returned", "USDT"] == observed.total("return_token")
    assert journal.totals["trade/redemption", "USDT"] == -observed.paid_out
    assert set(journal.trial().values()) == {0}
    assert journal.reconciliations > 0
    assert journal.mismatches == 0
    assert outcome.report["ledger"]["mismatch_wei"] == "0"
