"""Whole deals: Holdfast, a plain client and the limit, side by side."""

import asyncio
import functools
from dataclasses import dataclass

from tests.bench import deals, plain
from tests.bench.presigned import presigned
from tests.bench.stage import node
from tests.bench.table import Table

PROGRAMS = ("holdfast", "plain", "presigned")

_COLUMNS = (
    *("program", "blocks", "at once", "deals", "deals/s", "blocks/deal", "machine"),
    *("worker ms", "node ms", "database ms"),
)
_PEERS = {8: 0.36, 32: 1.45}
"""Deals a second at 1 s blocks of web3.py async, ethers and viem, which take 22 blocks a deal:
the number at once / 22. Source: the project's own side-by-side measurement."""


@dataclass(frozen=True)
class Scope:
    """What is measured at one block time.

    `holdfast` gives the rounds for each number of deals at once; the others the numbers at once.
    """

    block_time: int
    holdfast: dict[int, int]
    sequential: int
    plain: tuple[int, ...]
    presigned: tuple[int, ...]


FULL = (
    Scope(0, {1: 5, 8: 3, 32: 2}, 3, (1, 8, 32), (1, 8, 32)),
    Scope(1, {1: 1, 8: 1, 32: 1}, 1, (8, 32), (1, 8, 32)),
)
QUICK = (
    Scope(0, {1: 2, 8: 1}, 2, (), (8,)),
    Scope(1, {8: 1}, 0, (), ()),
)


def measure(postgres, options):
    """Every program at every block time and number at once."""
    table = Table("loops", "Whole deals with four tranches", _COLUMNS)
    table.head()
    results = []
    for scope in _scopes(options):
        _measure(scope, postgres, options, tell=functools.partial(_tell, table, results))
    table.ratios.update(_ratios(results))
    table.tail()
    return table


def _scopes(options):
    scopes = QUICK if options.quick else FULL
    if options.at_once:
        scopes = [_only(scope, options.at_once) for scope in scopes]
    return [scope for scope in scopes if options.block_time in {None, scope.block_time}]


def _only(scope, counts):
    rounds = {count: scope.holdfast.get(count, 3) for count in counts}
    return Scope(scope.block_time, rounds, scope.sequential, tuple(counts), tuple(counts))


def _measure(scope, postgres, options, *, tell):
    folder = postgres.folder / "devnet"
    if "holdfast" in options.programs:
        with node(folder, scope.block_time) as devnet:
            asyncio.run(_holdfast(scope, devnet, postgres, options.processes, tell=tell))
    if "plain" in options.programs:
        with node(folder, scope.block_time) as devnet:
            if scope.sequential:
                tell(plain.sequential(devnet, scope.sequential))
            for count in scope.plain:
                tell(plain.at_once(devnet, count))
    if "presigned" in options.programs:
        with node(folder, scope.block_time) as devnet:
            for count in scope.presigned:
                tell(presigned(devnet, count))


async def _holdfast(scope, devnet, postgres, processes, *, tell):
    async with deals.running(devnet, postgres, processes) as bench:
        for count, rounds in scope.holdfast.items():
            tell(await bench.measure(count, rounds))


def _tell(table, results, result):
    results.append(result)
    cpu = result.cpu_ms()
    client = cpu.get("worker", cpu.get("client"))
    table.add(
        result.program,
        f"{result.block_time} s" if result.block_time else "automine",
        result.at_once,
        result.deals,
        f"{result.per_second:.2f}",
        f"{result.typical_blocks:g}",
        f"{result.speed:.0f}",
        *("" if ms is None else f"{ms:.0f}" for ms in (client, cpu["node"], cpu.get("database"))),
        **result.as_dict(),
    )


def _ratios(results):
    found = {(one.program, one.block_time, one.at_once): one.per_second for one in results}
    for block_time, mining in ((0, "automine"), (1, "1 s blocks")):
        naive = found.get(("web3.py sequential", block_time, 1))
        for at_once in (1, 8, 32):
            ours = found.get(("Holdfast", block_time, at_once))
            if ours is None:
                continue
            rivals = {
                "web3.py sequential": naive,
                "web3.py async": found.get(("web3.py async", block_time, at_once)),
                "presigned": found.get(("presigned, raw", block_time, at_once)),
                "22 blocks a deal (computed)": _PEERS.get(at_once) if block_time else None,
            }
            for name, theirs in rivals.items():
                if theirs is not None:
                    yield f"{mining}, {at_once} at once, Holdfast to {name}", ours / theirs
