"""`python -m tests.bench`: Holdfast, a plain client and the limit, side by side in one run."""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from dataclasses import dataclass

from tests.bench import deals, plain, report
from tests.bench.presigned import presigned
from tests.bench.stage import node, server


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
    Scope(0, {1: 5, 8: 3, 32: 3}, 3, (1, 8, 32), (1, 8, 32)),
    Scope(1, {1: 1, 8: 1, 32: 1}, 1, (8, 32), (1, 8, 32)),
)
QUICK = (
    Scope(0, {1: 2, 8: 1}, 2, (), (8,)),
    Scope(1, {8: 1}, 0, (), ()),
)


def main():
    """Run it all, print the table as it grows, the comparison, and one JSON line."""
    options = _options()
    scopes = QUICK if options.quick else FULL
    if options.at_once:
        scopes = [_only(scope, options.at_once) for scope in scopes]
    if options.block_time is not None:
        scopes = [scope for scope in scopes if scope.block_time == options.block_time]
    load, start, results = os.getloadavg(), time.perf_counter(), []
    report.head(load, options.processes)
    with server() as postgres:
        for scope in scopes:
            _measure(scope, postgres, options, tell=_Told(results))
    report.tail(results, load, time.perf_counter() - start)


class _Told:
    """Keeps each result and prints its row at once."""

    def __init__(self, results):
        self._results = results

    def __call__(self, result):
        self._results.append(result)
        report.row(result)


def _measure(scope, postgres, options, *, tell):
    folder = postgres.folder / "devnet"
    if "holdfast" in options.only:
        with node(folder, scope.block_time) as devnet:
            asyncio.run(_holdfast(scope, devnet, postgres, options.processes, tell=tell))
    if "plain" in options.only:
        with node(folder, scope.block_time) as devnet:
            if scope.sequential:
                tell(plain.sequential(devnet, scope.sequential))
            for count in scope.plain:
                tell(plain.at_once(devnet, count))
    if "presigned" in options.only:
        with node(folder, scope.block_time) as devnet:
            for count in scope.presigned:
                tell(presigned(devnet, count))


async def _holdfast(scope, devnet, postgres, processes, *, tell):
    async with deals.running(devnet, postgres, processes) as bench:
        for count, rounds in scope.holdfast.items():
            tell(await bench.measure(count, rounds))


def _only(scope, counts):
    rounds = {count: scope.holdfast.get(count, 3) for count in counts}
    return Scope(scope.block_time, rounds, scope.sequential, tuple(counts), tuple(counts))


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a glance, in under a minute")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default 2)")
    parser.add_argument("--block-time", type=int, choices=(0, 1), help="only this mining")
    parser.add_argument("--at-once", type=int, nargs="+", help="only these numbers of deals")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=("holdfast", "plain", "presigned"),
        default=("holdfast", "plain", "presigned"),
        help="only these programs",
    )
    return parser.parse_args()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
