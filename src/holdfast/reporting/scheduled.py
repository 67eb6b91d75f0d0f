"""What is made on schedule: the report of a day, and once a month a stress run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from holdfast.reporting.formats import Format, written
from holdfast.reporting.price_file import daily_closes
from holdfast.reporting.schedule import Document
from holdfast.reporting.tables import Kind, as_json, shown

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.audit.service import AuditTrail
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database
    from holdfast.common.ids import ChainId
    from holdfast.reporting.ports import RiskHistory, StressedBook
    from holdfast.reporting.tables import Report
    from holdfast.risk.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class DailyReport:
    """Makes the daily report; the file of prices is read anew each time."""

    db: Database
    audit: AuditTrail
    clock: Clock
    limits: RiskLimits
    history: RiskHistory
    price_history: Path | None

    async def __call__(self, period: str) -> Document:
        """The report of the day `period`, such as 2026-03-01.

        Raises:
            Rejected: the file of prices cannot be used.
            Transient: the database does not answer.
        """
        # Numpy and the charts take a second of a processor: not the event loop's, and only here.
        from holdfast.reporting.reporter import Reporter  # noqa: PLC0415
        from holdfast.reporting.reports import ReportKind  # noqa: PLC0415

        day = date.fromisoformat(period)
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        closes = await asyncio.to_thread(daily_closes, self.price_history, end)
        reporter = Reporter(self.db, self.audit, self.clock, self.limits, self.history, closes)
        report = await reporter.made(ReportKind.DAILY, day)
        page = await asyncio.to_thread(written, report, Format.HTML)
        return Document(as_json(report), page.decode(), _text(report))


@dataclass(frozen=True, slots=True)
class StressRun:
    """Stresses the whole open book of a chain as it stands."""

    book: StressedBook
    chain_id: ChainId
    clock: Clock
    limits: RiskLimits

    async def __call__(self, period: str) -> Document:
        """The run of the month `period`, such as 2026-03, made once the month is over.

        It is of the book when it is made: nobody can go back to what stood at month's end.

        Raises:
            Transient: the chain or the database does not answer.
        """
        from holdfast.reporting.stress_run import document  # noqa: PLC0415 - numpy, as above

        report = await self.made(f"monthly stress run of {period}")
        return await asyncio.to_thread(document, report)

    async def made(self, name: str) -> Report:
        """A run of now as a report that is called `name`; raises as `__call__`."""
        from holdfast.reporting.stress_run import Making, stress_run  # noqa: PLC0415

        book = await self.book.read()
        making = Making(name, self.chain_id, self.clock.now())
        return await asyncio.to_thread(stress_run, book, making, self.limits)


def _text(report: Report) -> str:
    """The desk's figures in one line."""
    rows = report.table("summary").rows
    figures = ", ".join(f"{row[0]} {shown(row[1], Kind.FIGURE)}" for row in rows)
    poor = sum(row[-1] is False for row in report.table("quality").rows)
    told = f"{poor} of the data checks failed" if poor else "the data is good"
    return f"{report.title}: {figures}; {told}"
