"""A halt stops what adds risk, whenever it comes; everything else is written as before."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Transient
from holdfast.common.money import WAD
from holdfast.execution import model as m
from holdfast.execution.errors import TradingChanged
from holdfast.execution.restraint import adds_risk
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.model.leg import LegKind
from holdfast.risk.trading import Setting, Source, TradingState, in_force
from tests.unit.execution import fakes
from tests.unit.execution.scene import CALLS, NOW, deal, leg
from tests.unit.execution.test_service import Stage

ACTIVE, REDUCING, HALTED = TradingState
STOPPED = [REDUCING, HALTED]
WORKING_WEI, BUCKET_WEI, LOAN = 1_500 * WAD, 1_000 * WAD, 600_000 * 10**6
FUNDED = {"status": DealStatus.EXECUTING, "legs": (leg(LegKind.FUND),)}


def stage(state, then=None, record=None, **seen):
    return Stage(record or deal(), trading=fakes.TradingStates(state, then), **seen)


@pytest.mark.parametrize("state", STOPPED)
async def test_an_approved_deal_waits_and_says_so(state):
    made = await stage(state).run()
    assert (made.saved.status, made.saved.waits_for) == (DealStatus.APPROVED, "trading")
    assert made.saved.group_id is None
    assert "send" not in made.journal.names()
    assert made.pause == 15.0  # as any other wait that a person ends
    assert made.builder.moves == []  # nothing is simulated in vain, no refusal is counted


async def test_it_starts_once_the_desk_is_active_again():
    made = stage(REDUCING)
    await made.run()
    made.advance.trading.state = ACTIVE
    made.deals.rows[made.record.deal_id] = made.record
    await made.run()
    assert (made.saved.status, made.saved.waits_for) == (DealStatus.EXECUTING, None)
    assert "send" in made.journal.names()


@pytest.mark.parametrize("state", STOPPED)
@pytest.mark.parametrize("record", [deal(), deal(**FUNDED)])
async def test_a_halt_between_the_look_and_the_write_stops_it(record, state):
    made = stage(ACTIVE, state, record, native=BUCKET_WEI)
    with pytest.raises(Transient) as caught:
        await made.run()
    assert caught.value.code == "desk.changed"
    assert made.journal.done == []
    await made.run()  # looked at again
    assert made.saved.waits_for == "trading"


async def test_a_halt_between_the_look_and_the_write_stops_what_reducing_does_not():
    record = deal(status=DealStatus.CLOSING, legs=(leg(LegKind.FUND),))
    reduced = await stage(ACTIVE, REDUCING, record, debt=5, collateral=9).run()
    assert reduced.builder.moves == [m.Repay()]
    assert "send" in reduced.journal.names()
    with pytest.raises(TradingChanged):
        await stage(ACTIVE, HALTED, record, debt=5, collateral=9).run()


async def test_a_held_deal_repays_while_the_desk_reduces_and_waits_while_it_is_halted():
    record = deal(status=DealStatus.HOLDING, hold_reason=HoldReason.REDEMPTION_FROZEN)
    reducing = await stage(REDUCING, record=record, debt=5, collateral=9).run()
    assert reducing.builder.moves == [m.Repay()]
    halted = await stage(HALTED, record=record, debt=5, collateral=9).run()
    assert (halted.builder.moves, halted.saved.waits_for) == ([], "trading")


async def test_a_broken_invariant_takes_the_deal_home_though_the_desk_is_halted():
    breach = {"venue_changes": {"breaches": ("I6.ltv",)}}
    record = deal(**FUNDED)
    made = await stage(HALTED, record=record, debt=5, collateral=9, **breach).run()
    assert (made.saved.status, made.saved.hold_reason) == (
        DealStatus.HOLDING,
        HoldReason.INVARIANT,
    )
    assert made.builder.moves == [m.Repay()]
    assert "send" in made.journal.names()


class States:
    """Every setting there is; the writer's look and the reader's may have one between them."""

    def __init__(self):
        self.settings = {}
        self.between = None

    def set(self, scope, state):
        self.settings[scope] = Setting(scope, Source.PERSON, state, "why", "alice", NOW, NOW)

    @property
    def now(self):
        return in_force(self.settings.values())

    async def glance(self, session, bank, chain):
        found = self.now
        if self.between is not None:
            self.set(*self.between)
            self.between = None
        return found

    async def held(self, session, bank, chain):
        return self.now


class Recording:
    """The account that sends: it notes the state in force while legs are recorded."""

    def __init__(self, states, builder):
        self.states, self.builder, self.found = states, builder, []

    async def send(self, session, deal, group_id, legs, *, seen):
        self.found.append((self.builder.moves[-1], self.states.now.state))


SETTINGS = st.tuples(
    st.sampled_from(["desk", "bank:BANK001", "chain:31337"]), st.sampled_from(TradingState)
)
RECORDS = [
    (deal(), {}),
    (deal(**FUNDED), {"native": BUCKET_WEI}),
    (
        deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND), leg(), leg(LegKind.BORROW))),
        {"native": BUCKET_WEI, "collateral": WORKING_WEI, "cash": LOAN, "debt": LOAN},
    ),
    (deal(**FUNDED), {"debt": 5, "collateral": 9, "venue_changes": {"breaches": ("I6.ltv",)}}),
    (deal(status=DealStatus.HOLDING, hold_reason=HoldReason.BORROW_REFUSED), {"collateral": 9}),
    (deal(status=DealStatus.CLOSING, legs=(leg(LegKind.FUND),)), {"cash": 9}),
]
STEPS = st.lists(
    st.one_of(
        SETTINGS.map(lambda one: ("set", one)),
        st.tuples(st.sampled_from(range(len(RECORDS))), st.none() | SETTINGS).map(
            lambda one: ("advance", one)
        ),
    ),
    max_size=12,
)


@given(STEPS)
async def test_no_leg_that_adds_risk_is_recorded_while_the_desk_is_not_active(steps):
    """Under any order of changes and advances, also a change between the look and the write."""
    states = States()
    for word, what in steps:
        if word == "set":
            states.set(*what)
            continue
        number, states.between = what
        record, held = RECORDS[number]
        made = Stage(record, builder=fakes.Builder([CALLS.fund(5)]), trading=states, **held)
        recording = Recording(states, made.builder)
        object.__setattr__(made.advance, "account", recording)
        with contextlib.suppress(TradingChanged):
            await made.run()
        started = ("settle", [DealEvent.START], DealStatus.EXECUTING) in made.journal.done
        assert states.now.is_active or not started
        for move, state in recording.found:
            assert state is ACTIVE or not adds_risk(move)
            assert state is not HALTED or isinstance(move, m.Repay | m.Revoke)
        states.between = None
