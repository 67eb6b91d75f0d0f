"""The monitor on a real database: its history, its lead, and what the status shows."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from holdfast.audit.service import AuditTrail
from holdfast.common.db import libpq_url
from holdfast.common.errors import Transient
from holdfast.common.ids import ChainId
from holdfast.common.leader import LeaderLock
from holdfast.common.queue import ChoreQueue, Queue
from holdfast.common.system_clock import SystemClock
from holdfast.entry.cli.main import run
from holdfast.execution.store.deals import DealStore
from holdfast.execution.waiting import TradingWaits
from holdfast.ledger import service as ledger
from holdfast.monitoring.alerts import Alerts
from holdfast.monitoring.chores import Chores
from holdfast.monitoring.monitor import Monitor
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import history
from holdfast.monitoring.tick_watch import LATE, TickWatch
from holdfast.monitoring.ticker import Parts, Ticker
from holdfast.monitoring.ticks import COLUMNS, FORMAT, Tick, columns
from holdfast.risk.service import DynamicLimits
from holdfast.risk.switch import KillSwitch
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.execution.scene import AT
from tests.unit.monitoring.open_book import LIMITS, book, row
from tests.unit.risk.markets import market

__all__ = ["process_as_before"]

CHAIN = ChainId(138)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WIDTH = len(COLUMNS[FORMAT])


def tick(at=NOON, *, chain=CHAIN, deals=2):
    rows = [[number] * WIDTH for number in range(1, deals + 1)]
    return Tick(chain, AT, at, 0.25, {"eth_price": 2**40, "is_frozen": False}, columns(rows))


async def stored(database, *ticks, every=1):
    async with database.begin() as session:
        for number, one in enumerate(ticks):
            await history.write(session, one, is_kept=number % every == 0)


async def test_a_tick_is_read_back_as_it_was(database):
    await stored(database, tick(), tick(deals=0))
    async with database.begin() as session:
        first, empty = await history.between(session, CHAIN, NOON, NOON + timedelta(seconds=1))
        assert (first, empty.count) == (tick(), 0)
        assert await history.between(session, CHAIN, NOON - timedelta(days=1), NOON) == []


async def test_the_newest_tick_of_each_chain_and_its_age(database):
    other = ChainId(651940)
    await stored(database, tick(NOON), tick(chain=other))
    await stored(database, tick(NOON + timedelta(seconds=5)))
    async with database.begin() as session:
        assert await history.chains(session) == [CHAIN, other]
        assert (await history.newest(session, CHAIN)).taken_at == NOON + timedelta(seconds=5)
        assert await history.age_seconds(session, ChainId(1)) is None
        assert 0 <= await history.age_seconds(session, CHAIN) < 60


async def test_old_ticks_are_thinned_to_those_kept_and_then_go(database):
    times = [NOON + timedelta(seconds=5 * n) for n in range(120)]
    await stored(database, *(tick(at) for at in times), every=60)
    async with database.begin() as session:
        gone = await history.thin(
            session, CHAIN, all_since=times[110], kept_since=NOON - timedelta(days=1)
        )
        assert gone == 108  # of the 110 before, two are kept
        kept = await history.between(session, CHAIN, NOON, times[-1], only_kept=True)
        assert [one.taken_at for one in kept] == [times[0], times[60]]
        await history.thin(session, CHAIN, all_since=times[110], kept_since=times[61])
        assert await history.count(session, CHAIN) == 10


class Desk:
    """A book and a market of plain values for a monitor on a real database."""

    def __init__(self, database, url, *rows):
        self.rows, self.url, self.database = rows, url, database
        self.queue = Queue(url)
        chores = Chores(ChoreQueue(url))
        self.alarm = Alerts(chores, AuditTrail(SystemClock()), DealStore())
        self.switch = KillSwitch(
            AuditTrail(SystemClock()), self.alarm, SystemClock(), TradingWaits(self.queue)
        )

    async def read(self, *_):
        return book(*self.rows)

    def parts(self, lead):
        return Parts(
            chain_id=CHAIN,
            db=self.database,
            books=self,
            markets=Markets(),
            limits=LIMITS,
            dynamic=DynamicLimits(CHAIN, LIMITS, self.alarm),
            alarm=self.alarm,
            wakes=self.queue,
            switch=self.switch,
            clock=SystemClock(),
            fence=lead.lease,
        )

    def monitor(self, name="risk:138"):
        lead = LeaderLock(self.url, name, retry_seconds=0.05, renew_seconds=0.1, lease_seconds=5.0)
        return Monitor(self.parts(lead), lead, SystemClock(), tick_seconds=0.05), lead


class Markets:
    async def read(self, head):
        return market()


async def count(database):
    async with database.begin() as session:
        return await history.count(session, CHAIN)


async def ticks_beyond(database, known):
    async with asyncio.timeout(60):
        while True:
            if await count(database) > known:
                return
            await asyncio.sleep(0.02)


async def jobs(url):
    async with await psycopg.AsyncConnection.connect(libpq_url(url)) as own:
        rows = await own.execute(
            "SELECT args->>'deal_id' FROM procrastinate_jobs WHERE task_name = 'advance'"
        )
        return {deal for (deal,) in await rows.fetchall()}


async def open_codes(database):
    async with database.begin() as session:
        return {code for code, _ in await alert_store.open_of(session, CHAIN, ("risk.",))}


async def test_a_breach_is_recorded_with_the_tick_and_the_deal_is_called_for(
    database, database_url
):
    due = row(collateral=1_990_000)
    desk = Desk(database, database_url, due, row(number=8))
    _, lead = desk.monitor()
    async with lead.held():
        ticker = await Ticker.begun(desk.parts(lead))
        await ticker.once()
        assert await open_codes(database) == {"risk.breach.I6.ltv"}
        assert await jobs(database_url) == {str(due.deal.deal_id)}
        desk.rows = (row(number=9, collateral=2_100_000), row(number=8))  # the first is over
        await ticker.once()
    assert await open_codes(database) == {"risk.warning.I6.ltv_warning"}
    assert await count(database) == 2


async def test_one_that_lost_the_lead_writes_nothing(database, database_url):
    desk = Desk(database, database_url, row(collateral=1_990_000))
    _, lead = desk.monitor()
    async with lead.held():
        ticker = await Ticker.begun(desk.parts(lead))
    with pytest.raises(Transient) as caught:
        await ticker.once()
    assert caught.value.code == "leader.lost"
    assert (await count(database), await open_codes(database)) == (0, set())


async def test_one_monitor_ticks_and_another_takes_over_when_it_dies(database, database_url):
    desk = Desk(database, database_url, row())
    tasks = [asyncio.create_task(desk.monitor()[0].run()) for _ in range(2)]
    try:
        await ticks_beyond(database, 2)
        async with await psycopg.AsyncConnection.connect(
            libpq_url(database_url), autocommit=True
        ) as own:
            await own.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'holdfast-leader-risk:138'"
                " AND datname = current_database() AND pid IN"
                " (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
            )
        done, _ = await asyncio.wait(tasks, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert [one.exception().code for one in done] == ["leader.lost"]
        await ticks_beyond(database, await count(database))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_monitor_that_stops_is_told_of_by_others_until_it_is_back(
    database, database_url, monkeypatch
):
    late = "holdfast.monitoring.tick_watch.LATE_SECONDS"
    monkeypatch.setattr(late, 0.2)
    desk = Desk(database, database_url)
    watch = TickWatch(
        db=database, chain_id=CHAIN, alarm=desk.alarm, clock=SystemClock(), switch=desk.switch
    )
    await stored(database, tick())
    await asyncio.sleep(0.3)
    await watch.once()
    assert await open_codes(database) == {LATE}
    monkeypatch.setattr(late, 60)  # however busy this machine is
    await stored(database, tick())
    await watch.once()
    assert await open_codes(database) == set()


async def test_the_status_shows_the_last_tick_with_its_alerts(
    database, database_url, monkeypatch, capsys
):
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    due = row(collateral=1_990_000)
    desk = Desk(database, database_url, due)
    _, lead = desk.monitor()
    async with lead.held():
        await (await Ticker.begun(desk.parts(lead))).once()
    capsys.readouterr()
    assert await asyncio.to_thread(run, ["risk", "status", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (chain,) = report["chains"]
    (deal,) = chain["deals"]
    assert (deal["deal_number"], deal["ltv_percent"], deal["state"]) == (7, "30.16", "due")
    assert deal["deal_id"] is None  # no such deal is stored in this test
    assert chain["tick"]["is_late"] is False
    assert {one["code"] for one in report["alerts"]} == {"risk.breach.I6.ltv"}
    assert await asyncio.to_thread(run, ["risk", "status"]) == 0
    assert "30.16 %" in capsys.readouterr().out


async def test_the_balances_of_deals_that_booked_nothing_are_empty(database):
    async with database.begin() as session:
        deal = row().deal.deal_id
        assert (await ledger.balances_of(session, [deal]))[deal].held == {}
        assert await DealStore().open_ids(session, CHAIN) == {}
        assert await DealStore().open_numbers(session, CHAIN) == {}
        assert await DealStore().without_legs(session, [row().deal.deal_number]) == []
