"""A move that would break a hard rule is not made: the deal waits, and a person is told."""

from dataclasses import replace

import pytest

from holdfast.common.alerts import Ended
from holdfast.common.money import USD8, WAD, Usd8
from holdfast.execution import model as m
from holdfast.execution.foresight import Moved, moved, would_break
from holdfast.execution.observation import CoreSeen
from holdfast.model.deal import DealStatus, Funding, Ladder, Step
from holdfast.model.leg import LegKind
from holdfast.protocols.uniswap_v3.swaps import ExactInput
from holdfast.risk.limits import RiskLimits
from tests.unit.execution.scene import CALLS, PLANS, deal, leg, plan, position, seen
from tests.unit.execution.test_service import Stage
from tests.unit.planning.world import DEAL, VENUES

LIMITS = RiskLimits()
LOAN = 600_000 * 10**6  # USDT: 20 % of 1,500 ETH at $2,000
FUNDED = {"native": 2_500 * WAD}
OPENED = {"native": 1_000 * WAD, "collateral": 1_500 * WAD, "cash": LOAN, "debt": LOAN}
OPEN, PURCHASE, SALE = m.Open(borrow=True), m.Purchase(False), m.Purchase(True)


def legs_of(move, funding=Funding.BORROW, loan=LOAN):
    """The legs that a move has, as far as they count."""
    terms = PLANS[funding].terms
    spend, least = terms.spend.units, terms.min_tokens.units
    buy = CALLS.buy(ExactInput(VENUES.buy_usdtz, spend, least, DEAL, 0))
    sale, brings = terms.bucket_sale.units, terms.bucket_sale_min.units
    match move:
        case m.Open(borrow):
            wrap = CALLS.wrap(Step.LIQUIDITY, 1_500 * WAD)
            supply = CALLS.supply(1_500 * WAD)
            return [wrap, supply, CALLS.borrow(loan)] if borrow else [wrap, supply]
        case m.Purchase(True):
            return [CALLS.sell_eth(ExactInput(VENUES.sell_eth, sale, brings, DEAL, 0)), buy]
        case m.Purchase():
            return [buy]
        case _:
            return [CALLS.fund(2_500 * WAD)]


def broken(move, funding=Funding.BORROW, eth=2_000, core=2_500 * WAD, legs=None, **held):
    looked = replace(seen(core=core, **held), eth_price=Usd8(eth * USD8))
    return would_break(
        deal(funding), move, legs or legs_of(move, funding), seen=looked, limits=LIMITS
    )


def test_the_deal_as_planned_breaks_nothing():
    assert broken(m.Fund()) == ()
    for funding in Funding:
        assert broken(OPEN, funding, **FUNDED) == ()
    assert broken(PURCHASE, **OPENED) == ()
    assert broken(SALE, Funding.BUCKET, **OPENED) == ()


def test_no_loan_is_taken_that_would_be_too_large_at_once():
    """$600,000 over 1,500 ETH: 30 % at $1,333.33."""
    assert broken(OPEN, eth=1_334, **FUNDED) == ()
    assert broken(OPEN, eth=1_333, **FUNDED) == ("I6.ltv",)
    assert broken(m.Open(borrow=False), eth=1_000, **FUNDED) == ()
    # the loan that is signed counts, which shrinks with the price, not the one that was planned
    assert broken(OPEN, eth=1_000, legs=legs_of(OPEN, loan=LOAN // 2), **FUNDED) == ()


def test_nothing_is_bought_that_the_reserve_would_not_cover():
    """Owed $612,387, of which the loan's own $600,000 are at hand until they are spent.

    Then it takes 618.6 ETH at $990, as in the test of breaches.
    """
    assert broken(OPEN, native=(1_500 + 600) * WAD) == ()
    assert "I3.debt_cover" in broken(PURCHASE, **{**OPENED, "native": 600 * WAD})
    assert broken(PURCHASE, **{**OPENED, "native": 640 * WAD}) == ()


def test_nothing_starts_on_an_anchor_that_is_not_whole():
    assert broken(m.Fund(), core=2_500 * WAD - 1) == ("I1.core_below_booked",)
    given = replace(seen(), core=CoreSeen(10**24, 1, Usd8(0), Usd8(0)))
    assert would_break(deal(), m.Fund(), (), seen=given, limits=LIMITS) == ("I1.core_allowance",)


def test_no_token_is_bought_beyond_its_share_of_what_there_is():
    """About $1.8M of it against 4,000 ETH and what the sale brings beyond that, some $0.2M.

    $7.4M of freeze NAV at $1,800: 24.2 %; $7.0M at $1,700: 25.5 %.
    """
    assert broken(SALE, Funding.BUCKET, eth=1_800, **OPENED) == ()
    assert broken(SALE, Funding.BUCKET, eth=1_700, **OPENED) == ("I4.freeze_exposure",)


def test_the_ether_of_other_deals_on_the_same_anchor_is_no_part_of_nav():
    """A million ether there, of which this deal has booked 2,500: as if it stood alone."""
    shared = {**OPENED, "core": 10**24}
    assert broken(SALE, Funding.BUCKET, eth=1_800, **shared) == ()
    assert broken(SALE, Funding.BUCKET, eth=1_700, **shared) == ("I4.freeze_exposure",)


def test_each_lot_of_a_ladder_is_held_to_the_loss_budget_when_its_turn_comes():
    ladder = plan(ladder=Ladder.POSITION)
    spend = ladder.terms.lots[0].units
    assert spend == 30_348_492_428
    buy = CALLS.buy(ExactInput(VENUES.buy_usdtz, spend, 1, DEAL, 0))

    def breaks(budget, made=ladder):
        limits = RiskLimits(loss_budget=Usd8(budget * USD8))
        record = replace(deal(), plan=made)
        return would_break(record, PURCHASE, [buy], seen=seen(**OPENED), limits=limits)

    assert breaks(30_349) == ()
    assert breaks(30_348) == ("I8.loss_budget",)
    # a purchase in one was allowed by its plan, whose gate experience may have opened
    assert breaks(30_348, PLANS[Funding.BORROW]) == ()


@pytest.mark.parametrize("move", [m.Repay(), m.Redeem(1, claim_now=True), m.GoHome(False)])
def test_what_adds_no_risk_is_never_stopped(move):
    held = {"native": 0, "collateral": WAD, "debt": LOAN}
    assert broken(move, eth=1, core=0, **held) == ()


def test_after_a_loan_ether_is_locked_and_cash_is_owed():
    change = moved(legs_of(OPEN), PLANS[Funding.BORROW].terms)
    then = change.applied(position(**FUNDED))
    assert (then.native, then.collateral) == (1_000 * WAD, 1_500 * WAD)
    assert (then.cash, then.debt) == (LOAN, LOAN)
    short = change.applied(position(weth=WAD))
    assert short.native + short.weth == 0


def test_after_a_purchase_the_sale_has_brought_no_more_than_it_must():
    terms = PLANS[Funding.BUCKET].terms
    change = moved(legs_of(SALE, Funding.BUCKET), terms)
    assert change.spent == terms.spend.units
    then = change.applied(position(**OPENED))
    assert then.native == 1_000 * WAD - terms.bucket_sale.units
    assert then.cash == LOAN + terms.bucket_sale_min.units - terms.spend.units
    assert moved(legs_of(m.Fund()), terms) == Moved()


async def test_a_deal_whose_next_move_is_blocked_waits_and_a_person_is_told():
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    stage = await Stage(record, core=1).run()
    assert (stage.saved.status, stage.saved.waits_for) == (DealStatus.EXECUTING, "limits")
    assert "send" not in stage.journal.names()
    assert stage.pause == 15.0
    (alert,) = stage.alarm.alerts
    assert (alert.code, alert.subject) == ("deal.blocked", str(record.deal_id))
    assert alert.fields["codes"][0] == "I1.core_below_booked"


async def test_that_it_is_over_closes_the_alert():
    legs = (leg(LegKind.FUND),)
    waiting = deal(status=DealStatus.EXECUTING, legs=legs, waits_for="limits")
    stage = await Stage(waiting, **FUNDED).run()
    assert "send" in stage.journal.names()
    assert stage.saved.waits_for is None
    assert stage.alarm.over == [Ended("deal.blocked", str(waiting.deal_id))]
