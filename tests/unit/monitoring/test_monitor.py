"""The monitor ticks at even times, outlives whatever a tick runs into, and is watched itself."""

import pytest

from holdfast.common.alerts import Severity
from holdfast.common.errors import Rejected, Transient
from holdfast.common.store import Lead
from holdfast.monitoring.monitor import FAILED, Monitor
from holdfast.monitoring.tick_watch import LATE, TickWatch
from tests.support.alarm import KeptAlarm
from tests.unit.monitoring.books import Db
from tests.unit.monitoring.open_book import row
from tests.unit.monitoring.test_ticker import CHAIN, Clock, Stage

AWAY = Transient("rpc.unreachable", "no node answers")


class Done(BaseException):
    """Ends a monitor that would go on for ever."""


class Scripted(Stage):
    """Ticks that take the seconds told, or raise what is told; then the monitor is done."""

    def __init__(self, *script):
        super().__init__(row())
        self.script = list(script)
        self.begun_at = []

    async def read(self):
        self.begun_at.append(self.clock.seconds)
        if not self.script:
            raise Done
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        self.clock.move(step)
        return await super().read()

    async def run(self):
        with pytest.raises(Done):
            await Monitor(self.parts(), None, self.clock).work()


async def test_ticks_begin_every_five_seconds_however_long_they_take():
    stage = Scripted(1.0, 2.0, 0.5)
    await stage.run()
    assert stage.begun_at == [100.0, 105.0, 110.0, 115.0]
    assert stage.figure("tick_seconds_count") == 3


async def test_a_tick_that_took_too_long_is_followed_at_once_and_nothing_is_made_up_for():
    stage = Scripted(12.0, 1.0)
    await stage.run()
    assert stage.begun_at == [100.0, 112.0, 117.0]


@pytest.mark.parametrize("error", [AWAY, Rejected("market.no_price", "the feed has no answer")])
async def test_ticks_that_fail_in_a_row_are_told_once_and_their_end_too(error):
    stage = Scripted(error, error, error, 1.0)
    await stage.run()
    assert stage.alarm.codes == [FAILED]
    assert error.message in stage.alarm.alerts[0].text
    # once at the start, for whatever a leader before left open, and once when it was over
    assert [one.codes for one in stage.alarm.over] == [FAILED, FAILED]
    assert stage.figure("ticks_failed_total") == 3


async def test_one_tick_that_fails_is_counted_and_nobody_is_called():
    stage = Scripted(AWAY, 1.0, AWAY, 1.0)
    await stage.run()
    assert (stage.alarm.codes, stage.figure("ticks_failed_total")) == ([], 2)


async def test_a_failure_that_could_not_be_told_is_told_the_next_time():
    stage = Scripted(AWAY, AWAY, AWAY)
    told = stage.alarm.raised
    failures = [Transient("database.unavailable", "away")]

    async def raised(session, *alerts):
        if failures:
            raise failures.pop()
        await told(session, *alerts)

    stage.alarm.raised = raised
    await stage.run()
    assert stage.alarm.codes == [FAILED]


async def test_the_monitor_works_under_its_lead():
    stage = Scripted()

    class Leadership:
        async def lead(self, work):
            stage.led = True
            await work()

    with pytest.raises(Done):
        await Monitor(stage.parts(), Leadership(), stage.clock).run()
    assert stage.led


class Ages:
    """How old the newest tick is, as a test says."""

    def __init__(self):
        self.seconds = None

    async def age_seconds(self, session, chain_id):
        return self.seconds


class Watched:
    def __init__(self):
        self.ages, self.alarm, self.clock = Ages(), KeptAlarm(), Clock()
        self.reduced, self.lead = [], None
        self.looking = TickWatch(
            db=Db(),
            chain_id=CHAIN,
            alarm=self.alarm,
            clock=self.clock,
            switch=self,
            ticks=self.ages,
            leads=self,
        )

    async def look(self, age, after=5.0):
        self.ages.seconds = age
        self.clock.move(after)
        await self.looking.once()
        return [one.severity for one in self.alarm.alerts]

    async def lead_of(self, session, name):
        return self.lead if name == "risk:138" else None

    def taken_over(self, seconds, silent=0.5):
        self.lead = Lead("risk:138", "host/7", 3, led_seconds=seconds, silent_seconds=silent)

    async def watch(self, session, chain, breaches):
        self.reduced.append((chain, breaches))


async def test_ticks_in_time_are_no_alarm_and_end_one_that_is_left_over():
    watched = Watched()
    assert await watched.look(3.0) == []
    assert await watched.look(4.0) == []
    assert {(one.codes, one.subject) for one in watched.alarm.over} == {(LATE, "chain:138")}
    assert watched.reduced == []


async def test_a_worker_that_has_just_begun_to_look_ends_no_alarm_while_ticks_stay_away():
    watched = Watched()
    assert await watched.look(100.0, after=1) == []
    assert watched.alarm.over == []


async def test_a_tick_that_is_late_is_told_once_and_again_when_it_is_grave():
    watched = Watched()
    assert await watched.look(20.0, after=100) == [Severity.WARNING]
    assert await watched.look(25.0) == [Severity.WARNING]
    assert await watched.look(70.0) == [Severity.WARNING, Severity.CRITICAL]
    assert "70 s ago" in watched.alarm.alerts[-1].text
    assert await watched.look(2.0) == [Severity.WARNING, Severity.CRITICAL]
    assert len(watched.alarm.over) == 1


async def test_a_new_leader_that_reads_the_book_is_no_alarm_until_it_takes_too_long():
    watched = Watched()
    watched.taken_over(12.0)
    assert await watched.look(16.0, after=100) == []
    watched.taken_over(25.0)
    assert await watched.look(29.0) == []
    watched.taken_over(30.0)
    assert await watched.look(34.0) == [Severity.WARNING]
    (alert,) = watched.alarm.alerts
    assert "host/7 has led it for 30 s and is still at its first tick" in alert.text
    assert alert.fields["is_loading"] is True
    watched.taken_over(56.0)
    assert await watched.look(60.0) == [Severity.WARNING, Severity.CRITICAL]


async def test_leaders_that_die_one_after_the_other_at_their_first_tick_are_told_all_the_same():
    watched = Watched()
    watched.taken_over(2.0)
    assert await watched.look(31.0, after=100) == [Severity.WARNING]


async def test_a_leader_that_ticked_and_stopped_has_no_more_time_than_before():
    watched = Watched()
    watched.taken_over(400.0)
    assert await watched.look(16.0, after=500) == [Severity.WARNING]
    assert "host/7 leads it and does not tick" in watched.alarm.alerts[0].text


async def test_a_lead_that_nobody_holds_is_why_ticks_stop():
    watched = Watched()
    watched.taken_over(5.0, silent=9.0)
    assert await watched.look(16.0, after=100) == [Severity.WARNING]
    assert "Nobody leads it" in watched.alarm.alerts[0].text


async def test_a_chain_that_nobody_watched_for_a_minute_adds_no_risk():
    watched = Watched()
    await watched.look(20.0, after=100)
    assert watched.reduced == []
    await watched.look(60.0)
    await watched.look(65.0)  # still so: the stable period begins when ticks are back
    assert watched.reduced == [(CHAIN, [LATE]), (CHAIN, [LATE])]
    assert watched.alarm.alerts[-1].text.count("no deal adds risk") == 1
    await watched.look(2.0)
    assert len(watched.reduced) == 2  # the monitor's own ticks take it back


async def test_an_alarm_of_a_worker_that_is_gone_is_ended_by_another():
    watched = Watched()
    await watched.look(1.0)
    await watched.look(1.0)
    assert len(watched.alarm.over) == 2


async def test_who_has_just_begun_to_look_gives_the_monitor_time_to_begin():
    watched = Watched()
    assert await watched.look(900.0, after=10) == []
    assert await watched.look(905.0) == [Severity.WARNING]


async def test_a_monitor_that_never_ticked_is_told():
    watched = Watched()
    assert await watched.look(None, after=10) == []
    assert await watched.look(None, after=10) == [Severity.WARNING]
    assert "never was" in watched.alarm.alerts[0].text


async def test_the_watch_looks_every_five_seconds():
    watched = Watched()

    async def sleep(seconds):
        watched.clock.slept.append(seconds)
        if len(watched.clock.slept) == 2:
            raise Done

    watched.clock.sleep = sleep
    with pytest.raises(Done):
        await watched.looking.run()
    assert watched.clock.slept == [5.0, 5.0]
