"""When a deal cures itself, and when it holds and goes home instead."""

from dataclasses import replace

import pytest

from holdfast.execution import model as m
from holdfast.execution.saga import decide
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind as K
from holdfast.risk.invariants import RULES, Reaction
from tests.unit.execution.world import World, terms

REPAY, CONVERT = m.RepayPart(90_000), m.Convert(300_000)
CURES = pytest.mark.parametrize("cure", [REPAY, CONVERT], ids=["repay", "convert"])
UNWINDS = m.Change(DealEvent.HOLD, HoldReason.INVARIANT)


def bought(funding=Funding.BORROW, **kwargs) -> World:
    """A deal that has bought and not yet redeemed."""
    deal = World(m.DealState(DealStatus.APPROVED, terms(funding)), **kwargs)
    while not deal.state.bought:
        deal.step()
    return deal


def decided(deal, **venues):
    return decide(deal.state, deal.position(), replace(deal.venues(), **venues))


@CURES
def test_a_cure_comes_before_redeeming_and_before_waiting_for_a_queue(cure):
    deal = bought(queue_delay=60)
    assert decided(deal, cure=cure) == m.Send(cure)
    deal.step()
    assert decided(deal) == m.Wait(m.WaitFor.QUEUE)
    assert decided(deal, cure=cure) == m.Send(cure)


@CURES
def test_a_deal_that_was_cured_goes_on_where_it_was(cure):
    deal = bought()
    owed, held = deal.debt, deal.cash
    deal.asked = cure
    assert deal.step() == m.Send(cure)
    if cure == REPAY:
        assert (deal.debt, deal.cash) == (owed - 90_000, held)
    else:
        assert (deal.debt, deal.cash) == (owed, held + 300_000)
    assert deal.state.status is DealStatus.EXECUTING
    assert isinstance(deal.step().move, m.Redeem)


def test_a_deal_cured_before_its_purchase_still_buys():
    deal = World(m.DealState(DealStatus.APPROVED, terms(Funding.BUCKET)))
    while not deal.state.has(K.BORROW):
        deal.step()
    deal.asked = REPAY
    assert deal.step() == m.Send(REPAY)
    assert deal.history[K.REPAY] == 1
    assert not deal.state.is_unwinding
    assert deal.step() == m.Send(m.Purchase(sell_bucket=True))


def test_a_broken_cap_is_cured_by_repaying_and_by_nothing_else():
    deal = bought()
    broken = {"breaches": ("I6.ltv",)}
    assert decided(deal, **broken, cure=REPAY) == m.Send(REPAY)
    assert decided(deal, **broken, cure=CONVERT) == UNWINDS
    assert decided(deal, **broken) == UNWINDS


def reacting(*wanted):
    """The checks that the table of rules answers so before a step; I9 is the books' own stop."""
    found = [
        code
        for rule in RULES
        for code, one in rule.reactions.items()
        if one.before_step in wanted and rule.code != "I9"
    ]
    return pytest.mark.parametrize("code", found)


@reacting(Reaction.CURE_REPAY)
def test_what_the_table_says_is_repaid_is_repaid(code):
    assert decided(bought(), breaches=(code,), cure=REPAY) == m.Send(REPAY)


@reacting(Reaction.HOLD)
@CURES
def test_what_no_cure_restores_holds_the_deal_and_unwinds_it(code, cure):
    deal = bought()
    assert decided(deal, breaches=(code,), cure=cure) == UNWINDS
    assert decided(deal, breaches=("I6.ltv", code), cure=REPAY) == UNWINDS


@pytest.mark.parametrize(
    ("kind", "reason"), [(K.SWAP, HoldReason.POOL_DEPTH), (K.REPAY, HoldReason.LEG_REVERTED)]
)
def test_a_cure_that_fails_three_times_holds_the_deal_and_unwinds_it(kind, reason):
    deal = bought()
    deal.asked, deal.bad = REPAY, {kind}
    assert [deal.step() for _ in range(3)] == [m.Send(REPAY)] * 3
    assert deal.step() == m.Change(DealEvent.HOLD, reason)
    deal.bad = set()
    assert deal.step() == m.Send(m.Repay())
    assert deal.debt == deal.collateral == 0


def test_a_conversion_is_tried_for_as_long_as_it_takes_and_redemption_goes_on_meanwhile():
    """All deals may convert in one block: going home would sell more into the same pool."""
    deal = bought()
    deal.asked, deal.pool_open = CONVERT, False
    moves = [deal.step() for _ in range(6)]
    assert moves[::2] == [m.Send(CONVERT)] * 3
    assert [type(one.move) for one in moves[1::2]] == [m.Redeem] * 3
    deal.frozen = True
    # With the desk shut nothing is between the tries, however many there were.
    assert [deal.step() for _ in range(5)] == [m.Send(CONVERT)] * 5
    assert deal.state.trouble.times == 5
    assert deal.state.status is DealStatus.EXECUTING
    assert decided(deal, breaches=("I3.debt_cover",)) == UNWINDS
    deal.pool_open = True
    assert deal.step() == m.Send(CONVERT)
    assert deal.state.trouble is None


STILL = pytest.mark.parametrize(
    "reason",
    [
        HoldReason.OPERATOR,
        HoldReason.FOREIGN_USE,
        HoldReason.REORG,
        HoldReason.UNEXPLAINED,
    ],
)


@STILL
@CURES
def test_a_hold_that_a_person_has_to_end_keeps_no_cure_waiting_and_goes_on_holding(reason, cure):
    deal = bought()
    deal.change(DealEvent.HOLD, reason)
    deal.asked = cure
    assert deal.step() == m.Send(cure)
    assert deal.state.hold_reason is reason
    assert deal.step() == m.Wait(m.WaitFor.OPERATOR)


@CURES
def test_a_deal_on_its_way_home_needs_no_cure(cure):
    deal = bought()
    deal.change(DealEvent.HOLD, HoldReason.REDEMPTION_FROZEN)
    assert decided(deal, cure=cure, redemption_frozen=True) == m.Send(m.Repay())
    deal.change(DealEvent.CLOSE)
    deal.state = replace(deal.state, keep_claim=True)
    assert decided(deal, cure=cure) == m.Send(m.Repay())


def test_an_ambiguity_is_resolved_before_anything_is_decided():
    deal = bought()
    deal.change(DealEvent.HOLD, HoldReason.AMBIGUITY)
    assert decided(deal, cure=REPAY) == m.Change(DealEvent.RESUME)


STALE = {"is_price_stale": True}


@pytest.mark.parametrize("steps", range(1, 4))
def test_on_a_stale_price_no_risk_is_added(steps):
    """Neither funding nor opening nor buying; what was started waits for the feed."""
    deal = World(m.DealState(DealStatus.APPROVED, terms(Funding.BORROW)))
    for _ in range(steps):
        deal.step()
    assert decided(deal, **STALE) == m.Wait(m.WaitFor.PRICE)
    assert isinstance(decided(deal), m.Send)


@CURES
def test_on_a_stale_price_nothing_is_sold_or_repaid_for_it_and_redemption_goes_on(cure):
    deal = bought()
    for breaches in ((), ("I6.ltv",), ("I3.debt_cover", "I6.ltv")):
        decision = decided(deal, **STALE, cure=cure, breaches=breaches)
        assert isinstance(decision.move, m.Redeem)
    deal.change(DealEvent.HOLD, HoldReason.OPERATOR)
    still = decided(deal, **STALE, cure=cure, breaches=("I6.ltv",))
    assert still == m.Wait(m.WaitFor.OPERATOR)


def test_on_a_stale_price_a_broken_anchor_and_the_way_home_are_as_ever():
    deal = bought()
    anchor = {"breaches": ("I1.core_allowance", "I6.ltv")}
    assert decided(deal, **STALE, **anchor, cure=REPAY) == UNWINDS
    deal.change(DealEvent.HOLD, HoldReason.REDEMPTION_FROZEN)
    assert decided(deal, **STALE, redemption_frozen=True) == m.Send(m.Repay())


def test_after_a_cure_no_further_lot_is_bought():
    """The cash is there for the debt: the deal ends with what its lots so far have earned."""
    deal = bought()
    lots = tuple(replace(deal.state.terms.spend, units=units) for units in (50_000, 550_000))
    paid = {K.FUND: 1, K.SUPPLY: 1, K.BORROW: 1, K.CLAIM_REDEMPTION: 1}
    state = replace(
        deal.state, terms=replace(deal.state.terms, lots=lots), landed=paid, purchases=1
    )
    position = replace(deal.position(), tokens=0, cash=600_000)
    assert decide(state, position, deal.venues()) == m.Send(m.Purchase(sell_bucket=False))
    cured = replace(state, cured=True)
    assert decide(cured, position, deal.venues()) == m.Change(DealEvent.CLOSE)
