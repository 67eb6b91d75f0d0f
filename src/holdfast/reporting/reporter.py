"""Makes reports: reads everything in one transaction, then only computes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, assert_never

from holdfast.audit.service import DESK
from holdfast.common.errors import Broken, Rejected
from holdfast.common.ids import DealId
from holdfast.reporting.quality import ChainOfRecord
from holdfast.reporting.reports import WITH_PATH, ReportKind, build, runs_report, span_of
from holdfast.reporting.risk_path import read_path
from holdfast.reporting.runs import RunKind, month_before
from holdfast.reporting.store import runs as store
from holdfast.reporting.store.facts import read_facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from holdfast.audit.service import AuditTrail
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.reporting.facts import Facts
    from holdfast.reporting.ports import RiskHistory
    from holdfast.reporting.tables import Report
    from holdfast.risk.limits import RiskLimits


_RUNS: Final = 100
"""Runs that are listed: a season of days and months."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Reads the desk's records; asks no node. `closes` are daily prices of ETH, oldest first."""

    db: Database
    audit: AuditTrail
    clock: Clock
    limits: RiskLimits
    history: RiskHistory
    closes: tuple[float, ...] = ()

    async def made(self, kind: ReportKind, day: date | None = None) -> Report:
        """The report of a day in UTC, today unless it is named.

        Raises:
            Rejected: `report.date` for a day that has not begun, `report.price_history`.
            Transient: the database does not answer.
        """
        now = self.clock.now()
        span = span_of(kind, day or now.date(), now)
        async with self.db.begin() as session:
            facts = replace(await read_facts(session, span, now), daily_closes=self.closes)
            if kind in WITH_PATH:
                facts = replace(facts, path=await read_path(self.history, session, span))
            records = await self._verified(session, facts) if kind is ReportKind.COMPLIANCE else ()
        return build(kind, facts, self.limits, records)

    async def stored(self, kind: RunKind, day: date | None = None) -> tuple[dict[str, Any], str]:
        """What was made on schedule: its document and its page.

        Args:
            kind: the daily report, or the stress run.
            day: the day of the report, yesterday without one; or one of the month of the run,
                the month before this one without one.

        Raises:
            Rejected: `report.not_made`.
        """
        period = _period(kind, day, self.clock.now().date())
        async with self.db.begin() as session:
            found = await store.made(session, kind, period)
        if found is None:
            message = f"no {kind} report of {period} was made on schedule"
            raise Rejected("report.not_made", message, value=f"{kind}:{period}")
        return found

    async def runs(self) -> Report:
        """What was due on schedule lately, and what became of it."""
        now = self.clock.now()
        async with self.db.begin() as session:
            found = await store.listed(session, _RUNS)
        return runs_report(found, now)

    async def _verified(self, session: Session, facts: Facts) -> Sequence[ChainOfRecord]:
        """Every record that the report may speak of, checked from its first entry."""
        deals = [DealId(deal.deal_id) for deal in facts.deals]
        return [await self._chain(session, deal) for deal in (DESK, *deals)]

    async def _chain(self, session: Session, deal: DealId) -> ChainOfRecord:
        of = None if deal == DESK else deal
        try:
            link = await self.audit.verify(session, deal)
        except Broken as error:
            entries = error.fields.get("seq")
            return ChainOfRecord(of, entries if isinstance(entries, int) else 0, "", holds=False)
        return ChainOfRecord(of, link.length, link.digest.hex(), holds=True)


def _period(kind: RunKind, day: date | None, today: date) -> str:
    match kind:
        case RunKind.DAILY:
            return (day or today - timedelta(days=1)).isoformat()
        case RunKind.STRESS:
            return month_before(today) if day is None else f"{day:%Y-%m}"
        case _:
            assert_never(kind)
