"""Takeover: many deals are in flight, their worker is killed, and another one goes on.

To have every deal in flight at one moment, blocks are mined by hand: each deal has its first
group mined and its second one, the loan's, recorded and sent, and no block takes it. Then the
only worker is killed (SIGKILL) while a second one stands by, and blocks come every second again.
A deal moves again with its next durable change after the kill: at first the outcome of its group,
then its own row, when it was advanced and its next group is recorded.
"""

import asyncio
import time
from dataclasses import dataclass

import psycopg

from holdfast.bootstrap import opened
from holdfast.common.db import libpq_url
from holdfast.config import load
from tests.bench import deals
from tests.bench.cpu import speed
from tests.bench.effects import count_events
from tests.bench.stage import node
from tests.bench.table import Table
from tests.bench.workers import workers
from tests.support.room import ROOM

DEALS = 500
_DOLLARS = 100_000  # so that all of them together hardly move the pool where they buy
_WEALTH_WEI = 10**27
_SECONDS = 300
_LOOK_SECONDS = 0.05
_STANDBY_SECONDS = 2.0
_STEP_EVENTS = (
    "Supply(address,address,address,uint256,uint16)",
    "Borrow(address,address,address,uint256,uint8,uint256,uint16)",
)
_COLUMNS = ("worker", "deals", "durable change", "first s", "median s", "p99 s", "all s", "machine")

_IN_FLIGHT = """
    SELECT count(*) FROM (
        SELECT deal_id FROM intents GROUP BY deal_id
        HAVING count(DISTINCT group_id) = %s
            AND bool_and(status = ANY(ARRAY['sent', 'landed'])) AND bool_or(status = 'sent')
    ) AS sent
"""
_SETTLED = """
    SELECT deal_id FROM intents WHERE group_id = ANY(%s)
    GROUP BY deal_id HAVING bool_and(status = 'landed')
"""
_GROUPS = "SELECT DISTINCT group_id FROM intents WHERE status = 'sent'"
_VERSIONS = "SELECT deal_id, version FROM deals"


def measure(postgres, options):
    """Undisturbed first, for comparison, then with the kill."""
    count = DEALS if not options.quick else 50
    table = Table("takeover", f"Takeover: {count} deals in flight, the worker killed", _COLUMNS)
    table.head()
    with node(postgres.folder / "devnet", 1) as devnet:
        accounts = devnet.profile.require_accounts()
        for one in (accounts.core, accounts.float_):
            devnet.control.set_balance(one, _WEALTH_WEI)
        url = asyncio.run(postgres.fresh("bench_takeover"))
        settings = {
            "database_url": url,
            "profile": devnet.profile_path,
            "state_dir": postgres.folder,
            **ROOM,
        }
        asyncio.run(_approved(devnet, settings, count))
        devnet.control.set_manual_mining()
        _take_over(devnet, settings, count, table)
    undisturbed, taken_over = table.data[2], table.data[5]
    table.ratios["seconds until all were advanced, after a kill"] = taken_over["all"]
    table.ratios["the same with the worker alive"] = undisturbed["all"]
    table.tail()
    return table


async def _approved(devnet, settings, count):
    """Approve this many deals while no worker runs."""
    ours = load({f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()})
    async with opened(ours) as system:
        bench = deals.Bench(devnet, deals.with_rungs(system), settings["database_url"], {})
        made = [await bench.create(_DOLLARS) for _ in range(count)]
        await asyncio.gather(*map(bench.approve, made))


def _take_over(devnet, settings, count, table):
    url, control = settings["database_url"], devnet.control
    first = control.block_number() + 1
    with workers(devnet.folder / "first", 1, settings, may_end=True) as (old,):
        _await(url, count, groups=1)
        moves = Moves(devnet, url, count)
        control.mine()
        _tell(table, "alive", count, moves.watch())
        _await(url, count, groups=2)
        with workers(devnet.folder / "second", 1, settings):
            time.sleep(_STANDBY_SECONDS)
            moves = Moves(devnet, url, count)
            old.kill()
            control.set_interval(1)
            _tell(table, "killed", count, moves.watch())
            for event in _STEP_EVENTS:
                found = count_events(devnet, event, first)
                assert found == count, f"{found} x {event}, not {count}"


def _await(url, count, *, groups):
    """Until each deal has recorded this many groups and sent the last one."""
    deadline = time.monotonic() + _SECONDS
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        while (found := connection.execute(_IN_FLIGHT, (groups,)).fetchone()[0]) < count:
            assert time.monotonic() < deadline, f"{found} of {count} deals are in flight"
            time.sleep(0.2)


@dataclass(frozen=True)
class Times:
    """When each deal made its change, in seconds after the start; ascending."""

    change: str
    seconds: list[float]

    def at(self, share):
        """When this share of the deals had made it."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


class Moves:
    """Watches, from outside, how deals move after this moment."""

    def __init__(self, devnet, url, count):
        self._devnet, self._block = devnet, devnet.control.block_number()
        self._connection = psycopg.connect(libpq_url(url), autocommit=True)
        self._groups = [row[0] for row in self._connection.execute(_GROUPS)]
        self._versions = dict(self._connection.execute(_VERSIONS).fetchall())
        self._count = count
        self._start = time.perf_counter()

    def watch(self):
        """When all groups were mined, the group of each settled, and when its row moved on."""
        mined, settled, advanced = [], {}, {}
        with self._connection as connection:
            while len(settled) < self._count or len(advanced) < self._count:
                now = time.perf_counter() - self._start
                assert now < _SECONDS, f"{len(settled)} settled, {len(advanced)} advanced"
                if not mined and self._devnet.control.block_number() > self._block:
                    mined.append(time.perf_counter() - self._start)
                for (deal,) in connection.execute(_SETTLED, (self._groups,)):
                    settled.setdefault(deal, now)
                for deal, version in connection.execute(_VERSIONS):
                    if version > self._versions[deal]:
                        advanced.setdefault(deal, now)
                time.sleep(_LOOK_SECONDS)
        return [
            Times("mined", mined),
            Times("outcome written", sorted(settled.values())),
            Times("advanced", sorted(advanced.values())),
        ]


def _tell(table, worker, count, changes):
    for one in changes:
        figures = {"first": 0, "median": 0.5, "p99": 0.99, "all": 1}
        seconds = {name: round(one.at(share), 2) for name, share in figures.items()}
        machine = round(speed(), 1)
        table.add(
            worker,
            count,
            one.change,
            *(f"{value:.1f}" for value in seconds.values()),
            f"{machine:.0f}",
            worker=worker,
            deals=count,
            change=one.change,
            machine_ms=machine,
            **seconds,
        )
