"""The kill switch: what is written, recorded and told when somebody turns it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.audit.service import DESK as DESK_RECORD
from holdfast.common.alerts import Ended, Severity
from holdfast.common.errors import Rejected
from holdfast.common.ids import BankId, ChainId, PrincipalId
from holdfast.risk.switch import KillSwitch
from holdfast.risk.trading import DESK, STABLE, Scope, Setting, Source, TradingState
from tests.support.alarm import KeptAlarm

ALICE = PrincipalId("alice")
BANK, CHAIN = BankId("BANK001"), ChainId(31337)
ON_CHAIN = Scope(chain=CHAIN)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = {
    ("desk", Source.PERSON): Setting(
        "desk", Source.PERSON, TradingState.ACTIVE, "new", "migration", since=NOW, seen_at=NOW
    )
}
"""What a new database has."""
TICK = timedelta(seconds=5)


class Book:
    """The store, with its rows in a dict and its locks in a list."""

    def __init__(self):
        self.rows = dict(FIRST)
        self.locks = []

    async def hold(self, session):
        self.locks.append("hold")

    async def take(self, session):
        self.locks.append("take")

    async def settings(self, session, scopes=None):
        names = None if scopes is None else {scope.name for scope in scopes}
        return [row for row in self.rows.values() if names is None or row.scope in names]

    async def put(self, session, setting):
        self.rows[setting.scope, setting.source] = setting

    async def note_seen(self, session, setting, now):
        self.rows[setting.scope, setting.source] = replace(setting, seen_at=now)


class Audit:
    def __init__(self):
        self.acts = []
        self.locked = 0

    async def lock_desk(self, session):
        self.locked += 1

    async def record(self, session, *acts):
        assert self.locked > len(self.acts)
        self.acts += acts


class Clock:
    def __init__(self):
        self.time = NOW

    def now(self):
        return self.time


class Waiting:
    """Notes for which scopes deals were woken."""

    def __init__(self):
        self.woken = []

    async def within(self, session, scope):
        return 0 if scope.chain else 2

    async def wake(self, session, scope):
        self.woken.append(scope)


class Stage:
    def __init__(self):
        self.waiting = Waiting()
        self.book, self.audit, self.clock, self.alarm = Book(), Audit(), Clock(), KeptAlarm()
        self.switch = KillSwitch(self.audit, self.alarm, self.clock, self.waiting, self.book)

    async def turn(self, scope, state, reason="looking into it"):
        return await self.switch.turn("session", scope, state, by=ALICE, reason=reason)

    async def watch(self, *breaches, after=TICK):
        self.clock.time += after
        await self.switch.watch("session", CHAIN, breaches)
        return (await self.switch.glance("session", BANK, CHAIN)).state


async def test_a_state_is_written_recorded_and_told():
    stage = Stage()
    made = await stage.turn(DESK, TradingState.HALTED, "  a key may be lost  ")
    assert (made.scope, made.state, made.source) == ("desk", TradingState.HALTED, Source.PERSON)
    assert (made.reason, made.set_by, made.since) == ("a key may be lost", "alice", NOW)
    assert stage.book.locks == ["take"]
    (act,) = stage.audit.acts
    assert (act.deal_id, act.actor, act.action) == (DESK_RECORD, "alice", "desk.halted")
    assert act.detail == {
        "before": "active",
        "after": "halted",
        "source": "person",
        "reason": "a key may be lost",
    }
    (alert,) = stage.alarm.alerts
    assert (alert.code, alert.severity) == ("desk.halted", Severity.CRITICAL)
    assert "a key may be lost" in alert.text
    assert stage.alarm.over == [Ended("desk.", "desk")]


@pytest.mark.parametrize("reason", ["", "  "])
async def test_nobody_turns_it_without_a_reason(reason):
    stage = Stage()
    with pytest.raises(Rejected) as caught:
        await stage.turn(DESK, TradingState.ACTIVE, reason)
    assert caught.value.code == "desk.reason"
    assert (stage.book.rows, stage.audit.acts, stage.alarm.alerts) == (FIRST, [], [])


async def test_an_act_and_an_alert_name_the_bank_or_chain():
    stage = Stage()
    await stage.turn(Scope(bank=BANK), TradingState.REDUCING)
    await stage.turn(ON_CHAIN, TradingState.HALTED)
    assert [(act.bank, act.chain_id) for act in stage.audit.acts] == [(BANK, 0), ("-", CHAIN)]
    found = [(one.bank_id, one.chain_id, one.severity) for one in stage.alarm.alerts]
    assert found == [
        (BANK, None, Severity.WARNING),
        (None, CHAIN, Severity.CRITICAL),
    ]


async def test_a_bank_that_is_halted_leaves_the_others_active():
    stage = Stage()
    await stage.turn(Scope(bank=BANK), TradingState.HALTED)
    assert (await stage.switch.glance("session", BANK, CHAIN)).state is TradingState.HALTED
    assert (await stage.switch.glance("session", BankId("BANK002"), CHAIN)).is_active
    assert {one.scope for one in await stage.switch.settings("session")} == {"bank:BANK001", "desk"}


async def test_turning_it_back_is_recorded_and_closes_the_alert():
    stage = Stage()
    await stage.turn(DESK, TradingState.HALTED)
    await stage.turn(DESK, TradingState.ACTIVE)
    assert [act.detail["before"] for act in stage.audit.acts] == ["active", "halted"]
    # the alert of the halt is closed before the news of its end is told, and that news afterwards
    assert stage.alarm.over == [Ended("desk.", "desk")] * 3
    assert stage.alarm.codes == ["desk.halted", "desk.active"]
    assert (await stage.switch.glance("session", BANK, CHAIN)).is_active


async def test_deals_are_woken_where_more_may_be_done_than_before():
    stage = Stage()
    for state in (TradingState.REDUCING, TradingState.HALTED, TradingState.HALTED):
        await stage.turn(ON_CHAIN, state)
    assert stage.waiting.woken == []
    await stage.turn(ON_CHAIN, TradingState.REDUCING)
    await stage.turn(ON_CHAIN, TradingState.ACTIVE)
    await stage.turn(ON_CHAIN, TradingState.ACTIVE)
    assert stage.waiting.woken == [ON_CHAIN, ON_CHAIN]
    await stage.watch("I10.oracle_age")
    await stage.watch(after=STABLE)
    assert stage.waiting.woken == [ON_CHAIN] * 3  # the monitor's own REDUCING is over


async def test_what_adds_risk_holds_the_states_while_it_looks():
    stage = Stage()
    assert (await stage.switch.held("session", BANK, CHAIN)).is_active
    assert stage.book.locks == ["hold"]


async def test_prices_that_cannot_be_trusted_reduce_the_chain_at_once_and_once():
    stage = Stage()
    assert await stage.watch() is TradingState.ACTIVE
    assert stage.book.rows == FIRST
    assert await stage.watch("I10.oracle_age") is TradingState.REDUCING
    assert await stage.watch("I10.oracle_age") is TradingState.REDUCING
    (act,) = stage.audit.acts
    assert (act.actor, act.action) == ("monitor", "desk.reducing")
    assert "I10.oracle_age" in act.detail["reason"]
    assert stage.alarm.codes == ["desk.reducing"]


async def test_the_chain_is_active_again_only_after_a_stable_period():
    stage = Stage()
    await stage.watch("I10.oracle_age")
    await stage.watch("I10.oracle_deviation", after=STABLE)  # still not well: the period begins
    assert await stage.watch(after=STABLE - TICK) is TradingState.REDUCING
    assert await stage.watch() is TradingState.ACTIVE
    assert await stage.watch() is TradingState.ACTIVE
    assert stage.alarm.codes == ["desk.reducing", "desk.active"]


async def test_the_monitor_never_lifts_what_a_person_set():
    stage = Stage()
    await stage.turn(ON_CHAIN, TradingState.HALTED)
    await stage.watch("I10.node_lag")
    assert await stage.watch(after=2 * STABLE) is TradingState.HALTED
    await stage.turn(ON_CHAIN, TradingState.ACTIVE)
    assert (await stage.switch.glance("session", BANK, CHAIN)).is_active


async def test_a_person_does_not_lift_what_the_monitor_set():
    stage = Stage()
    await stage.watch("I10.oracle_age")
    await stage.turn(ON_CHAIN, TradingState.ACTIVE)
    assert (await stage.switch.glance("session", BANK, CHAIN)).state is TradingState.REDUCING
