"""What each trading state lets a deal send."""

import pytest

from holdfast.execution import model as m
from holdfast.execution.restraint import adds_risk, permits, restrained
from holdfast.execution.script import play
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.model.leg import LegKind
from holdfast.risk.trading import TradingState
from tests.unit.execution.scene import deal, leg, position, venues

ADDING = [m.Fund(), m.Open(borrow=True), m.Open(borrow=False), m.Purchase(sell_bucket=True)]
REDUCING = [
    m.Convert(1),
    m.Redeem(1, claim_now=True),
    m.Claim(1),
    m.GoHome(with_claim=False),
    m.ReturnNative(0),
]
CURING = [m.Repay()]
REVOKING = [m.Revoke(())]
STATES = [TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED]


def permitted(move, *, is_broken=False):
    return [permits(state, move, is_broken=is_broken) for state in STATES]


@pytest.mark.parametrize("is_broken", [False, True])
def test_risk_is_added_only_while_the_desk_is_active(is_broken):
    assert all(adds_risk(move) for move in ADDING)
    for move in ADDING:
        assert permitted(move, is_broken=is_broken) == [True, False, False]


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_halted_desk_neither_redeems_nor_returns(is_broken):
    for move in REDUCING:
        assert not adds_risk(move)
        assert permitted(move, is_broken=is_broken) == [True, True, False]


def test_a_halted_desk_repays_only_where_an_invariant_breaks():
    for move in CURING:
        assert permitted(move) == [True, True, False]
        assert permitted(move, is_broken=True) == [True, True, True]


def test_a_part_of_the_debt_is_repaid_in_every_state_as_it_is_at_its_cap():
    assert not adds_risk(m.RepayPart(1))
    assert permitted(m.RepayPart(1)) == [True, True, True]


def test_an_allowance_that_is_left_over_is_always_taken_back():
    for move in REVOKING:
        assert permitted(move) == [True, True, True]


def outcome(record, state, *, held=None, seen=None):
    held, seen = held or position(), seen or venues()
    script = restrained(record, play(record, held, seen), state, seen)
    return script.deal.status, [one.event for one in script.changes], script.outcome


WAITS = m.Wait(m.WaitFor.TRADING)


@pytest.mark.parametrize("state", [TradingState.REDUCING, TradingState.HALTED])
def test_an_approved_deal_stays_approved(state):
    assert outcome(deal(), state) == (DealStatus.APPROVED, [], WAITS)


def test_an_approval_that_no_longer_fits_ends_in_any_state():
    drifted = venues(drift=("plan.expired",))
    status, events, _ = outcome(deal(), TradingState.HALTED, seen=drifted)
    assert (status, events) == (DealStatus.PLANNED, [DealEvent.DRIFT])


def test_a_deal_that_is_half_built_waits_where_it_stands():
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    assert outcome(record, TradingState.ACTIVE)[2] == m.Send(m.Open(borrow=True))
    assert outcome(record, TradingState.REDUCING) == (DealStatus.EXECUTING, [], WAITS)


def test_a_deal_that_breaks_a_rule_goes_home_though_the_desk_is_halted():
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    held, seen = position(debt=1, collateral=9), venues(breaches=("I6.ltv",))
    status, events, sends = outcome(record, TradingState.HALTED, held=held, seen=seen)
    assert (status, events) == (DealStatus.HOLDING, [DealEvent.HOLD])
    assert sends == m.Send(m.Repay())


def test_a_deal_that_began_to_go_home_repays_though_the_rule_holds_again():
    record = deal(status=DealStatus.HOLDING, hold_reason=HoldReason.INVARIANT)
    held = position(debt=1, collateral=9)
    assert outcome(record, TradingState.HALTED, held=held)[2] == m.Send(m.Repay())
    frozen = deal(status=DealStatus.HOLDING, hold_reason=HoldReason.REDEMPTION_FROZEN)
    assert outcome(frozen, TradingState.HALTED, held=held)[2] == WAITS
    assert outcome(frozen, TradingState.REDUCING, held=held)[2] == m.Send(m.Repay())


def test_what_a_deal_waits_for_anyway_stays():
    record = deal(status=DealStatus.HOLDING, hold_reason=HoldReason.OPERATOR)
    expected = m.Wait(m.WaitFor.OPERATOR)
    assert outcome(record, TradingState.HALTED)[2] == expected
