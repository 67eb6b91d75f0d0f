"""Decisions played through: what changes at once, and what is left to do."""

import pytest

from holdfast.common.errors import Rejected
from holdfast.execution import model as m
from holdfast.execution import script
from holdfast.execution.script import change, facts, play
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from tests.unit.execution.scene import deal, leg, position, venues


def landed(*kinds):
    return tuple(leg(kind) for kind in kinds)


def test_an_approved_deal_starts_and_sends_its_funding():
    made = play(deal(), position(), venues())
    assert made.outcome == m.Send(m.Fund())
    assert [(c.event, c.before, c.after) for c in made.changes] == [
        (DealEvent.START, DealStatus.APPROVED, DealStatus.EXECUTING)
    ]
    assert made.deal.status is DealStatus.EXECUTING


def test_drift_voids_and_the_change_says_why():
    made = play(deal(), position(), venues(drift=("plan.expired", "plan.quote")))
    assert made.deal.status is DealStatus.PLANNED
    assert made.changes[0].why == ("plan.expired", "plan.quote")
    assert made.outcome == m.Wait(m.WaitFor.APPROVAL)


def test_trouble_becomes_a_hold_with_its_words_and_is_forgotten():
    """A swap refused three times holds the deal; unwinding starts in the same look."""
    troubled = deal(
        status=DealStatus.EXECUTING,
        legs=landed(LegKind.FUND, LegKind.SUPPLY, LegKind.BORROW),
        trouble=m.Trouble(LegKind.SWAP, 3),
        trouble_text="swap: Too little received",
    )
    made = play(troubled, position(debt=6, collateral=9, cash=6), venues())
    assert made.outcome == m.Send(m.Repay())
    assert (made.deal.status, made.deal.hold_reason) == (
        DealStatus.HOLDING,
        HoldReason.POOL_DEPTH,
    )
    assert made.changes[0].why == ("swap: Too little received",)
    assert made.deal.trouble is None
    assert made.deal.trouble_text == "swap: Too little received"


def test_a_broken_invariant_is_named():
    executing = deal(status=DealStatus.EXECUTING, legs=landed(LegKind.FUND, LegKind.SUPPLY))
    made = play(executing, position(collateral=9), venues(breaches=("I6.ltv",)))
    assert made.changes[0].why == ("I6.ltv",)
    assert made.deal.hold_reason is HoldReason.INVARIANT


def test_a_waived_loan_is_part_of_the_same_look():
    executing = deal(Funding.BUCKET, status=DealStatus.EXECUTING, legs=landed(LegKind.FUND))
    made = play(executing, position(), venues(can_borrow=False))
    assert made.deal.borrow_waived
    assert made.outcome == m.Send(m.Open(borrow=False))
    assert made.changes == ()


def test_a_deal_that_was_never_funded_fails():
    troubled = deal(
        status=DealStatus.EXECUTING,
        trouble=m.Trouble(LegKind.FUND, 3),
        trouble_text="fund: poor",
    )
    made = play(troubled, position(), venues())
    assert made.deal.status is DealStatus.FAILED
    assert [c.event for c in made.changes] == [DealEvent.HOLD, DealEvent.FAIL]
    assert made.deal.trouble_text == "fund: poor"
    assert made.outcome == m.Wait(m.WaitFor.NOTHING)


def test_a_saga_that_never_rests_is_a_bug(monkeypatch):
    turns = iter([DealEvent.HOLD, DealEvent.RESUME] * script.MAX_CHANGES)
    monkeypatch.setattr(
        script, "decide", lambda *_: m.Change(next(turns), HoldReason.REDEMPTION_FROZEN)
    )
    with pytest.raises(RuntimeError, match="does not come to rest"):
        play(deal(status=DealStatus.EXECUTING), position(), venues())


def test_a_change_that_the_table_lacks_is_refused():
    with pytest.raises(Rejected) as refused:
        change(deal(), DealEvent.COMPLETE, None, None)
    assert refused.value.code == "deal.transition"


def test_only_a_hold_keeps_a_reason():
    held, _ = change(deal(status=DealStatus.EXECUTING), DealEvent.HOLD, HoldReason.OPERATOR, None)
    assert held.hold_reason is HoldReason.OPERATOR
    resumed, changed = change(held, DealEvent.RESUME, HoldReason.OPERATOR, None)
    assert (resumed.hold_reason, changed.reason) == (None, None)


def test_without_a_position_whatever_was_sent_may_still_be_locked():
    nothing_sent = facts(deal(), None)
    assert (nothing_sent.has_debt, nothing_sent.has_effects) == (False, False)
    under_way = deal(legs=(leg(status=LegStatus.SENT),), group_id=leg().group_id)
    unknown = facts(under_way, None)
    assert (unknown.has_debt, unknown.has_collateral) == (True, True)
    assert unknown.has_live_intent
    assert unknown.has_effects  # gas is paid, and the leg may yet land


def test_with_a_position_the_chain_tells_what_is_owed_and_locked():
    done = deal(legs=landed(LegKind.FUND))
    clean = facts(done, position())
    assert clean.is_clean
    assert clean.has_effects
    owing = facts(done, position(debt=1))
    locked = facts(done, position(collateral=1))
    assert (owing.has_debt, owing.has_collateral) == (True, False)
    assert (locked.has_debt, locked.has_collateral) == (False, True)
