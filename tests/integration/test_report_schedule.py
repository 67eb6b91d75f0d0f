"""Reports on schedule: made once whoever asks, kept, told of, and missed out loud."""

from datetime import UTC, date, datetime, timedelta

import pytest

from holdfast.audit.service import AuditTrail
from holdfast.common.errors import Rejected, Transient
from holdfast.common.system_clock import SystemClock
from holdfast.monitoring.wiring import notices_of
from holdfast.reporting.reporter import Reporter
from holdfast.reporting.reports import ReportKind
from holdfast.reporting.runs import RunKind
from holdfast.reporting.schedule import CHORE, Document, Schedule, ScheduledReport
from holdfast.reporting.scheduled import DailyReport
from holdfast.reporting.store import runs as store
from holdfast.risk.limits import RiskLimits
from tests.support.rows import rows

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
MORNING = datetime(2026, 3, 10, 0, 6, tzinfo=UTC)
SUBJECT = "daily:2026-03-09"


class At:
    def __init__(self, now):
        self.at = now

    def now(self):
        return self.at

    def monotonic_seconds(self):
        return 0.0

    async def sleep(self, seconds):
        raise AssertionError(seconds)


@pytest.fixture
def notices(database_url, database):
    return notices_of(database_url, database, [])


@pytest.fixture
def clock():
    return At(MORNING)


@pytest.fixture
async def schedule(database, notices, clock):
    """A schedule that began the day before, and has nothing to make up for."""
    made = Schedule(database, [RunKind.DAILY], notices.chores, notices.alerts, clock, clock)
    clock.at = NOON
    await made.once()
    clock.at = MORNING
    return made


def chore(database, notices, clock, maker):
    return ScheduledReport(database, notices.alerts, clock, {RunKind.DAILY: maker})


async def made(period):
    return Document({"day": period}, "<p>page</p>", f"all is well on {period}")


async def test_a_new_desk_has_nothing_to_make_and_nothing_was_missed(database, schedule, clock):
    query = "SELECT period, made_at IS NULL, document IS NULL FROM report_runs"
    assert await rows(database, query) == [("2026-03-08", False, True)]
    clock.at = NOON + timedelta(hours=2)
    await schedule.once()
    assert await rows(database, "SELECT kind FROM chores") == []
    assert await rows(database, "SELECT code FROM alerts") == []


async def test_what_is_due_becomes_one_chore_however_many_workers_look(database, schedule):
    await schedule.once()
    await schedule.once()
    found = await rows(database, "SELECT kind, subject FROM chores")
    assert found == [(CHORE, SUBJECT)]
    query = "SELECT kind, period FROM report_runs WHERE made_at IS NULL"
    assert await rows(database, query) == [("daily", "2026-03-09")]


async def test_a_report_is_kept_and_told_of_once(database, schedule, notices, clock):
    await schedule.once()
    work = chore(database, notices, clock, made)
    await work(SUBJECT)
    await work(SUBJECT)
    async with database.begin() as session:
        assert await store.made(session, RunKind.DAILY, "2026-03-09") == (
            {"day": "2026-03-09"},
            "<p>page</p>",
        )
        assert await store.made(session, RunKind.DAILY, "2026-03-08") is None
    # one alert, which is closed already and yet to be delivered
    query = "SELECT code, severity, text, raised, resolved_at IS NULL FROM alerts"
    assert await rows(database, query) == [
        ("report.daily", "info", "all is well on 2026-03-09", 1, False)
    ]
    assert ("alert",) in await rows(database, "SELECT kind FROM chores")


async def test_a_missed_run_is_an_alert_until_it_is_made(database, schedule, notices, clock):
    await schedule.once()
    clock.at = MORNING + timedelta(minutes=58)
    await schedule.once()
    assert await rows(database, "SELECT code FROM alerts") == []
    clock.at = MORNING + timedelta(minutes=61)
    await schedule.once()
    query = "SELECT code, subject, resolved_at IS NULL FROM alerts WHERE code = 'report.missed'"
    assert await rows(database, query) == [("report.missed", SUBJECT, True)]
    await chore(database, notices, clock, made)(SUBJECT)
    assert await rows(database, query) == [("report.missed", SUBJECT, False)]
    await schedule.once()
    assert await rows(database, query) == [("report.missed", SUBJECT, False)]


async def test_days_without_a_worker_are_made_up_for_and_told(database, schedule, clock):
    clock.at = MORNING + timedelta(days=2)
    await schedule.once()
    found = await rows(database, "SELECT subject FROM chores WHERE kind = 'report' ORDER BY 1")
    assert [row.subject[-2:] for row in found] == ["09", "10", "11"]
    missed = await rows(database, "SELECT subject FROM alerts WHERE code = 'report.missed'")
    assert sorted(row.subject[-2:] for row in missed) == ["09", "10"]


async def test_what_cannot_be_made_is_kept_as_due(database, schedule, notices, clock):
    async def failing(period):
        raise Transient("node.down", "no node answers")

    await schedule.once()
    with pytest.raises(Transient):
        await chore(database, notices, clock, failing)(SUBJECT)
    query = "SELECT period FROM report_runs WHERE made_at IS NULL"
    assert await rows(database, query) == [("2026-03-09",)]


async def test_the_daily_report_is_made_of_the_whole_day(database):
    audit = AuditTrail(SystemClock())
    daily = DailyReport(database, audit, SystemClock(), RiskLimits(), None)
    document = await daily("2026-03-09")
    assert document.values["until"] == "2026-03-10T00:00:00+00:00"
    assert document.page.startswith("<!doctype html>")
    assert "open deals 0" in document.text
    assert document.text.endswith("the data is good")


async def test_what_was_made_is_found_again_and_what_was_not_is_refused(
    database, schedule, notices, clock
):
    await schedule.once()
    await chore(database, notices, clock, made)(SUBJECT)
    reporter = Reporter(database, AuditTrail(clock), clock, RiskLimits())
    day = date(2026, 3, 9)
    assert await reporter.stored(ReportKind.DAILY) == ({"day": "2026-03-09"}, "<p>page</p>")
    assert await reporter.stored(ReportKind.DAILY, day) == await reporter.stored(ReportKind.DAILY)
    for kind, other in ((ReportKind.DAILY, date(2026, 3, 8)), (ReportKind.EXPOSURE, day)):
        with pytest.raises(Rejected) as caught:
            await reporter.stored(kind, other)
        assert caught.value.code == "report.not_made"
