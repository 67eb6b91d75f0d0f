"""What a storm comes to: its one line, and whether it is right."""

import json
import sys
from statistics import quantiles

from tests.chaos.storm import say

_MOST_PROBLEMS = 20


def concluded(aftermath):
    """Judge the storm and print its line; the exit code."""
    judgement = aftermath.judged()
    for problem in judgement.problems[:_MOST_PROBLEMS]:
        say(f"problem: {problem}")
    sys.stdout.write(f"{json.dumps(figures(aftermath, judgement))}\n")
    order = aftermath.order
    is_whole = aftermath.kills >= order.kills and judgement.deals >= order.deals
    return 0 if is_whole and judgement.is_clean else 1


def figures(aftermath, judgement):
    """All there is to tell, by name."""
    return {
        "kills": aftermath.kills,
        "deals": judgement.deals,
        "legs": judgement.legs,
        "lost": judgement.lost,
        "duplicated": judgement.duplicated,
        "mismatch_wei": judgement.mismatch_wei,
        "stuck": judgement.stuck,
        "recovery_seconds": _spread(aftermath.recoveries),
        "unrecovered": aftermath.unrecovered,
        "problems": len(judgement.problems),
        "reverted": judgement.reverted,
        "no_ops": judgement.no_ops,
        "blows": dict(sorted(aftermath.done.items())),
        "workers_ended": dict(sorted(aftermath.ended.items())),
        "seed": aftermath.order.seed,
        "duration_seconds": round(aftermath.seconds, 1),
    }


def _spread(seconds):
    if not seconds:
        return {"p50": None, "p99": None, "max": None}
    cuts = quantiles(seconds if len(seconds) > 1 else seconds * 2, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2), "max": round(max(seconds), 2)}
