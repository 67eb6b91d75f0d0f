"""`make simulate [SEEDS=10000 FROM=0]`: many seeds on every core, one JSON line at the end.

A seed that fails is printed as `SEED=n` with what broke; `--seed n` runs that one again and prints
everything that happened in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

from tests.simulation.quiet import silence
from tests.simulation.run import Result, run_seed
from tests.support.counts import at_least_one

_CHUNK = 50  # seeds handed to a process at once
_PROGRESS_SECONDS = 10  # between two lines on stderr


def main():
    options = _options()
    if options.seed is not None:
        return _tell(options.seed)
    began = time.perf_counter()
    counts, failed = Counter(), []
    seeds = range(options.start, options.start + options.seeds)
    with ProcessPoolExecutor(options.processes, initializer=silence) as pool:
        for result in told(pool.map(_one, seeds, chunksize=_CHUNK), len(seeds)):
            counts.update(result.counts)
            if result.violation:
                failed.append(result.seed)
                print(f"SEED={result.seed} {result.violation}", file=sys.stderr)
    print(json.dumps(_summary(counts, failed, options, time.perf_counter() - began)))
    return 1 if failed else 0


def _one(seed):
    try:
        return run_seed(seed)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be told with its seed
        return Result(seed, f"failed: {error!r}", {}, [])


def told(results, total, out=sys.stderr):
    """The same results, with a line of progress now and then."""
    began = last = time.monotonic()
    for done, result in enumerate(results, start=1):
        yield result
        now = time.monotonic()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            print(f"{now - began:6.0f} s  seeds {done:6} of {total}", file=out, flush=True)


def _tell(seed):
    silence()
    result = run_seed(seed, traced=True)
    print("\n".join(result.trace))
    print(f"SEED={seed} {result.violation or 'holds'} digest={result.digest}")
    return 1 if result.violation else 0


def _summary(counts, failed, options, seconds):
    names = ("intents", "settled", "blocks", "crashes", "freezes", "reorgs", "reopened", "faults")
    return {
        "seeds": options.seeds,
        "from": options.start,
        **{name: counts[name] for name in names},
        "violations": len(failed),
        "failed_seeds": failed[:20],
        "seconds": round(seconds, 1),
    }


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=at_least_one, default=10_000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="start", help="the first one")
    parser.add_argument("--seed", type=int, help="run this one alone and print its trace")
    parser.add_argument("--processes", type=at_least_one, default=cpu_count(), help="one a core")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
