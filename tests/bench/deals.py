"""Holdfast itself: durable deals through real worker processes."""

import asyncio
import contextlib
import time
from collections import Counter
from copy import copy
from dataclasses import dataclass, replace

import psycopg

from holdfast.bootstrap import limits_of, opened
from holdfast.common.db import libpq_url
from holdfast.common.ids import BankId, ModuleId, PrincipalId
from holdfast.common.money import USD8, Bps, Usd8
from holdfast.config import load
from holdfast.model.deal import TERMINAL, DealRequest, DealStatus
from holdfast.planning.model import PlanPolicy
from tests.bench.cpu import Meter
from tests.bench.effects import TRANCHES, Effects
from tests.bench.result import Result
from tests.bench.workers import workers
from tests.support.room import ROOM

DOLLARS = 1_000_000
RUNGS = tuple(Usd8(dollars * USD8) for dollars in (5_000, 20_000, 25_000))
"""Smaller than the desk's own: so a $1M deal, which buys about 99,000 tokens, has the four
tranches of a deal of $13M and more, and 32 of them at once hardly move the pool's price. The last
rung, about half, is large enough to take what the purchase gives beyond its minimum."""

_SLIPPAGE = Bps(200)  # 32 purchases of 60,000 USDT in one block move the price by 0.6 %
_AUTHOR, _APPROVER = PrincipalId("bench"), PrincipalId("approver")
_ROUND_SECONDS = 180
_TERMINAL = sorted(map(str, TERMINAL))


@dataclass(frozen=True)
class Bench:
    """A running Holdfast: node, database, worker processes, and the desk that gives orders."""

    devnet: object
    system: object
    url: str
    roots: dict[str, list[int]]

    async def measure(self, at_once, rounds, *, during=contextlib.nullcontext):
        """Rounds of `at_once` deals; the clock runs from their approval until all are completed.

        `during` gives a context for each round, without the planning before it.
        """
        effects, deal_ids = Effects(self.devnet), []
        seconds, cpu, planning = 0.0, Counter(), 0.0
        for _ in range(rounds):
            spent = time.process_time()
            made = [await self.create() for _ in range(at_once)]
            planning += time.process_time() - spent
            deal_ids += made
            with during():
                took, used = await self._round(made)
            seconds += took
            cpu += Counter(used)
        effects.require(len(deal_ids))
        blocks = self._blocks(deal_ids)
        self._require_exact(deal_ids)
        return Result(
            "Holdfast",
            self.devnet.options.block_time_seconds or 0,
            at_once,
            len(deal_ids),
            seconds,
            blocks,
            dict(cpu),
            {
                "plan_cpu_ms": 1000 * planning / len(deal_ids),
                "processes": len(self.roots["worker"]),
            },
        )

    async def warm_up(self, deals):
        """Fill the caches that a process fills once: compiled statements, plans, connections."""
        made = [await self.create() for _ in range(deals)]
        await self._round(made)

    async def create(self, dollars=DOLLARS):
        """A planned deal that waits for its approval."""
        request = DealRequest(
            total_eth_value=Usd8(dollars * USD8),
            bank=BankId("BANK001"),
            module=ModuleId("MODULE001"),
            chain_id=self.devnet.profile.chain_id,
            slippage=_SLIPPAGE,
        )
        made = await self.system.desk.create(request, author=_AUTHOR, approve_as=None)
        assert dollars < DOLLARS or len(made.plan.terms.tranches) == TRANCHES, made.plan.terms
        return made.deal_id

    async def approve(self, deal_id):
        """Let the deal start."""
        plan = (await self.system.desk.find(deal_id)).plan
        await self.system.desk.approve(deal_id, _APPROVER, plan.plan_hash)

    async def _round(self, deal_ids):
        meter, spent = Meter(self.roots), time.process_time()
        start = time.perf_counter()
        await asyncio.gather(*map(self.approve, deal_ids))
        await self._completed(deal_ids)
        seconds = time.perf_counter() - start
        return seconds, {"desk": time.process_time() - spent, **meter.seconds()}

    async def _completed(self, deal_ids):
        query = "SELECT count(*) FROM deals WHERE deal_id = ANY(%s) AND status = ANY(%s)"
        deadline = time.monotonic() + _ROUND_SECONDS
        pause = 0.02 if self.devnet.profile.block_time_seconds == 0 else 0.1
        with psycopg.connect(libpq_url(self.url), autocommit=True) as connection:
            while True:
                done = connection.execute(query, (deal_ids, _TERMINAL)).fetchone()[0]
                if done == len(deal_ids):
                    return
                assert time.monotonic() < deadline, f"{done} of {len(deal_ids)} deals are over"
                await asyncio.sleep(pause)

    def _blocks(self, deal_ids):
        query = """
            SELECT d.status, count(DISTINCT l.block_number), bool_and(l.status = 'landed')
            FROM deals AS d JOIN legs AS l USING (deal_id) WHERE deal_id = ANY(%s)
            GROUP BY deal_id, d.status
        """
        with psycopg.connect(libpq_url(self.url)) as connection:
            rows = connection.execute(query, (deal_ids,)).fetchall()
        assert [row[0] for row in rows] == [str(DealStatus.COMPLETED)] * len(deal_ids), rows
        assert all(landed for _, _, landed in rows), "a leg did not land"
        return [blocks for _, blocks, _ in rows]

    def _require_exact(self, deal_ids):
        query = """
            SELECT count(*) FROM ledger_reconciliations
            WHERE deal_id = ANY(%s) AND mismatch_units <> 0
        """
        with psycopg.connect(libpq_url(self.url)) as connection:
            wrong = connection.execute(query, (deal_ids,)).fetchone()[0]
        assert wrong == 0, f"{wrong} reconciliations of ledger and chain differ"


@contextlib.asynccontextmanager
async def running(devnet, server, processes, **changes):
    """Holdfast with this many worker processes and these settings changed, warmed up."""
    url = await server.fresh(f"bench_{devnet.options.block_time_seconds or 0}")
    settings = {"database_url": url, "profile": devnet.profile_path, "state_dir": server.folder}
    settings |= ROOM | changes
    ours = load({f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()})
    with workers(devnet.folder, processes, settings) as started:
        roots = {
            "worker": [one.pid for one in started],
            "node": [devnet.node.pid],
            "database": [server.pid],
        }
        async with opened(ours) as system:
            bench = Bench(devnet, with_rungs(system), url, roots)
            await bench.warm_up(2 * processes)
            yield bench


def with_rungs(system):
    """The system, planning deals of four tranches."""
    planner = copy(system.desk.planner)  # beside the open book and in all else as it is
    planner._policy = PlanPolicy(limits=limits_of(system.settings), rungs=RUNGS)
    return replace(system, desk=replace(system.desk, planner=planner))
