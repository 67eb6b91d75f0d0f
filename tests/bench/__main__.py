"""`python -m tests.bench`: each figure of docs/performance.md, measured in one run."""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

from tests.bench import areas, exits, growth, loops, report, stress, takeover, ticks, transfers
from tests.bench.stage import log_little, server

CASES = {
    "transactions": transfers.measure,
    "loops": loops.measure,
    "profile": areas.measure,
    "takeover": takeover.measure,
    "growth": growth.measure,
    "stress": stress.measure,
    "ticks": ticks.measure,
    "exits": exits.measure,
}


def main():
    """Measure the cases that are asked for; tables as they grow, one JSON line at the end."""
    options = _options()
    load, start = os.getloadavg(), time.perf_counter()
    report.head(load)
    log_little()
    with server() as postgres:
        tables = [CASES[name](postgres, options) for name in CASES if name in options.only]
    if options.into is not None:
        report.write(tables, load, options.into)
    report.tail(tables, load, time.perf_counter() - start, markdown=options.markdown)


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CASES, default=tuple(CASES), help="cases")
    parser.add_argument("--markdown", action="store_true", help="also as the tables of the docs")
    parser.add_argument("--into", type=Path, help="put the tables into docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="a glance: fewer and smaller runs")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default 2)")
    parser.add_argument("--block-time", type=int, choices=(0, 1), help="only this mining")
    parser.add_argument("--at-once", type=int, nargs="+", help="loops: only these numbers of deals")
    parser.add_argument(
        "--programs",
        nargs="+",
        choices=loops.PROGRAMS,
        default=loops.PROGRAMS,
        help="loops: only these",
    )
    return parser.parse_args()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
