"""Puts together what makes reports on schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.system_clock import SystemClock
from holdfast.reporting.runs import RunKind
from holdfast.reporting.schedule import CHORE, Schedule, ScheduledReport
from holdfast.reporting.scheduled import DailyReport

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.audit.service import AuditTrail
    from holdfast.monitoring.wiring import Notices
    from holdfast.risk.limits import RiskLimits


def schedule_of(
    notices: Notices, audit: AuditTrail, limits: RiskLimits, price_history: Path | None
) -> Schedule:
    """The schedule; who makes the reports is told to the notices, as it is a chore."""
    db, clock, alarm = notices.db, SystemClock(), notices.alerts
    makers = {RunKind.DAILY: DailyReport(db, audit, clock, limits, price_history)}
    notices.does(CHORE, ScheduledReport(db, alarm, clock, makers))
    return Schedule(db, makers.keys(), notices.chores, alarm, clock, clock)
