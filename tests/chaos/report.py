"""The one line of a storm."""

import json
from statistics import quantiles

MOST_PROBLEMS = 20


def line(outcome):
    """All figures as one JSON line."""
    judged, order = outcome.judgement, outcome.order
    return json.dumps(
        {
            "kills": outcome.kills,
            "deals": judged.deals,
            "legs": judged.legs,
            "lost": judged.lost,
            "duplicated": judged.duplicated,
            "mismatch_wei": judged.mismatch_wei,
            "stuck": judged.stuck,
            "recovery_seconds": _spread(outcome.recoveries),
            "unrecovered": outcome.unrecovered,
            "problems": len(judged.problems),
            "reverted": judged.reverted,
            "no_ops": judged.no_ops,
            "ended": dict(sorted(outcome.ended.items())),
            "seed": order.seed,
            "duration_seconds": round(outcome.seconds, 1),
        }
    )


def is_right(outcome):
    """Whether the storm did what was asked, and nothing at all was wrong."""
    order = outcome.order
    is_whole = outcome.kills >= order.kills and outcome.judgement.deals >= order.deals
    return is_whole and outcome.judgement.is_clean


def _spread(seconds):
    if len(seconds) < 2:
        return {name: round(sum(seconds), 2) if seconds else None for name in ("p50", "p99", "max")}
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2), "max": round(max(seconds), 2)}
