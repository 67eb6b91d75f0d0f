"""The position as a ladder: a lot is bought only when every lot before it has paid cash."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.execution import model as m
from holdfast.execution.saga import decide
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind as K
from holdfast.planning.sizing import lots
from tests.unit.execution.test_saga import EVENTS, disturb, run
from tests.unit.execution.world import World, terms

# 600,000 buys 1,000,000 tokens in world.py: 50,000 + 250,000 + 700,000 at 0.60
LOTS = [30_000, 150_000, 420_000]


def in_lots(funding=Funding.BORROW, **kwargs) -> World:
    whole = terms(funding)
    parts = replace(whole, lots=lots(whole.spend, whole.tranches))
    return World(m.DealState(DealStatus.APPROVED, parts), **kwargs)


def moves(decisions):
    return [one.move for one in decisions if isinstance(one, m.Send)]


def bought(deal, count) -> World:
    """The deal right after its purchase number `count`."""
    while deal.state.purchases < count:
        deal.step()
    return deal


def test_the_lots_are_the_tranches_at_the_plans_price():
    assert [lot.units for lot in in_lots().state.terms.lots] == LOTS


def test_each_lot_is_redeemed_before_the_next_is_bought():
    deal = in_lots()
    told = [type(move).__name__ for move in moves(run(deal))]
    assert told == [
        "Fund",
        "Open",
        *("Purchase", "Redeem") * 3,
        *("Repay", "GoHome", "ReturnNative"),
    ]
    assert deal.state.status is DealStatus.COMPLETED
    assert (deal.home_cash, deal.home_eth) == (400_000, 2_500)


def test_the_bucket_is_sold_once_and_buys_lot_by_lot():
    deal = in_lots(Funding.BUCKET)
    purchases = [move for move in moves(run(deal)) if isinstance(move, m.Purchase)]
    assert [move.sell_bucket for move in purchases] == [True, False, False, False]
    assert deal.state.status is DealStatus.COMPLETED
    # 2,000,000 for the bucket + 3,000,000 redeemed - 1,800,000 spent
    assert deal.home_cash == 3_200_000


def test_a_lot_that_is_gone_without_having_paid_cash_proves_nothing():
    deal = bought(in_lots(), 1)
    deal.tokens = 0
    told = run(deal)
    assert m.Change(DealEvent.CLOSE) in told
    assert deal.state.purchases == 1


def test_a_queue_is_waited_for_before_the_next_lot():
    deal = bought(in_lots(queue_delay=60), 1)
    assert run(deal)[-1] == m.Wait(m.WaitFor.QUEUE)
    assert (deal.state.purchases, deal.queued) == (1, 50_000)
    deal.ripen()
    run(deal)
    assert (deal.state.purchases, deal.queued) == (2, 250_000)


def test_a_freeze_after_the_second_lot_costs_that_lot_and_no_more():
    deal = bought(in_lots(), 2)
    deal.frozen = True
    assert run(deal)[-1] == m.Wait(m.WaitFor.THAW)
    assert deal.state.hold_reason is HoldReason.REDEMPTION_FROZEN
    # 600,000 + 50,000 redeemed - 30,000 - 150,000 = 470,000 in cash pay the loan of 600,000 with
    # 65 ether: 130,000 missing, which is the lot of 150,000 less the 20,000 that the first earned
    assert (deal.debt, deal.collateral, deal.tokens) == (0, 0, 250_000)
    assert deal.home_eth == 2_500 - 65 - 1
    deal.frozen = False
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED
    assert (deal.state.purchases, deal.home_cash) == (2, 250_000)


@pytest.mark.parametrize(
    "trouble",
    [{"frozen": True}, {"desk_cash": 249_999}],
    ids=["the desk is frozen", "the desk could not pay the next lot"],
)
def test_between_lots_a_desk_that_would_not_pay_ends_the_buying_with_what_was_earned(trouble):
    deal = bought(in_lots(), 1)
    deal.step()
    assert deal.history[K.CLAIM_REDEMPTION] == 1
    for name, value in trouble.items():
        setattr(deal, name, value)
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED
    # the first lot cost 30,000 and brought 50,000
    assert (deal.state.purchases, deal.home_cash, deal.home_eth) == (1, 20_000, 2_500)


def test_a_desk_that_pays_less_than_was_paid_ends_the_buying():
    deal = bought(in_lots(), 1)
    deal.step()
    venues = replace(deal.venues(), redeems_at_a_loss=True)
    position = deal.position()
    assert isinstance(decide(deal.state, position, venues), m.Change)
    assert decide(deal.state, position, deal.venues()) == m.Send(m.Purchase(sell_bucket=False))
    assert isinstance(decide(deal.state, replace(position, cash=0), deal.venues()), m.Change)


def test_a_lot_that_gave_more_than_was_quoted_is_redeemed_whole():
    deal = bought(in_lots(), 1)
    deal.tokens += 2_500  # 5 %
    assert deal.step() == m.Send(m.Redeem(52_500, claim_now=True))
    assert deal.step() == m.Send(m.Purchase(sell_bucket=False))


def test_a_lot_that_the_desk_can_pay_only_in_part_is_redeemed_in_parts_before_the_next():
    deal = bought(in_lots(), 2)
    deal.desk_cash = 200_000
    assert deal.step() == m.Send(m.Redeem(200_000, claim_now=True))
    deal.desk_cash = 10**9
    assert deal.step() == m.Send(m.Redeem(50_000, claim_now=True))
    assert deal.step() == m.Send(m.Purchase(sell_bucket=False))
    assert deal.step() == m.Send(m.Redeem(700_000, claim_now=True))


def test_money_that_has_started_home_buys_nothing_more():
    deal = in_lots()
    state = replace(
        deal.state,
        status=DealStatus.EXECUTING,
        purchases=1,
        landed={K.FUND: 1, K.SUPPLY: 1, K.BORROW: 1, K.CLAIM_REDEMPTION: 1, K.REPAY: 1},
    )
    position = replace(deal.position(), cash=10**6)
    assert isinstance(decide(state, position, deal.venues()), m.Change)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(Funding), st.sampled_from([0, 60]), EVENTS)
def test_at_every_moment_at_most_one_lot_is_at_stake(funding, delay, events):
    deal = in_lots(funding, queue_delay=delay)
    tranches = deal.state.terms.tranches
    for event in events:
        for what in (event, ("step",), ("step",)):
            disturb(deal, what)
            at_stake = deal.tokens + deal.queued + deal.claimable
            assert at_stake <= tranches[max(0, deal.state.purchases - 1)].units
            assert deal.state.purchases <= len(tranches)
