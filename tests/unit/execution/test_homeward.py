"""I7: on the way home nothing waits for what something keeps back."""

from dataclasses import replace
from itertools import combinations

import pytest

from holdfast.execution import model as m
from holdfast.execution.saga import decide
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind as K
from tests.unit.execution.world import World, terms

GAS = 1  # what the world's terms keep for gas
KEPT_BACK = (K.WITHDRAW, K.UNWRAP, K.RETURN_TOKEN)
SOME = [kinds for size in (1, 2, 3) for kinds in combinations(KEPT_BACK, size)]


def frozen_deal(**held) -> World:
    """A deal of which one tranche paid cash before the desk froze; nothing of it is home yet."""
    deal = World(m.DealState(DealStatus.APPROVED, terms(Funding.BORROW)), **held)
    while deal.history[K.CLAIM_REDEMPTION] < 1:
        deal.step()
    deal.frozen = True
    return deal


def go_on(deal, looks=40):
    for _ in range(looks):
        deal.step()


@pytest.mark.parametrize("kinds", SOME, ids=str)
def test_what_is_kept_back_keeps_nothing_else_and_comes_home_when_it_is_let_go(kinds):
    deal = frozen_deal()
    deal.bad = set(kinds)
    go_on(deal)
    assert deal.debt == 0
    assert (deal.collateral > 0) == (K.WITHDRAW in kinds)
    assert (deal.weth > 0) == (K.UNWRAP in kinds and K.WITHDRAW not in kinds)
    assert deal.native == GAS
    deal.bad = set()
    go_on(deal)
    assert (deal.collateral, deal.weth, deal.cash, deal.native) == (0, 0, 0, GAS)
    # 275 of 2,500 ether were sold: see test_saga.
    assert deal.home_eth == 2_500 - 275 - GAS


def holding(*, trouble=None, **held):
    """A deal on its way home; `held` besides a claim and ether."""
    state = m.DealState(
        DealStatus.HOLDING, terms(Funding.BORROW), HoldReason.REDEMPTION_FROZEN,
        landed={K.FUND: 1}, trouble=trouble,
    )  # fmt: skip
    deal = World(state)
    return state, replace(deal.position(), **{"tokens": 900_000, **held}), deal.venues()


PAUSED = m.Trouble(K.RETURN_TOKEN, 2)


def test_ether_goes_home_while_the_debt_token_is_paused_but_for_the_gas_of_what_is_left():
    state, position, venues = holding(trouble=PAUSED, cash=396_000, native=990)
    shut = replace(venues, redemption_frozen=True)
    assert decide(state, position, shut) == m.Send(m.ReturnNative(keep=GAS))
    # Nothing else is left to do: it is tried again.
    least = replace(position, native=GAS)
    assert decide(state, least, shut) == m.Send(m.GoHome(with_claim=False))


def test_a_closing_deal_is_not_over_while_something_is_kept_back():
    state, position, venues = holding(trouble=PAUSED, tokens=0, cash=396_000, native=GAS)
    closing = replace(state, status=DealStatus.CLOSING, hold_reason=None)
    assert decide(closing, position, venues) == m.Send(m.GoHome(with_claim=False))
    sent = replace(position, cash=0, native=0)
    assert decide(closing, sent, venues) == m.Change(DealEvent.COMPLETE)


def test_redemption_resumes_though_the_venue_keeps_the_collateral():
    locked = m.Trouble(K.WITHDRAW, 5)
    state, position, venues = holding(trouble=locked, collateral=1_500, native=GAS)
    assert decide(state, position, venues) == m.Change(DealEvent.RESUME)
    shut = replace(venues, redemption_frozen=True)
    assert decide(state, position, shut) == m.Send(m.Repay())


def test_cash_goes_home_though_the_venue_keeps_the_collateral_but_never_while_debt_is_open():
    locked = m.Trouble(K.WITHDRAW, 1)
    state, position, venues = holding(trouble=locked, collateral=1_500, cash=5, native=900)
    assert decide(state, position, venues) == m.Send(m.GoHome(with_claim=False))
    owing = replace(position, debt=6)
    shut = replace(venues, redemption_frozen=True)
    assert decide(state, owing, shut) == m.Send(m.Repay())


@pytest.mark.parametrize(
    ("cash", "sells"), [(0, True), (5_999, True), (6_000, False), (599_999, False), (600_000, True)]
)
def test_where_ether_cannot_be_sold_cash_pays_what_it_can(cash, sells):
    """From a hundredth of the debt on: less is not worth its gas."""
    trouble = m.Trouble(K.SWAP, 1)
    state, position, venues = holding(trouble=trouble, debt=600_000, collateral=1_500, cash=cash)
    shut = replace(venues, redemption_frozen=True)
    assert decide(state, position, shut) == m.Send(m.Repay(sells=sells))
    first = replace(state, trouble=None)
    assert decide(first, position, shut) == m.Send(m.Repay())


def test_a_cure_does_not_wait_for_an_allowance_that_cannot_be_taken_back():
    left = (m.Leftover("USDTz", "0x" + "11" * 20),)
    state, position, venues = holding(debt=600_000, collateral=1_500, leftovers=left)
    state = replace(state, status=DealStatus.EXECUTING, hold_reason=None)
    asked = replace(venues, cure=m.RepayPart(90_000))
    assert decide(state, position, asked) == m.Send(m.Revoke(left))
    stubborn = replace(state, trouble=m.Trouble(K.REVOKE, 1))
    assert decide(stubborn, position, asked) == m.Send(m.RepayPart(90_000))
    assert decide(stubborn, position, venues) == m.Send(m.Revoke(left))
