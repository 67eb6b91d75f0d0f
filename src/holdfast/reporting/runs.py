"""Which reports are due by themselves: each day a report, each month a stress run; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from holdfast.common.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunKind(StrEnum):
    """What is made on schedule."""

    DAILY = "daily"
    STRESS = "stress"


GRACE: Final = timedelta(hours=1)
"""How long after it was due a run may come before somebody is told."""

MOST_DAYS: Final = 31
"""How many missed days are made up for; older ones can be made by hand."""

_AFTER_MIDNIGHT: Final = timedelta(minutes=5)
"""The last blocks and deliveries of the day are booked by then."""


@dataclass(frozen=True, slots=True)
class Run:
    """One report that is due; `period` is a day, or a month such as 2026-03."""

    kind: RunKind
    period: str
    due_at: datetime

    @property
    def subject(self) -> str:
        """Its name as a chore's subject and as an alert's."""
        return f"{self.kind}:{self.period}"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is kept; one that `is_kept` has a document and a page."""

    kind: str
    period: str
    due_at: datetime
    made_at: datetime | None
    is_kept: bool

    @property
    def state(self) -> str:
        """What became of it; of the runs before the desk's first ones nothing was wanted."""
        if self.made_at is None:
            return "due"
        return "made" if self.is_kept else "not wanted"


def month_before(day: date) -> str:
    """The period of the stress run that is made in the month of `day`."""
    return _stress(day).period


def parse_subject(subject: str) -> tuple[RunKind, str]:
    """The kind and the period.

    Raises:
        Broken: `report.run` for a subject of a later version.
    """
    kind, _, period = subject.partition(":")
    try:
        return RunKind(kind), period
    except ValueError as error:
        raise Broken("report.run", f"this version makes no {subject!r}", value=subject) from error


def due(now: datetime, newest: Mapping[RunKind, str]) -> tuple[Run, ...]:
    """What is due at `now` beyond the newest period of each kind that has a row.

    Of a kind without any nothing is due: the desk is new, see `begun`.

    Args:
        now: in UTC.
        newest: the last period of each kind.
    """
    today = _today(now)
    runs: list[Run] = []
    if (last_day := newest.get(RunKind.DAILY)) is not None:
        days = [today - timedelta(days=back) for back in range(MOST_DAYS, 0, -1)]
        runs += [_daily(day) for day in days if day.isoformat() > last_day]
    if (last_month := newest.get(RunKind.STRESS)) is not None:
        month = _stress(today)
        runs += [month] if month.period > last_month else []
    return tuple(runs)


def begun(now: datetime) -> tuple[Run, ...]:
    """The runs before a desk's first ones, which nobody missed: they count as made."""
    today = _today(now)
    return (_daily(today - timedelta(days=1)), _stress(today))


def _today(now: datetime) -> date:
    return (now - _AFTER_MIDNIGHT).date()


def _daily(day: date) -> Run:
    return Run(RunKind.DAILY, day.isoformat(), _start(day + timedelta(days=1)))


def _stress(today: date) -> Run:
    """Of the month before this one, due when this one begins."""
    this = today.replace(day=1)
    return Run(RunKind.STRESS, f"{this - timedelta(days=1):%Y-%m}", _start(this))


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _AFTER_MIDNIGHT
