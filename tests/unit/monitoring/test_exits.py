"""When the unwinds of open deals are tried, and who hears of it."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest
import structlog

from holdfast.common.alerts import Severity
from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.lease import Unrivalled
from holdfast.execution.exits import Refusal
from holdfast.model.leg import LegKind
from holdfast.monitoring.exit_alerts import FAILING, LATE, late_no_more
from holdfast.monitoring.exits import (
    AT_ONCE,
    PAUSE_SECONDS,
    ROUND_SECONDS,
    Checking,
    ExitChecks,
    ExitParts,
)
from tests.support.alarm import KeptAlarm
from tests.unit.execution.scene import deal, seen
from tests.unit.monitoring.books import Db

REFUSED = Refusal(LegKind.REPAY, "leg.would_fail", "paused")
FAILS = {"works": False, "failing": REFUSED}


class Done(BaseException):
    """Ends work that would go on for ever."""


def check_of(made, *, works=True, failing=None, gas=False):
    look = seen(gas=2 if gas else 0)
    return SimpleNamespace(deal=made, works=works, failing=failing, before=look, after=look)


class World:
    """Open deals, a head, what each trial comes to, and the alerts that were told of them.

    A trial takes `seconds` for each deal.
    """

    def __init__(self, *deals, seconds=0.0):
        self.deals = {one.deal_id: one for one in deals}
        self.number, self.now, self.seconds = 100, 0.0, seconds
        self.outcomes, self.covers_known = {}, {}
        self.batches, self.slept = [], []
        self.alarm = KeptAlarm()
        self.told = {}
        self.silent = False
        self.unreadable = set()

    def parts(self, every_blocks=10):
        return ExitParts(
            *(138, Db(), self, self, self, self, self.alarm, self, Unrivalled(), self, self),
            every_blocks,
        )

    def checking(self, every_blocks=10):
        """The checks under a leader that has just begun."""
        return Checking(self.parts(every_blocks))

    @property
    def checked(self):
        return [deal_id for batch in self.batches for deal_id in batch]

    async def head(self):
        if self.silent:
            raise Transient("rpc.unreachable", "no answer")
        return SimpleNamespace(ref=SimpleNamespace(number=self.number))

    async def open_ids(self, session, chain_id):
        return {one.deal_id: one.deal_number for one in self.deals.values()}

    async def covers(self, session, chain_id):
        return self.covers_known

    async def load_all(self, session, wanted):
        if self.unreadable & set(wanted):
            raise Broken("plan.tampered", "the stored plan is not the one that was approved")
        return [self.deals[one] for one in wanted]

    async def checks(self, wanted):
        self.batches.append([one.deal_id for one in wanted])
        self.now += self.seconds * len(wanted)
        answers = [self._answer(one) for one in wanted]
        if any(isinstance(one, Transient) and one.code == "rpc.unreachable" for one in answers):
            raise Transient("rpc.unreachable", "no answer")
        return answers

    def _answer(self, made):
        outcome = self.outcomes.get(made.deal_id, {})
        return outcome if isinstance(outcome, Exception) else check_of(made, **outcome)

    async def standing(self, session, chain_id, code, deals=None):
        raised = [one for one in self.alarm.alerts if one.code == code]
        self.told = {one.deal_id: True for one in raised} | self.told
        return {one: is_open for one, is_open in self.told.items() if deals is None or one in deals}

    async def settle(self, session, code, deals):
        for one in deals:
            self.told.pop(one, None)
            self.alarm.alerts = [kept for kept in self.alarm.alerts if kept.deal_id != one]

    def monotonic_seconds(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        if len(self.slept) == 2:
            raise Done


def many(count):
    """Deals that cost little to make; only their ids and numbers matter here."""
    return [SimpleNamespace(deal_id=number, deal_number=number) for number in range(count)]


async def test_a_deal_is_tried_at_once_by_a_new_leader_and_then_every_so_many_blocks():
    world = World(deal())
    checking = world.checking()
    for world.number in (100, 109, 110, 111, 119, 120):
        await checking.round()
    assert len(world.checked) == 3


async def test_what_would_fail_is_told_with_its_leg_and_over_when_it_works_again():
    made = deal()
    world = World(made)
    checking = world.checking(every_blocks=1)
    world.outcomes[made.deal_id] = FAILS
    await checking.round()
    (alert,) = world.alarm.alerts
    assert (alert.code, alert.severity) == (FAILING, Severity.CRITICAL)
    assert (alert.subject, alert.deal_id) == (str(made.deal_id), made.deal_id)
    assert "repay would fail: paused" in alert.text
    assert alert.fields["leg"] == "repay"
    world.outcomes.clear()
    world.number += 1
    await checking.round()
    assert world.alarm.alerts == []


async def test_a_deal_that_cannot_be_read_keeps_no_other_from_being_tried():
    bad, *others = deals = [deal() for _ in range(3)]
    world = World(*deals)
    world.unreadable = {bad.deal_id}
    checking = world.checking(every_blocks=1)
    for world.number in range(100, 104):
        await checking.round()
    assert set(world.checked) == {one.deal_id for one in others}
    (alert,) = world.alarm.alerts
    assert (alert.code, alert.fields["reason"]) == (
        LATE,
        "the stored plan is not the one that was approved",
    )


async def test_gas_alone_is_told_as_such():
    made = deal()
    world = World(made)
    world.outcomes[made.deal_id] = {"works": False, "gas": True}
    await world.checking().round()
    (alert,) = world.alarm.alerts
    assert "gas costs more" in alert.text
    assert alert.fields["leg"] is None


async def test_an_unwind_that_stalls_without_a_refusal_is_told_as_such():
    made = deal()
    world = World(made)
    world.outcomes[made.deal_id] = {"works": False}
    await world.checking().round()
    assert "it stalls" in world.alarm.alerts[0].text


async def test_what_was_acknowledged_is_not_raised_anew_while_it_lasts_by_no_leader():
    made = deal()
    world = World(made)
    world.outcomes[made.deal_id] = FAILS
    world.told[made.deal_id] = False  # somebody acknowledged it, and it was never seen to work
    for checking in (world.checking(1), world.checking(1)):
        await checking.round()
        world.number += 1
        await checking.round()
    assert len(world.checked) == 4
    assert world.alarm.alerts == []
    world.outcomes.clear()
    world.number += 1
    await checking.round()
    world.outcomes[made.deal_id] = FAILS
    world.number += 1
    await checking.round()
    assert world.alarm.codes == [FAILING]  # it worked in between: this is a new failure


async def test_a_deal_that_is_over_cannot_fail_any_more():
    made = deal()
    world = World(made)
    world.outcomes[made.deal_id] = FAILS
    checking = world.checking()
    await checking.round()
    world.deals.clear()
    await checking.round()
    assert (world.alarm.alerts, world.told) == ([], {})


async def test_a_new_leader_ends_what_was_told_of_deals_that_ended_while_nobody_led():
    world = World()
    world.told["gone"] = True
    await world.checking().round()
    assert world.told == {}


@pytest.mark.parametrize(
    "outcome", [{"works": None}, Rejected("exits.not_open", "it ended meanwhile")]
)
async def test_what_could_not_be_tried_neither_raises_nor_ends_anything(outcome):
    made = deal()
    world = World(made)
    world.outcomes[made.deal_id] = outcome
    with structlog.testing.capture_logs() as told:
        await world.checking().round()
    assert told[0]["event"] in {"exits.unknown", "exits.not_checked"}
    assert (world.alarm.alerts, world.alarm.over) == ([], [])


async def test_while_nodes_are_away_a_round_says_so_once_for_all_deals():
    deals = [deal(deal_number=number) for number in range(1, 20)]
    world = World(*deals)
    for made in deals:
        world.outcomes[made.deal_id] = Transient("rpc.away", "no node answers")
    with structlog.testing.capture_logs() as told:
        await world.checking().round()
    (line,) = [one for one in told if one["event"] == "exits.not_checked"]
    assert (line["code"], 0 < line["deals"] <= len(deals)) == ("rpc.away", True)


async def test_one_deal_that_cannot_be_asked_about_keeps_no_other_from_being_tried():
    good, bad = deal(), deal(deal_number=2)
    world = World(bad, good)
    world.outcomes[bad.deal_id] = Transient("rpc.fault", "this one times out")
    world.outcomes[good.deal_id] = FAILS
    with structlog.testing.capture_logs():
        await world.checking().round()
    assert [one.deal_id for one in world.alarm.alerts] == [good.deal_id]


async def test_a_round_begins_no_more_than_it_has_time_for_and_the_next_goes_on():
    world = World(*many(5_000), seconds=0.02)
    checking, rounds = world.checking(every_blocks=100), []
    for _ in range(3):
        before, then = len(world.checked), world.now
        await checking.round()
        rounds.append((len(world.checked) - before, world.now - then))
    assert all(took <= ROUND_SECONDS + AT_ONCE * 0.02 for _, took in rounds)
    assert [count for count, _ in rounds] == [56, 56, 56]  # 7 times 8 in a second and a bit
    assert max(Counter(world.checked).values()) == 1
    assert {len(batch) for batch in world.batches} == {AT_ONCE}


@pytest.mark.slow
async def test_thousands_of_deals_all_have_their_turn_within_the_age_that_is_promised():
    """5,000 deals, 20 ms each, blocks of 12 s: a round of every 6 s tries 56 of them."""
    world = World(*many(5_000), seconds=0.02)
    world.covers_known = {number: 10_000 + number for number in range(5_000)}
    checking = world.checking(every_blocks=100)
    oldest = 0
    for turn in range(400):
        world.number = 100 + turn // 2
        await checking.round()
        oldest = max(oldest, checking._rota.age_blocks(world.number))
    first = world.checked[:5_000]
    assert first == list(range(5_000))  # the least covered first, each once before any twice
    assert oldest <= 200
    assert world.alarm.alerts == []


async def test_a_book_too_large_for_its_time_is_told_once_and_over_once_it_is_not():
    world = World(*many(2_000), seconds=0.02)
    checking = world.checking(every_blocks=1)
    for world.number in range(100, 110):
        await checking.round()
    (alert,) = world.alarm.alerts
    assert (alert.code, alert.subject, alert.severity) == (LATE, "chain:138", Severity.WARNING)
    assert "more open deals than can be tried in time" in alert.text
    assert alert.fields["age_blocks"] == 4
    world.deals = dict(list(world.deals.items())[:10])
    await checking.round()
    assert late_no_more(138) in world.alarm.over


async def test_a_chain_that_does_not_simulate_is_why_checks_are_late():
    world = World(deal())
    (made,) = world.deals
    world.outcomes[made] = {"works": None}
    checking = world.checking()
    with structlog.testing.capture_logs():
        for world.number in (100, 111, 121, 122):
            await checking.round()
    assert "eth_simulateV1" in world.alarm.alerts[0].text


async def test_checks_that_the_chain_does_not_answer_grow_old_and_are_told():
    world = World(deal())
    (made,) = world.deals
    world.outcomes[made] = Transient("rpc.unreachable", "no answer")
    checking = world.checking()
    for world.number in (100, 125):
        with pytest.raises(Transient):
            await checking.round()
    assert "no answer" in world.alarm.alerts[0].text


async def test_a_new_leader_does_not_end_a_late_alarm_before_it_has_seen_every_deal():
    world = World(*many(100), seconds=0.02)
    checking = world.checking(every_blocks=100)
    await checking.round()
    assert world.alarm.over == []
    await checking.round()
    assert world.alarm.over == [late_no_more(138)]


async def test_it_rests_between_rounds_and_outlives_a_silent_chain():
    world = World(deal())
    world.silent = True
    with structlog.testing.capture_logs() as told, pytest.raises(Done):
        await ExitChecks(world.parts(), None).work()
    assert [line["event"] for line in told] == ["exits.retry"] * 2
    assert world.slept == [PAUSE_SECONDS] * 2


async def test_a_node_that_is_slow_is_left_alone_for_four_times_as_long():
    world = World(*many(8), seconds=1.0)
    with pytest.raises(Done):
        await ExitChecks(world.parts(), None).work()
    assert world.slept == [32.0, PAUSE_SECONDS]


async def test_other_work_goes_on_between_two_trials():
    world = World(*many(400), seconds=0.001)
    turns, real = 0, world.checks

    async def checks(wanted):
        await asyncio.sleep(0)
        return await real(wanted)

    world.checks = checks

    async def ticking():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(ticking())
    await world.checking().round()
    other.cancel()
    assert turns >= 400 // AT_ONCE


async def test_it_works_only_while_it_leads():
    led = []

    class Leadership:
        async def lead(self, work):
            led.append(work)

    checks = ExitChecks(World().parts(), Leadership())
    await checks.run()
    assert led == [checks.work]
