"""Trying the unwinds of open deals on a live node: one after the other, and many at a time.

Real deals are left with their debt open and their tokens in the redemption queue. Each trial is the
whole way home, simulated group by group; all must work.
"""

import asyncio
import time
from dataclasses import dataclass

from holdfast.bootstrap import opened
from holdfast.bootstrap.exits import exits_of
from holdfast.config import load
from tests.bench import deals
from tests.bench.cpu import Meter, speed
from tests.bench.stage import node
from tests.bench.table import Table
from tests.bench.ticks import queued
from tests.support.room import ROOM
from tests.support.scenes import loops

DEALS = 24
AT_ONCE = (1, 4, 8, 16, 24)
_ROUNDS = 3
_DAY = 86_400
_COLUMNS = (
    "at once",
    "deals",
    "ms each",
    "client ms",
    "node ms",
    "exchanges",
    "requests",
    "machine",
)


def measure(postgres, options):
    """Trials of all deals, so many at a time."""
    table = Table("exits", f"Trying the unwind of {DEALS} open deals", _COLUMNS)
    table.head()
    with node(postgres.folder / "devnet", 0) as devnet:
        devnet.control.set_queue_delay(_DAY)
        asyncio.run(_measured(devnet, postgres, 1 if options.quick else _ROUNDS, table))
    table.tail()
    return table


async def _measured(devnet, postgres, rounds, table):
    url = await postgres.fresh("bench_exits")
    settings = {"database_url": url, "profile": devnet.profile_path, "state_dir": postgres.folder}
    settings |= ROOM
    ours = load({f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()})
    async with opened(ours) as system:
        made = await _open_deals(devnet, system, url)
        counted = _Counted(system.pool)
        exits = exits_of(counted, devnet.profile, settings=ours)
        await exits.checks(made[:1])
        for at_once in AT_ONCE:
            runs = [await _timed(exits, made, at_once, counted, devnet) for _ in range(rounds)]
            _tell(table, at_once, runs)
    rates = [row["milliseconds"] for row in table.data]
    table.ratios[f"{AT_ONCE[-1]} at once to one by one, time"] = rates[0] / rates[-1]


async def _open_deals(devnet, system, url):
    """Deals whose tokens wait in the queue; nothing advances them any more."""
    bench = deals.Bench(devnet, deals.with_rungs(system), url, {})
    async with loops(system):
        made = [await bench.create() for _ in range(DEALS)]
        for deal_id in made:
            await bench.approve(deal_id)
        return [await queued(system, deal_id) for deal_id in made]


@dataclass
class _Counted:
    """A carrier that counts what goes through it."""

    real: object
    exchanges: int = 0
    requests: int = 0

    async def read(self, requests):
        self.exchanges += 1
        self.requests += len(requests)
        return await self.real.read(requests)


async def _timed(exits, made, at_once, counted, devnet):
    counted.exchanges = counted.requests = 0
    meter, wall, cpu = (
        Meter({"node": [devnet.node.pid]}),
        time.perf_counter(),
        time.process_time(),
    )
    for start in range(0, len(made), at_once):
        checks = await exits.checks(made[start : start + at_once])
        assert all(one.works for one in checks), checks
    return {
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "node": meter.seconds()["node"],
        "exchanges": counted.exchanges,
        "requests": counted.requests,
    }


def _tell(table, at_once, runs):
    best = sorted(runs, key=lambda run: run["cpu"])[len(runs) // 2]
    each = {name: value / DEALS for name, value in best.items()}
    table.add(
        at_once,
        DEALS,
        *(f"{1000 * each[name]:.0f}" for name in ("seconds", "cpu", "node")),
        *(f"{each[name]:.1f}" for name in ("exchanges", "requests")),
        f"{speed():.0f}",
        at_once=at_once,
        milliseconds=1000 * each["seconds"],
        client_ms=1000 * each["cpu"],
        node_ms=1000 * each["node"],
        exchanges=each["exchanges"],
        requests=each["requests"],
    )
