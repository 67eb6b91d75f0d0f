"""Reports on schedule: made once whoever asks, kept, told of, and missed out loud."""

from datetime import UTC, date, datetime, timedelta

import pytest

from holdfast.audit.service import AuditTrail
from holdfast.common.alerts import Severity
from holdfast.common.errors import Rejected, Transient
from holdfast.common.evm import BlockRef, block_hash
from holdfast.common.ids import ChainId
from holdfast.common.money import USD8, Usd8
from holdfast.common.system_clock import SystemClock
from holdfast.monitoring.store import history
from holdfast.monitoring.wiring import notices_of
from holdfast.reporting.reporter import Reporter
from holdfast.reporting.runs import RunKind
from holdfast.reporting.schedule import CHORE, Document, Schedule, ScheduledReport
from holdfast.reporting.scheduled import DailyReport, StressRun
from holdfast.reporting.store import runs as store
from holdfast.risk.book import OpenBook
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.limits import RiskLimits
from tests.support.rows import rows

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
MORNING = datetime(2026, 3, 10, 0, 6, tzinfo=UTC)
SUBJECT = "daily:2026-03-09"
APRIL = datetime(2026, 4, 1, 0, 6, tzinfo=UTC)
POOL = ExitPool(Usd8(10**6 * USD8), 500)


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
    made = Schedule(database, list(RunKind), notices.chores, notices.alerts, clock, clock)
    clock.at = NOON
    await made.once()
    clock.at = MORNING
    return made


def chore(database, notices, clock, maker):
    makers = dict.fromkeys(RunKind, maker)
    return ScheduledReport(database, notices.alerts, clock, makers)


def no_deals():
    return OpenBook(BlockRef(9, block_hash("0x" + "ab" * 32), 1), Usd8(2_000 * USD8), POOL, [])


class Books:
    async def read(self):
        return no_deals()


async def made(period):
    return Document({"day": period}, "<p>page</p>", f"all is well on {period}")


async def test_a_new_desk_has_nothing_to_make_and_nothing_was_missed(database, schedule, clock):
    query = "SELECT period, made_at IS NULL, document IS NULL FROM report_runs ORDER BY kind"
    assert await rows(database, query) == [("2026-03-08", False, True), ("2026-02", False, True)]
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
    daily = DailyReport(database, audit, SystemClock(), RiskLimits(), history, None)
    document = await daily("2026-03-09")
    assert document.values["until"] == "2026-03-10T00:00:00+00:00"
    assert document.page.startswith("<!doctype html>")
    assert "open deals 0" in document.text
    assert document.text.endswith("the data is good")


async def test_the_stress_run_is_due_when_the_month_turns(database, schedule, notices, clock):
    clock.at = APRIL - timedelta(minutes=2)
    await schedule.once()
    query = "SELECT subject FROM chores WHERE subject LIKE 'stress%'"
    assert await rows(database, query) == []
    clock.at = APRIL
    await schedule.once()
    await schedule.once()
    assert await rows(database, query) == [("stress:2026-03",)]
    run = StressRun(Books(), ChainId(138), clock, RiskLimits())
    await chore(database, notices, clock, run)("stress:2026-03")
    reporter = Reporter(database, AuditTrail(clock), clock, RiskLimits(), history)
    document, page = await reporter.stored(RunKind.STRESS)
    assert document["title"] == "Holdfast: monthly stress run of 2026-03"
    assert "No deal is open: there is nothing to stress." in page
    assert await reporter.stored(RunKind.STRESS, date(2026, 3, 17)) == (document, page)
    told = await rows(database, "SELECT severity, text FROM alerts WHERE code = 'report.stress'")
    ((severity, text),) = told
    assert severity == "info"
    assert "No deal is open" in text


async def test_a_stress_run_without_a_node_is_missed_out_loud_until_it_is_made(
    database, schedule, notices, clock
):
    async def away(period):
        raise Transient("node.down", "no node answers")

    clock.at = APRIL
    await schedule.once()
    with pytest.raises(Transient):
        await chore(database, notices, clock, away)("stress:2026-03")
    query = "SELECT code, resolved_at IS NULL FROM alerts WHERE subject = 'stress:2026-03'"
    assert await rows(database, query) == []
    clock.at = APRIL + timedelta(minutes=61)
    await schedule.once()
    assert await rows(database, query) == [("report.missed", True)]
    await chore(database, notices, clock, made)("stress:2026-03")
    assert await rows(database, f"{query} AND code = 'report.missed'") == [("report.missed", False)]


async def test_what_waiting_does_not_mend_is_told_at_once_until_it_is_made(
    database, schedule, notices, clock
):
    async def refused(period):
        raise Rejected("replay.file", "eth.csv cannot be read")

    await schedule.once()
    for _ in range(2):
        with pytest.raises(Rejected):
            await chore(database, notices, clock, refused)(SUBJECT)
    query = "SELECT code, raised, resolved_at IS NULL FROM alerts WHERE code = 'report.failed'"
    assert await rows(database, query) == [("report.failed", 2, True)]
    await chore(database, notices, clock, made)(SUBJECT)
    assert await rows(database, query) == [("report.failed", 2, False)]


async def test_a_grave_stress_run_is_told_as_a_warning(database, schedule, notices, clock):
    async def grave(period):
        return Document({}, "<p>page</p>", "NOT whole", Severity.WARNING)

    await schedule.once()
    await chore(database, notices, clock, grave)(SUBJECT)
    query = "SELECT code, severity FROM alerts"
    assert await rows(database, query) == [("report.daily", "warning")]


async def test_runs_are_listed_with_what_became_of_them(database, schedule, notices, clock):
    await schedule.once()
    reporter = Reporter(database, AuditTrail(clock), clock, RiskLimits(), history)

    async def listed():
        return [(row[0], row[1], row[4]) for row in (await reporter.runs()).table("runs").rows]

    before = [("daily", "2026-03-08", "not wanted"), ("stress", "2026-02", "not wanted")]
    assert await listed() == [("daily", "2026-03-09", "due"), *before]
    await chore(database, notices, clock, made)(SUBJECT)
    assert await listed() == [("daily", "2026-03-09", "made"), *before]


async def test_what_was_made_is_found_again_and_what_was_not_is_refused(
    database, schedule, notices, clock
):
    await schedule.once()
    await chore(database, notices, clock, made)(SUBJECT)
    reporter = Reporter(database, AuditTrail(clock), clock, RiskLimits(), history)
    day = date(2026, 3, 9)
    assert await reporter.stored(RunKind.DAILY) == ({"day": "2026-03-09"}, "<p>page</p>")
    assert await reporter.stored(RunKind.DAILY, day) == await reporter.stored(RunKind.DAILY)
    for kind, other in ((RunKind.DAILY, date(2026, 3, 8)), (RunKind.STRESS, day)):
        with pytest.raises(Rejected) as caught:
            await reporter.stored(kind, other)
        assert caught.value.code == "report.not_made"
