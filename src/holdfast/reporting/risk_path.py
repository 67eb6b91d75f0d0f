"""How LTV, health and debt cover of the open deals went, from the monitor's looks, made coarser.

The worst deal of each look counts, and the worst look of each point: a point never looks better
than what was seen in its time. A point without a look stays a gap: nothing is drawn across it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from holdfast.common.money import BPS
from holdfast.reporting.facts import Point, RiskPath, Worst

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from holdfast.common.db import Session
    from holdfast.reporting.facts import Span
    from holdfast.reporting.ports import Look, RiskHistory

MARK_SECONDS: Final = 300
"""The monitor keeps one look of every five minutes."""

POINTS: Final = 288
"""Points of a chart: a day's marks, and as many as its width can show."""

MOST_ROWS: Final = 5_000_000
"""Rows of deals that are unpacked for one report, some seconds of a processor; of more, fewer looks
are read."""

_WIDTHS: Final = tuple(minutes * 60 for minutes in (5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440))

_BOUNDLESS: Final = 2**32 - 1


async def read_path(history: RiskHistory, session: Session, span: Span) -> RiskPath:
    """The path over `span`, of at most `POINTS` points for each chain."""
    every = looks_apart(await history.marks(session, span.since, span.until))
    width = point_width(span, every)
    found: dict[tuple[int, int], Point] = {}
    async for look in history.sampled(session, span.since, span.until, seconds=every):
        point = seen(look, width)
        key = (point.chain_id, int(point.at.timestamp()))
        found[key] = joined(found[key], point) if key in found else point
    points = tuple(found[key] for key in sorted(found))
    return RiskPath(timedelta(seconds=width), timedelta(seconds=every), points)


def looks_apart(rows: int) -> int:
    """Seconds between the looks to read, so that at most `MOST_ROWS` of `rows` are unpacked."""
    return MARK_SECONDS * max(1, -(-rows // MOST_ROWS))


def point_width(span: Span, every: int) -> int:
    """Seconds of one point: no less than between looks, and at most `POINTS` of them in the span.

    They divide a day, so that each point lies in one hour or day of the table.
    """
    seconds = int((span.until - span.since).total_seconds())
    least = max(every, -(-seconds // POINTS))
    return next((width for width in _WIDTHS if width >= least), _WIDTHS[-1])


def seen(look: Look, width: int) -> Point:
    """One look as the point of its time."""
    deals = look.deals
    ltv = _highest(deals["ltv_bps"], deals["number"])
    threshold = look.market.get("threshold_bps")
    health = None
    if ltv is not None and threshold is not None:
        # LTV was rounded up to a basis point: the true factor is never lower.
        health = Worst(threshold / ltv.value, ltv.deal)
    return Point(
        chain_id=look.chain_id,
        at=start_of(look.taken_at, width),
        looks=1,
        deals=len(deals["number"]),
        ltv=ltv,
        health=health,
        cover=_lowest(deals["cover_bps"], deals["number"]),
    )


def joined(first: Point, then: Point) -> Point:
    """Two points as one at the time of `first`."""
    return Point(
        chain_id=first.chain_id,
        at=first.at,
        looks=first.looks + then.looks,
        deals=max(first.deals, then.deals),
        ltv=_worse(first.ltv, then.ltv, sign=-1),
        health=_worse(first.health, then.health),
        cover=_worse(first.cover, then.cover),
    )


def coarser(points: Sequence[Point], width: int) -> list[Point]:
    """The points of one chain joined into wider ones."""
    found: dict[datetime, Point] = {}
    for one in points:
        at = start_of(one.at, width)
        moved = Point(one.chain_id, at, one.looks, one.deals, one.ltv, one.health, one.cover)
        found[at] = joined(found[at], moved) if at in found else moved
    return list(found.values())


def start_of(at: datetime, width: int) -> datetime:
    """When the stretch of `width` seconds began that `at` lies in, counted from 1970."""
    return datetime.fromtimestamp(int(at.timestamp()) // width * width, UTC)


def _highest(values: array[int], deals: array[int]) -> Worst | None:
    """The highest LTV in bps; None where nobody owes anything."""
    worst = max(values, default=0)
    return Worst(worst, deals[values.index(worst)]) if worst else None


def _lowest(values: array[int], deals: array[int]) -> Worst | None:
    """The lowest cover as a ratio; None where nobody owes anything."""
    worst = min(values, default=_BOUNDLESS)
    if worst == _BOUNDLESS:
        return None
    return Worst(worst / BPS, deals[values.index(worst)])


def _worse(one: Worst | None, other: Worst | None, *, sign: int = 1) -> Worst | None:
    known = [each for each in (one, other) if each is not None]
    return min(known, key=lambda each: sign * each.value, default=None)
