"""The saga: every path ends, and no path owes what the reserve cannot pay."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.execution import model as m
from holdfast.execution.saga import decide
from holdfast.model.deal import TERMINAL, DealEvent, DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind as K
from tests.unit.execution.world import World, terms

RESTING = TERMINAL | {DealStatus.HOLDING}


def world(funding=Funding.BORROW, borrow=600_000, **kwargs) -> World:
    return World(m.DealState(DealStatus.APPROVED, terms(funding, borrow)), **kwargs)


def run(world: World, most=60) -> list[m.Decision]:
    decisions = []
    for _ in range(most):
        decisions.append(world.step())
        if isinstance(decisions[-1], m.Wait):
            return decisions
    raise AssertionError(f"no rest after {most} decisions: {decisions[-3:]}")


@pytest.mark.parametrize("funding", Funding)
def test_an_undisturbed_deal_completes_with_every_leg_once(funding):
    deal = world(funding)
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED
    assert deal.history[K.FUND] == deal.history[K.SUPPLY] == deal.history[K.BORROW] == 1
    assert deal.debt == deal.collateral == deal.tokens == deal.native == 0
    # 2,500 ether moved; in bucket funding 1,000 of it was sold for $2,000,000
    assert deal.home_eth == (2500 if funding is Funding.BORROW else 1500)
    # borrow: 1,000,000 redeemed - 600,000 owed; bucket: 2,000,000 + 3,000,000 - 1,800,000
    assert deal.home_cash == (400_000 if funding is Funding.BORROW else 3_200_000)


def test_tranches_follow_the_ladder_and_the_last_takes_the_rest():
    deal = world(Funding.BUCKET)
    sizes = [d.move.units for d in run(deal) if isinstance(d, m.Send) and hasattr(d.move, "units")]
    assert sizes == [50_000, 250_000, 1_000_000, 1_700_000]


def test_a_freeze_holds_repays_from_the_reserve_and_brings_the_collateral_home():
    deal = world()
    while deal.history[K.CLAIM_REDEMPTION] < 1:
        deal.step()
    deal.frozen = True
    decisions = run(deal)
    assert decisions[-1] == m.Wait(m.WaitFor.THAW)
    assert deal.state.hold_reason is HoldReason.REDEMPTION_FROZEN
    assert (deal.debt, deal.collateral, deal.weth, deal.cash) == (0, 0, 0, 0)
    # 600,000 owed, 50,000 in cash: 275 ether of the bucket pay the 550,000 that are missing
    assert deal.home_eth == 2500 - 275 - 1
    assert deal.tokens == 950_000


def test_a_thaw_resumes_redemption_and_completes():
    deal = world()
    while deal.history[K.CLAIM_REDEMPTION] < 1:
        deal.step()
    deal.frozen = True
    run(deal)
    deal.frozen = False
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED
    assert deal.home_cash == 950_000
    assert deal.history[K.SUPPLY] == 1


def test_closing_with_the_claim_kept_sends_the_tokens_to_the_treasury():
    deal = world()
    while deal.history[K.CLAIM_REDEMPTION] < 1:
        deal.step()
    deal.frozen = True
    run(deal)
    deal.state = m.DealState(
        DealStatus.CLOSING, deal.state.terms, keep_claim=True, landed=deal.state.landed, purchases=1
    )
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED_WITH_CLAIM
    assert (deal.home_tokens, deal.tokens, deal.native) == (950_000, 0, 0)


def test_a_refused_borrow_holds_the_deal_that_needs_it_and_returns_the_collateral():
    deal = world(can_borrow=False)
    decisions = run(deal)
    assert m.Change(DealEvent.HOLD, HoldReason.BORROW_REFUSED) in decisions
    assert deal.home_eth == 2500
    assert deal.state.status is DealStatus.COMPLETED


def test_a_refused_borrow_does_not_stop_a_deal_that_does_not_need_it():
    deal = world(Funding.BUCKET, can_borrow=False)
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED
    assert deal.history[K.BORROW] == 0
    assert deal.history[K.CLAIM_REDEMPTION] == 4


def test_a_pool_without_depth_holds_and_repays():
    deal = world(pool_open=False)
    decisions = run(deal)
    assert m.Change(DealEvent.HOLD, HoldReason.POOL_DEPTH) in decisions
    assert (deal.debt, deal.collateral, deal.home_eth) == (0, 0, 2500)


def test_an_operators_hold_stands_still_until_told():
    deal = world()
    for _ in range(4):
        deal.step()
    deal.change(DealEvent.HOLD, HoldReason.OPERATOR)
    before = (deal.debt, deal.collateral, deal.cash)
    assert deal.step() == m.Wait(m.WaitFor.OPERATOR)
    assert (deal.debt, deal.collateral, deal.cash) == before
    deal.change(DealEvent.RESUME)
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED


def test_leftover_allowances_are_revoked_before_anything_else():
    deal = world()
    left = (m.Leftover("USDT", "0x" + "11" * 20),)
    state = m.DealState(DealStatus.EXECUTING, deal.state.terms)
    position = m.Position(
        deal.position().at, native=0, weth=0, cash=0, tokens=0, collateral=0, debt=0,
        queued=0, claimable=0, leftovers=left,
    )  # fmt: skip
    assert decide(state, position, deal.venues()) == m.Send(m.Revoke(left))


def owing(status, trouble, **held):
    """A deal that has bought, with an allowance left over and its whole debt and collateral."""
    deal = world()
    left = (m.Leftover("USDTz", "0x" + "11" * 20),)
    position = replace(
        deal.position(), native=1000, collateral=1500, debt=600_000, tokens=900_000, leftovers=left,
    )  # fmt: skip
    state = m.DealState(status, deal.state.terms, HoldReason.REDEMPTION_FROZEN, trouble=trouble)
    return state, replace(position, **held), deal.venues()


def test_an_allowance_that_cannot_be_taken_back_keeps_no_debt_from_being_paid():
    """I7: the token's own contract may refuse; the debt is paid in the meantime."""
    first = decide(*owing(DealStatus.HOLDING, None))
    assert isinstance(first.move, m.Revoke)
    assert decide(*owing(DealStatus.HOLDING, m.Trouble(K.REVOKE, 1))) == m.Send(m.Repay())
    stubborn = m.Trouble(K.REVOKE, 3)
    decision = decide(*owing(DealStatus.EXECUTING, stubborn))
    assert decision == m.Change(DealEvent.HOLD, HoldReason.LEG_REVERTED)
    # Last of all it is tried again: what pays for its gas stays until then, the rest goes home.
    empty = {"debt": 0, "collateral": 0, "tokens": 0}
    most = decide(*owing(DealStatus.CLOSING, stubborn, **empty))
    assert most == m.Send(m.ReturnNative(keep=1))
    assert isinstance(
        decide(*owing(DealStatus.CLOSING, stubborn, **empty, native=1)).move, m.Revoke
    )


@pytest.mark.parametrize("kind", [K.SWAP, K.REPAY])
def test_a_reserve_that_cannot_be_sold_lets_redemption_pay_the_debt(kind):
    trouble = m.Trouble(kind, 1)
    state, position, venues = owing(DealStatus.HOLDING, trouble, leftovers=())
    assert decide(state, position, venues) == m.Send(m.Redeem(50_000, claim_now=True))
    assert decide(state, position, replace(venues, redemption_frozen=True)) == m.Send(m.Repay())
    assert decide(replace(state, trouble=None), position, venues) == m.Send(m.Repay())
    queued = replace(position, tokens=0, queued=900_000)
    assert decide(state, queued, venues) == m.Send(m.Repay())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (K.BORROW, HoldReason.BORROW_REFUSED),
        (K.SWAP, HoldReason.POOL_DEPTH),
        (K.REQUEST_REDEMPTION, HoldReason.REDEMPTION_FROZEN),
        (K.CLAIM_REDEMPTION, HoldReason.REDEMPTION_FROZEN),
        (K.SUPPLY, HoldReason.LEG_REVERTED),
    ],
)
def test_what_fails_for_the_third_time_holds_the_deal_for_the_reason_it_has(kind, reason):
    assert decide(*owing(DealStatus.EXECUTING, m.Trouble(kind, 3))) == m.Change(
        DealEvent.HOLD, reason
    )
    twice = decide(*owing(DealStatus.EXECUTING, m.Trouble(kind, 2)))
    assert not isinstance(twice, m.Change)


def test_a_loan_that_fails_thrice_is_waived_where_the_purchase_does_not_need_it():
    state, position, venues = owing(DealStatus.EXECUTING, m.Trouble(K.BORROW, 3))
    of_bucket = replace(state, terms=terms(Funding.BUCKET))
    assert decide(of_bucket, position, venues) == m.Waive()


GONE_HOME = {K.FUND: 1, K.RETURN_TOKEN: 1, K.RETURN_NATIVE: 1}
NOTHING = dict.fromkeys(("native", "collateral", "debt", "tokens"), 0) | {"leftovers": ()}


@pytest.mark.parametrize("asset", ["cash", "tokens", "weth", "collateral"])
def test_dust_from_a_stranger_after_the_last_ether_left_keeps_no_deal_open(asset):
    state, position, venues = owing(DealStatus.CLOSING, None, **NOTHING)
    over = replace(state, landed=GONE_HOME)
    dusty = replace(position, **{asset: 1})
    assert decide(over, dusty, venues) == m.Change(DealEvent.COMPLETE)
    # While there is ether for gas it is sent on, and more than dust is always somebody's money.
    assert decide(over, replace(dusty, native=1), venues) != m.Change(DealEvent.COMPLETE)
    for much in (replace(position, **{asset: 10**15}), replace(dusty, debt=1)):
        assert decide(over, much, venues) != m.Change(DealEvent.COMPLETE)


def test_a_deal_that_returned_only_cash_kept_no_claim():
    state, position, venues = owing(DealStatus.CLOSING, None, **NOTHING)
    asked = replace(state, keep_claim=True, landed=GONE_HOME)
    assert decide(asked, position, venues) == m.Change(DealEvent.COMPLETE)
    kept = replace(asked, claim_returned=True)
    assert decide(kept, position, venues) == m.Change(DealEvent.COMPLETE_WITH_CLAIM)


def test_a_desk_that_pays_less_than_the_token_cost_counts_as_frozen():
    state, position, venues = owing(DealStatus.EXECUTING, None, leftovers=())
    state = replace(state, landed={K.FUND: 1, K.SUPPLY: 1, K.BORROW: 1}, purchases=1)
    venues = replace(venues, redeems_at_a_loss=True)
    frozen = m.Change(DealEvent.HOLD, HoldReason.REDEMPTION_FROZEN)
    assert decide(state, position, venues) == frozen
    # A request keeps the price it was made at.
    asked = replace(position, claimable=50_000)
    assert decide(state, asked, venues) == m.Send(m.Claim(50_000))
    holding = replace(state, status=DealStatus.HOLDING)
    free = replace(position, debt=0, collateral=0, native=0)
    assert decide(holding, free, venues) == m.Wait(m.WaitFor.THAW)


def test_a_broken_invariant_unwinds_what_is_at_a_venue():
    deal = world()
    for _ in range(3):
        deal.step()
    venues = m.Venues(False, 10**9, 0, True, 0, breaches=("risk.debt_cover",))
    decision = decide(deal.state, deal.position(), venues)
    assert decision == m.Change(DealEvent.HOLD, HoldReason.INVARIANT)


def test_a_resolved_ambiguity_goes_on_by_itself():
    deal = world()
    for _ in range(4):
        deal.step()
    deal.change(DealEvent.HOLD, HoldReason.AMBIGUITY)
    run(deal)
    assert deal.state.status is DealStatus.COMPLETED


STILL = pytest.mark.parametrize("reason", [HoldReason.OPERATOR, HoldReason.FOREIGN_USE])


@STILL
@pytest.mark.parametrize("steps", range(1, 12))
def test_a_hold_that_a_person_has_to_end_sends_nothing_at_any_point_of_the_deal(reason, steps):
    deal = world()
    for _ in range(steps):
        deal.step()
    deal.change(DealEvent.HOLD, reason)
    assert decide(deal.state, deal.position(), deal.venues()) == m.Wait(m.WaitFor.OPERATOR)


@STILL
def test_such_a_hold_ends_when_principal_is_at_risk(reason):
    deal = world()
    for _ in range(4):
        deal.step()
    deal.change(DealEvent.HOLD, reason)
    venues = m.Venues(False, 10**9, 0, True, 0, breaches=("I3.debt_cover",))
    assert decide(deal.state, deal.position(), venues) == m.Change(DealEvent.RESUME)
    deal.change(DealEvent.RESUME)
    held = decide(deal.state, deal.position(), venues)
    assert held == m.Change(DealEvent.HOLD, HoldReason.INVARIANT)


def test_a_desk_with_little_cash_redeems_what_it_can_pay_but_no_crumbs():
    """The second rung is 250,000; less than the smallest rung of 50,000 is not asked for."""
    deal = world()
    while deal.history[K.CLAIM_REDEMPTION] < 1:
        deal.step()
    deal.desk_cash = 120_000
    assert deal.step() == m.Send(m.Redeem(120_000, claim_now=True))
    deal.desk_cash = 49_999
    assert deal.step() == m.Change(DealEvent.HOLD, HoldReason.REDEMPTION_FROZEN)


KINDS = list(K)
EVENTS = st.lists(
    st.one_of(
        st.just(("step",)),
        st.tuples(st.just("bad"), st.sets(st.sampled_from(KINDS), max_size=3)),
        st.tuples(st.just("freeze"), st.booleans()),
        st.tuples(st.just("borrow"), st.booleans()),
        st.tuples(st.just("pool"), st.booleans()),
        st.tuples(st.just("desk"), st.sampled_from([0, 40_000, 10**9])),
        st.tuples(st.just("stale"), st.booleans()),
        st.tuples(st.just("asks"), st.sampled_from([m.RepayPart(90_000), m.Convert(300_000)])),
        st.just(("ripen",)),
        st.just(("hold",)),
        st.just(("resume",)),
        st.just(("close",)),
    ),
    max_size=60,
)


def disturb(deal: World, event) -> None:
    match event:
        case ("step",):
            deal.step()
        case ("bad", kinds):
            deal.bad = set(kinds)
        case ("freeze", value):
            deal.frozen = value
        case ("borrow", value):
            deal.can_borrow = value
        case ("pool", value):
            deal.pool_open = value
        case ("desk", value):
            deal.desk_cash = value
        case ("stale", value):
            deal.stale = value
        case ("asks", cure):
            deal.asked = cure
        case ("ripen",):
            deal.ripen()
        case ("hold",) if deal.state.status is DealStatus.EXECUTING:
            deal.change(DealEvent.HOLD, HoldReason.OPERATOR)
        case ("resume",) if deal.state.status is DealStatus.HOLDING:
            deal.change(DealEvent.RESUME)
        case ("close",) if deal.state.status in {DealStatus.EXECUTING, DealStatus.HOLDING}:
            deal.change(DealEvent.CLOSE)
        case _:
            pass


def never_owes_more_than_the_reserve(deal: World) -> None:
    assert deal.reserve() >= deal.debt, f"{deal.debt} owed, {deal.reserve()} in reserve"


def counts_are_sane(deal: World) -> None:
    assert deal.history[K.FUND] <= 1
    assert deal.history[K.SUPPLY] <= 1
    assert deal.history[K.BORROW] <= 1


@pytest.mark.slow
@given(
    funding=st.sampled_from(Funding),
    borrow=st.sampled_from([0, 600_000]),
    delay=st.sampled_from([0, 60]),
    events=EVENTS,
)
@settings(max_examples=400, deadline=None)
def test_every_interleaving_of_failures_rests_and_never_owes_more_than_the_reserve(
    funding, borrow, delay, events
):
    if funding is Funding.BORROW and borrow == 0:
        borrow = 300_000
    deal = world(funding, borrow, queue_delay=delay)
    for event in events:
        disturb(deal, event)
        never_owes_more_than_the_reserve(deal)
        counts_are_sane(deal)
    # the world calms down: whatever happened, the deal comes to rest and everything comes home
    deal.bad, deal.frozen, deal.pool_open, deal.desk_cash = set(), False, True, 10**9
    deal.can_borrow, deal.stale = True, False
    if deal.state.status is DealStatus.HOLDING:
        deal.change(DealEvent.RESUME)
    for _ in range(8):
        run(deal)
        deal.ripen()
    assert deal.state.status in RESTING
    assert (deal.debt, deal.collateral, deal.tokens, deal.queued) == (0, 0, 0, 0)
    if deal.state.has(K.FUND):
        assert deal.native == 0
        spent = 600_000 if funding is Funding.BORROW else 0
        assert deal.home_eth * 2000 + deal.home_cash >= 2500 * 2000 - spent


@pytest.mark.parametrize("funding", Funding)
def test_a_deal_is_over_only_when_its_last_leg_is_final(funding):
    deal = world(funding)
    while deal.state.status is not DealStatus.COMPLETED:
        before = deal.state
        deal.step()
    at, venues = deal.position(), deal.venues()
    assert decide(before, at, venues) == m.Change(DealEvent.COMPLETE)
    shallow = replace(at, blocks_to_final=1)
    assert decide(before, shallow, venues) == m.Wait(m.WaitFor.FINALITY)


@pytest.mark.parametrize("funding", Funding)
def test_the_last_ether_goes_home_only_when_all_else_is_final(funding):
    """A reorg may have other amounts mined the second time; what they leave takes gas."""
    deal = world(funding)
    while not deal.state.has(K.RETURN_NATIVE):
        before, at, venues = deal.state, deal.position(), deal.venues()
        deal.step()
    assert decide(before, at, venues) == m.Send(m.ReturnNative(keep=0))
    shallow = replace(at, blocks_to_final=1)
    assert decide(before, shallow, venues) == m.Wait(m.WaitFor.FINALITY)


def test_ether_goes_home_at_once_where_gas_for_the_claim_stays():
    state = replace(
        world().state, status=DealStatus.HOLDING, hold_reason=HoldReason.REDEMPTION_FROZEN
    )
    keep = state.terms.gas_reserve.units
    at = replace(world().position(), native=keep + 10**18, tokens=1, blocks_to_final=3)
    venues = replace(world().venues(), redemption_frozen=True)
    assert decide(state, at, venues) == m.Send(m.ReturnNative(keep))


def test_a_deal_that_was_never_funded_fails_only_when_that_is_final():
    state = replace(world().state, status=DealStatus.HOLDING, hold_reason=HoldReason.LEG_REVERTED)
    position, venues = world().position(), world().venues()
    assert decide(state, position, venues) == m.Change(DealEvent.FAIL)
    shallow = replace(position, blocks_to_final=3)
    assert decide(state, shallow, venues) == m.Wait(m.WaitFor.FINALITY)
