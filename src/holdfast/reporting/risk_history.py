"""The path of LTV, health and debt cover as a table with charts, its gaps told; pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from holdfast.reporting.path_charts import Level, Line, Times, path_chart
from holdfast.reporting.risk_path import coarser, start_of
from holdfast.reporting.tables import Column, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from holdfast.reporting.facts import Facts, Point, RiskPath, Span, Worst
    from holdfast.reporting.tables import Value
    from holdfast.risk.limits import RiskLimits

_HOUR: Final = 3_600
_DAY: Final = 86_400
_TALLEST: Final = 5.0
"""What a higher health factor or cover is drawn as: nobody acts on the difference."""

_COLUMNS: Final = (
    Column("chain", Kind.TEXT, "the chain"),
    Column("from", Kind.TIME, "when the hour or day begins"),
    Column("looks", Kind.COUNT, "looks of the monitor that were read; 0 is a gap"),
    Column("deals", Kind.COUNT, "the most deals that were open at a look"),
    Column("highest_ltv_percent", Kind.PERCENT, "highest LTV of any deal at any look"),
    Column("ltv_deal", Kind.COUNT, "the number of the deal that had it"),
    Column("lowest_health_factor", Kind.NUMBER, "lowest health factor of any deal at any look"),
    Column("lowest_debt_cover", Kind.NUMBER, "lowest debt cover of any deal at any look"),
    Column("cover_deal", Kind.COUNT, "the number of the deal that had it"),
)


def risk_history(facts: Facts, limits: RiskLimits) -> Table:
    """The worst of all open deals by hour, or by day over more than two, and a chart of each chain.

    Hours and days without a look are rows with none.
    """
    path, span = facts.path, facts.span
    title = "LTV, health factor and debt cover over time"
    if not path.points:
        note = "The monitor has no looks in this time."
        return Table("risk_history", title, _COLUMNS, (), note)
    chains = sorted({one.chain_id for one in path.points})
    rows = tuple(row for chain in chains for row in _rows(path, chain, span))
    chart = "".join(_chart(path, chain, span, limits) for chain in chains)
    return Table("risk_history", title, _COLUMNS, rows, _note(path), chart)


def _note(path: RiskPath) -> str:
    minutes = int(path.every.total_seconds()) // 60
    wide = int(path.width.total_seconds()) // 60
    drawn = (
        f" A point of the chart is the worst of {wide} minutes." if path.width > path.every else ""
    )
    return (
        f"The worst of all open deals, by one look of the monitor in every {minutes} minutes: what "
        f"came and went between two is in the alerts.{drawn} Grey: nobody looked. No health factor "
        "is shown for looks of a version that did not keep the venue's threshold."
    )


def _of(path: RiskPath, chain: int) -> list[Point]:
    return [one for one in path.points if one.chain_id == chain]


def _rows(path: RiskPath, chain: int, span: Span) -> Iterator[tuple[Value, ...]]:
    """From the hour or day of the first look on: a chain that is new has no gap before."""
    points = _of(path, chain)
    is_long = span.until - span.since > timedelta(days=2)
    width = _DAY if is_long else max(_HOUR, int(path.width.total_seconds()))
    found = {one.at: one for one in coarser(points, width)}
    for at in _starts(points[0].at, span.until, width):
        one = found.get(at)
        yield (str(chain), at, 0, *(None,) * 6) if one is None else _row(one)


def _starts(since: datetime, until: datetime, width: int) -> Iterator[datetime]:
    at = start_of(since, width)
    while at < until:
        yield at
        at += timedelta(seconds=width)


def _row(one: Point) -> tuple[Value, ...]:
    return (
        str(one.chain_id),
        one.at,
        one.looks,
        one.deals,
        None if one.ltv is None else int(one.ltv.value),
        None if one.ltv is None else one.ltv.deal,
        None if one.health is None else floored(one.health.value),
        None if one.cover is None else one.cover.value,
        None if one.cover is None else one.cover.deal,
    )


def floored(value: float) -> float:
    """To four digits, never up: a health factor is not shown better than it is."""
    return int(value * 10_000) / 10_000


def _chart(path: RiskPath, chain: int, span: Span, limits: RiskLimits) -> str:
    points = _of(path, chain)
    covers = (limits.warn_cover_wad / 10**18, limits.min_cover_wad / 10**18)
    lines = (
        Line(
            "highest LTV, percent",
            [_drawn(one.ltv, 0.01) for one in points],
            (Level("warning", limits.warn_ltv / 100), Level("cap", limits.max_ltv / 100)),
        ),
        Line(
            f"lowest health factor (to {_TALLEST:.0f})",
            [_drawn(one.health) for one in points],
            (Level("liquidated", 1.0),),
        ),
        Line(
            f"lowest debt cover (to {_TALLEST:.0f})",
            [_drawn(one.cover) for one in points],
            (Level("warning", covers[0]), Level("I3", covers[1])),
        ),
    )
    times = Times([one.at for one in points], path.width, span.until)
    return path_chart(f"Chain {chain}", times, lines)


def _drawn(worst: Worst | None, scale: float | None = None) -> float:
    if worst is None:
        return float("nan")
    return min(worst.value, _TALLEST) if scale is None else worst.value * scale
