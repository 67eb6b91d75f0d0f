"""When the unwind of open deals is tried, and who hears of it."""

from types import SimpleNamespace

import pytest
import structlog

from holdfast.common.alerts import Ended, Severity
from holdfast.common.errors import Rejected, Transient
from holdfast.execution.exits import Refusal
from holdfast.model.leg import LegKind
from holdfast.monitoring.exits import FAILING, PAUSE_SECONDS, ExitChecks, ExitParts, due
from tests.support.alarm import KeptAlarm
from tests.unit.execution.scene import deal, seen
from tests.unit.monitoring.books import Db

REFUSED = Refusal(LegKind.REPAY, "leg.would_fail", "paused")


class Done(BaseException):
    """Ends work that would go on for ever."""


def check_of(made, *, works=True, failing=None, gas=False):
    look = seen(gas=2 if gas else 0)
    return SimpleNamespace(deal=made, works=works, failing=failing, before=look, after=look)


class World:
    """Open deals, a head, and what each trial comes to."""

    def __init__(self, *deals):
        self.deals = {one.deal_id: one for one in deals}
        self.number = 100
        self.outcomes = {}
        self.checked = []
        self.slept = []
        self.alarm = KeptAlarm()
        self.silent = False

    def checks(self, every_blocks=10, leadership=None):
        parts = ExitParts(138, Db(), self, self, self, self.alarm, self, every_blocks)
        return ExitChecks(parts, leadership)

    async def head(self):
        if self.silent:
            raise Transient("rpc.unreachable", "no answer")
        return SimpleNamespace(ref=SimpleNamespace(number=self.number))

    async def open_versions(self, session, chain_id):
        return dict.fromkeys(self.deals, 1)

    async def load(self, session, deal_id):
        return self.deals[deal_id]

    async def check(self, made):
        self.checked.append(made.deal_id)
        outcome = self.outcomes.get(made.deal_id, {})
        if isinstance(outcome, Exception):
            raise outcome
        return check_of(made, **outcome)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        if len(self.slept) == 2:
            raise Done


def test_a_deal_is_due_once_its_last_check_is_so_many_blocks_old_the_oldest_first():
    checked = {"a": 80, "b": 91, "c": 90, "over": 10}
    assert due(checked, ["a", "b", "c", "new"], head=100, every_blocks=10) == ["a", "c"]


def test_a_check_above_the_head_was_reorged_away():
    assert due({"a": 101}, ["a"], head=100, every_blocks=10) == ["a"]


async def test_a_deal_is_tried_every_so_many_blocks_and_not_at_once():
    world = World(deal())
    checks = world.checks(every_blocks=10)
    for world.number in (100, 109, 110, 111, 119, 120):
        await checks.round()
    assert len(world.checked) == 2


async def failing_then(world, **after):
    """Two rounds that try the one deal, with what the second comes to."""
    checks = world.checks(every_blocks=1)
    (made,) = world.deals
    await checks.round()
    for number, outcome in ((101, {"works": False, "failing": REFUSED}), (102, after)):
        world.number, world.outcomes[made] = number, outcome
        await checks.round()
    return checks


async def test_a_failing_unwind_is_told_with_its_leg_and_over_when_it_works_again():
    made = deal()
    world = World(made)
    await failing_then(world, works=True)
    (alert,) = world.alarm.alerts
    assert (alert.code, alert.severity) == (FAILING, Severity.CRITICAL)
    assert (alert.subject, alert.deal_id) == (str(made.deal_id), made.deal_id)
    assert "repay would fail: paused" in alert.text
    assert alert.fields["leg"] == "repay"
    assert world.alarm.over == [Ended(FAILING, str(made.deal_id))]


async def test_gas_alone_is_told_as_such():
    world = World(deal())
    await failing_then(world, works=False, gas=True)
    assert "gas costs more" in world.alarm.alerts[1].text
    assert world.alarm.alerts[1].fields["leg"] is None


async def test_a_deal_that_is_over_cannot_fail_any_more():
    world = World(deal())
    checks = await failing_then(world, works=False, failing=REFUSED)
    (made,) = world.deals
    world.deals.clear()
    await checks.round()
    assert world.alarm.over == [Ended(FAILING, str(made))]
    assert checks.checked == {}


@pytest.mark.parametrize(
    "outcome", [{"works": None}, Rejected("exits.not_open", "it ended meanwhile")]
)
async def test_what_could_not_be_tried_neither_raises_nor_ends_anything(outcome):
    world = World(deal())
    checks = world.checks(every_blocks=1)
    await checks.round()
    (made,) = world.deals
    world.number, world.outcomes[made] = 101, outcome
    with structlog.testing.capture_logs() as told:
        await checks.round()
    assert told[0]["event"] in {"exits.unknown", "exits.not_checked"}
    assert (world.alarm.alerts, world.alarm.over) == ([], [])
    assert checks.checked[made] == 101


async def test_it_rests_between_rounds_and_outlives_a_silent_chain():
    world = World(deal())
    world.silent = True
    with structlog.testing.capture_logs() as told, pytest.raises(Done):
        await world.checks().work()
    assert [line["event"] for line in told] == ["exits.retry"] * 2
    assert world.slept == [PAUSE_SECONDS] * 2


async def test_it_works_only_while_it_leads():
    led = []

    class Leadership:
        async def lead(self, work):
            led.append(work)

    checks = World().checks(leadership=Leadership())
    await checks.run()
    assert led == [checks.work]
