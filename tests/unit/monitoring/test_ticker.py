"""One tick: what it writes in its transaction, whom it wakes, and what it tells only once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from holdfast.common.alerts import Ended, Severity
from holdfast.common.errors import Transient
from holdfast.common.ids import BankId, ChainId, new_deal_id
from holdfast.execution.open_deals import Unreadable
from holdfast.execution.store.labels import Booking
from holdfast.monitoring.risk_metrics import RiskMetrics
from holdfast.monitoring.ticker import ALL_KEPT, AT_ONCE, MARKS_KEPT, Parts, Ticker
from tests.support.alarm import KeptAlarm
from tests.unit.monitoring.books import Db
from tests.unit.monitoring.open_book import LIMITS, book, row
from tests.unit.risk.markets import market

CHAIN = ChainId(138)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that a test moves; `slept` is what was waited for."""

    def __init__(self):
        self.time, self.seconds, self.slept = START, 100.0, []

    def now(self):
        return self.time

    def monotonic_seconds(self):
        return self.seconds

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds):
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds


class Stage:
    """The parts of a ticker, all of plain values."""

    def __init__(self, *rows, on=None):
        self.rows, self.market, self.on = rows, market(), on or {}
        self.alarm, self.clock, self.db = KeptAlarm(), Clock(), Db()
        self.ticks, self.thinned, self.woken, self.fenced = [], [], [], 0
        self.watched, self.observed = [], []
        self.lost, self.unreadable = None, ()
        self.registry = CollectorRegistry()

    def parts(self):
        return Parts(
            chain_id=CHAIN,
            db=self.db,
            books=self,
            markets=Markets(self),
            limits=LIMITS,
            dynamic=self,
            alarm=self.alarm,
            wakes=self,
            switch=self,
            clock=self.clock,
            fence=self,
            ticks=Ticks(self),
            open_alerts=self,
            metrics=RiskMetrics(self.registry),
        )

    async def read(self):
        return replace(book(*self.rows), unreadable=self.unreadable)

    async def wake(self, session, *deals, at=None):
        self.woken += deals

    async def watch(self, session, chain, breaches):
        self.watched.append(breaches)

    async def observe(self, session, market):
        self.observed.append(market)

    async def fence(self, session):
        self.fenced += 1
        if self.lost is not None:
            raise self.lost

    async def open_of(self, session, chain_id, beginnings):
        return self.on

    def figure(self, name, **labels):
        return self.registry.get_sample_value(f"holdfast_risk_{name}", {"chain": "138", **labels})


class Markets:
    def __init__(self, stage):
        self.stage = stage

    async def read(self, head):
        return self.stage.market


class Ticks:
    def __init__(self, stage):
        self.stage = stage

    async def write(self, session, tick, *, is_kept):
        self.stage.ticks.append((tick, is_kept))

    async def thin(self, session, chain_id, *, all_since, kept_since):
        self.stage.thinned.append((all_since, kept_since))
        return 0


async def test_a_tick_is_written_with_every_deal_and_the_market():
    stage = Stage(row(), row(number=8, debt=0))
    tick = await (await Ticker.begun(stage.parts())).once()
    assert stage.ticks == [(tick, True)]
    assert list(tick.deals["number"]) == [7, 8]
    assert tick.market["eth_price"] == 2_000 * 10**8
    assert (stage.fenced, stage.woken, stage.alarm.alerts) == (1, [], [])
    assert stage.watched == [[]]
    assert stage.figure("ltv_highest_ratio") == 0.2
    assert stage.figure("deals", state="calm") == 2
    assert stage.figure("book_dollars", what="debt") == 600_000


async def test_a_breach_is_told_and_wakes_the_deal_in_the_same_transaction():
    due = row(collateral=1_990_000)
    stage = Stage(due, row(number=8))
    await (await Ticker.begun(stage.parts())).once()
    assert stage.woken == [due.deal.deal_id]
    assert stage.alarm.codes == ["risk.breach.I6.ltv"]


async def test_what_lasts_wakes_again_but_is_told_once_and_its_end_is_told():
    due = row(collateral=1_990_000)
    stage = Stage(due)
    ticker = await Ticker.begun(stage.parts())
    await ticker.once()
    stage.clock.move(25)
    await ticker.once()
    assert (len(stage.alarm.alerts), len(stage.woken)) == (1, 1)  # the deal looks for itself
    stage.clock.move(5)
    await ticker.once()
    assert (len(stage.alarm.alerts), stage.woken) == (1, [due.deal.deal_id] * 2)
    stage.rows = (row(),)
    await ticker.once()
    assert [one.codes for one in stage.alarm.over] == ["risk.breach.I6.ltv"]


async def test_a_deal_that_is_due_anew_is_woken_at_once():
    due = row(collateral=1_990_000)
    stage = Stage(due)
    ticker = await Ticker.begun(stage.parts())
    for rows in ((due,), (), (due,)):
        stage.rows = rows
        await ticker.once()
    assert stage.woken == [due.deal.deal_id] * 2


async def test_what_an_earlier_leader_told_is_not_told_again():
    due = row(collateral=2_100_000)
    on = {("risk.warning.I6.ltv_warning", str(due.deal.deal_id)): Severity.WARNING}
    stage = Stage(due, on={**on, ("risk.market.peg", "chain:138"): Severity.WARNING})
    await (await Ticker.begun(stage.parts())).once()
    assert stage.alarm.alerts == []
    assert [one.codes for one in stage.alarm.over] == ["risk.market.peg"]


async def test_a_tick_that_was_not_written_tells_everything_the_next_time():
    stage = Stage(row(collateral=1_990_000))
    ticker = await Ticker.begun(stage.parts())
    stage.lost = Transient("leader.lost", "somebody else leads")
    with pytest.raises(Transient):
        await ticker.once()
    assert (stage.ticks, stage.alarm.alerts) == ([], [])
    stage.lost = None
    await ticker.once()
    assert stage.alarm.codes == ["risk.breach.I6.ltv"]


async def test_a_book_in_trouble_all_at_once_is_taken_worst_first():
    rows = [row(number=n, reserve=1_500_000 - n, collateral=1_990_000) for n in range(AT_ONCE + 50)]
    stage = Stage(*rows)
    await (await Ticker.begun(stage.parts())).once()
    assert (len(stage.woken), len(stage.alarm.alerts)) == (AT_ONCE, AT_ONCE)
    assert stage.woken[0] == rows[-1].deal.deal_id  # the least bucket
    assert {alert.severity for alert in stage.alarm.alerts} == {Severity.CRITICAL}


async def test_whoever_takes_the_lead_thins_out_at_once_and_then_with_the_hour():
    stage = Stage(row())
    stage.clock.move(20 * 60)  # START is a full hour
    ticker = await Ticker.begun(stage.parts())
    for minutes, thinned in ((0, 1), (20, 1), (15, 1), (5, 2)):
        stage.clock.move(minutes * 60)
        await ticker.once()
        assert len(stage.thinned) == thinned


async def test_what_deals_share_is_told_once_however_many_there_are():
    stage = Stage(row(), row(number=8))
    calm = stage.market
    stage.market = market(cash=1.04, eth_feed=type(calm.eth_feed)(calm.eth_feed.price, 0))
    await (await Ticker.begun(stage.parts())).once()
    assert stage.alarm.codes == ["risk.breach.I10.oracle_age", "risk.market.peg"]
    assert {one.subject for one in stage.alarm.alerts} == {"chain:138"}
    assert stage.watched == [["I10.oracle_age"]]


async def test_one_tick_of_five_minutes_is_kept_and_old_ones_go_hourly():
    stage = Stage()
    ticker = await Ticker.begun(stage.parts())
    for _ in range(2 * 60 * 12):  # two hours of ticks
        await ticker.once()
        stage.clock.move(5)
    kept = [tick.taken_at for tick, is_kept in stage.ticks if is_kept]
    assert kept == [START + timedelta(minutes=5 * n) for n in range(24)]
    assert stage.thinned == [
        (START + timedelta(hours=n) - ALL_KEPT, START + timedelta(hours=n) - MARKS_KEPT)
        for n in range(2)
    ]


async def test_figures_of_a_book_without_debt_and_of_one_that_is_left():
    stage = Stage(row(debt=0))
    parts = stage.parts()
    await (await Ticker.begun(parts)).once()
    assert stage.figure("cover_lowest_ratio") == float("inf")
    parts.metrics.stopped(CHAIN)
    assert stage.figure("ltv_highest_ratio") is None
    assert stage.figure("deals", state="calm") is None
    assert stage.figure("book_dollars", what="debt") is None


async def test_every_tick_moves_the_limits_of_new_deals_with_the_market():
    stage = Stage()
    ticker = await Ticker.begun(stage.parts())
    await ticker.once()
    stage.market = market(cash=0.95)
    await ticker.once()
    assert stage.observed == [market(), market(cash=0.95)]


async def test_a_deal_that_cannot_be_read_is_told_of_and_the_others_are_watched():
    stage = Stage(row(number=7))
    deal = Booking(new_deal_id(), 8, BankId("BANK002"), 1)
    stage.unreadable = (Unreadable(deal, "plan.tampered", "the stored plan is no plan"),)
    ticker = await Ticker.begun(stage.parts())
    tick = await ticker.once()
    assert [one["number"] for one in tick.rows()] == [7]
    (alert,) = [one for one in stage.alarm.alerts if one.code == "risk.deal_unreadable"]
    assert (alert.severity, alert.subject) == (Severity.CRITICAL, str(deal.deal_id))
    assert alert.fields == {"code": "plan.tampered"}
    stage.unreadable = ()
    await ticker.once()
    assert Ended("risk.deal_unreadable", str(deal.deal_id)) in stage.alarm.over
