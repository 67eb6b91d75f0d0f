"""A picture of figures over time, one above the other, in which what nobody saw is a grey gap."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.reporting.pictures import new_figure
from holdfast.reporting.report_charts import COLOURS, svg

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Level:
    """A named level across, from the mildest to the gravest."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Line:
    """One figure over time: a value for each moment, not a number where there is none."""

    name: str
    values: Sequence[float]
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """When there are values: each from its start on for `width`; what is left is a gap."""

    starts: Sequence[datetime]
    width: timedelta
    until: datetime

    def gaps(self) -> list[tuple[datetime, datetime]]:
        """From when to when there is no value, after the first."""
        ends = [one + self.width for one in self.starts]
        then = [*self.starts[1:], self.until]
        pairs = zip(ends, then, strict=True)
        return [(end, start) for end, start in pairs if start - end >= self.width]


def path_chart(title: str, times: Times, lines: Sequence[Line]) -> str:
    """The lines over `times`, one above the other."""
    figure = new_figure(9, 1.6 * len(lines) + 0.4)
    figure.suptitle(title, fontsize=10)
    rows = figure.subplots(len(lines), 1, sharex=True)
    for axes, line in zip(rows, lines, strict=True):
        _draw(axes, line, times)
    dates: Any = importlib.import_module("matplotlib.dates")
    locator = dates.AutoDateLocator()
    rows[-1].xaxis.set_major_locator(locator)
    rows[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    rows[-1].set_xlabel("UTC", fontsize=8)
    return svg(figure)


def _draw(axes: Any, line: Line, times: Times) -> None:  # noqa: ANN401 - see pictures
    axes.step(*_with_gaps(times, line.values), where="post", lw=1.1, color="#4477aa")
    for since, until in times.gaps():
        axes.axvspan(since, until, color="#d0d7de", lw=0)
    for level, colour in zip(line.levels, COLOURS[-len(line.levels) :], strict=True):
        axes.axhline(level.at, ls=":", color=colour, label=level.name)
    axes.set_ylabel(line.name.replace(", ", "\n").replace(" (", "\n("), fontsize=7)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", fontsize=7)


def _with_gaps(times: Times, values: Sequence[float]) -> tuple[list[datetime], list[float]]:
    """The points in order, with what is no number where each gap begins: no line crosses it."""
    points = [*zip(times.starts, values, strict=True)]
    points += [(since, float("nan")) for since, _ in times.gaps()]
    last = times.starts[-1] + times.width
    if all(since != last for since, _ in times.gaps()):
        points.append((last, values[-1]))
    points.sort(key=lambda one: one[0])
    return [at for at, _ in points], [value for _, value in points]
