"""Puts together what makes reports on schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.system_clock import SystemClock
from holdfast.reporting.runs import RunKind
from holdfast.reporting.schedule import CHORE, Schedule, ScheduledReport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from holdfast.monitoring.wiring import Notices
    from holdfast.reporting.schedule import Document
    from holdfast.reporting.scheduled import DailyReport, StressRun


def schedule_of(notices: Notices, daily: DailyReport, stress: StressRun) -> Schedule:
    """The schedule; who makes the reports is told to the notices, as it is a chore."""
    db, clock, alarm = notices.db, SystemClock(), notices.alerts
    makers: Mapping[RunKind, Callable[[str], Awaitable[Document]]]
    makers = {RunKind.DAILY: daily, RunKind.STRESS: stress}
    notices.does(CHORE, ScheduledReport(db, alarm, clock, makers))
    return Schedule(db, makers.keys(), notices.chores, alarm, clock, clock)
