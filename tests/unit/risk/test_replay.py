"""A replayed deal: worked by hand on tiny series, then what must hold on any."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Rejected
from holdfast.common.money import RAY, USD8, WAD, Bps, Usd8
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.replay import Rules, replay
from holdfast.risk.replay_model import ActionKind, Bar, ReplayDeal, standard_deal
from tests.unit.risk.positions import STRESS, borrowed, dollars, from_bucket

HOUR = 3_600
WATCHING = Rules(attended=False)


def deal(position, **change):
    """NAV 100 at an ETH price of 1: 50 core, 30 collateral, 20 bucket; no interest, no costs."""
    plain = replace(STRESS, apr_ray=0, costs=Usd8(0))
    made = ReplayDeal(
        position=position,
        stress=plain,
        committed=dollars(100),
        rate_ray=0,
        target_ltv=Bps(2_000),
    )
    return replace(made, **change)


def bars(*prices, **change):
    """Hours that open at 1 dollar; a pair is a low and a close."""
    pairs = [price if isinstance(price, tuple) else (price, price) for price in ("1", *prices)]
    return [
        Bar(hour * HOUR, dollars(low), dollars(close), gas_wei=0, **change)
        for hour, (low, close) in enumerate(pairs)
    ]


def kinds(run):
    return [one.kind for one in run.actions]


def test_without_a_move_of_the_price_nothing_is_done():
    run = replay(deal(borrowed(6)), bars("1", "1"))
    assert run.actions == ()
    # debt 6 over collateral 30; 30 * 0.83 / 6; reserve 20 * 0.5 * 0.99 = 9.9 over 6
    assert [(hour.ltv, hour.health_wad, hour.cover_wad) for hour in run.hours] == [
        (2_000, WAD * 415 // 100, WAD * 165 // 100)
    ] * 3
    assert run.result.against_untraded == 0
    assert run.result.principal_whole


def test_thin_cover_turns_bucket_eth_into_cash_until_cash_alone_pays():
    run = replay(deal(borrowed(6)), bars("0.75"))
    # 0.75: reserve 15 * 0.495 = 7.425 over 6 = 1.2375 < 1.25; 6 / (0.75 * 0.99) = 8.0808 ETH
    (done,) = run.actions
    assert (done.kind, done.at, done.cover_before) == (ActionKind.CONVERTED, HOUR, 12375 * 10**14)
    assert done.sold_wei == 8_080808080808080809
    # cash 6, 11.9192 ETH left at 0.75 * 0.495 = 4.425: (6 + 4.425) / 6
    assert done.cover_after == pytest.approx(1.7375 * WAD, abs=10**11)
    assert run.hours[-1].cash == dollars(6)
    # the LTV of 26.67 % is under both limits: nothing was repaid
    assert done.ltv_after == 2_667
    # sold for 6 what was worth 6 / 0.99; worth no more since
    assert run.result.exit_cost == pytest.approx(dollars("0.06060606"), abs=2)
    assert run.result.forgone == pytest.approx(0, abs=2)
    assert run.result.against_untraded == pytest.approx(-run.result.exit_cost, abs=4)


def test_over_the_cap_the_debt_is_repaid_from_cash_before_any_eth_is_sold():
    # half of the bucket is cash: 10; at 0.6 the LTV is 6 / 18 = 33.3 %, to 20 % of 18 = 3.6
    held = replace(borrowed(6), reserve_eth=dollars(10), cash=dollars(10))
    run = replay(deal(held), bars("0.6"))
    warned, repaid = run.actions
    assert (warned.kind, warned.ltv_before) == (ActionKind.WARNED, 3_334)
    assert (repaid.kind, repaid.repaid, repaid.sold_wei) == (ActionKind.REPAID, dollars("2.4"), 0)
    assert (repaid.ltv_before, repaid.ltv_after) == (3_334, 2_000)
    assert run.hours[-1].debt == dollars("3.6")
    assert run.hours[-1].cash == dollars("7.6")


def test_without_cash_bucket_eth_is_sold_to_repay_and_then_to_cover():
    run = replay(deal(borrowed(6)), bars("0.6"))
    assert kinds(run) == [ActionKind.WARNED, ActionKind.REPAID]
    # 2.4 / (0.6 * 0.99) = 4.0404 ETH; left 15.9596 * 0.6 * 0.495 = 4.74 over 3.6 = 1.3167
    assert run.actions[1].sold_wei == 4_040404040404040405
    assert run.actions[1].cover_after == pytest.approx(1.316666 * WAD, rel=1e-5)


def test_the_low_of_an_hour_counts_even_if_it_closes_where_it_began():
    run = replay(deal(borrowed(6)), bars(("0.6", "1")), WATCHING)
    assert run.max_ltv == 3_334
    assert run.seconds_warned(Bps(2_800)) == HOUR
    assert run.hours[-1].nav == dollars(100)


def test_nobody_acting_only_warns_and_again_only_after_it_was_under():
    run = replay(deal(borrowed(6)), bars("0.7", "0.65", "0.9", "0.7"), WATCHING)
    # 28.6 %, 30.8 %, 22.2 %, 28.6 %
    assert [(one.kind, one.at // HOUR) for one in run.actions] == [
        (ActionKind.WARNED, 1),
        (ActionKind.WARNED, 4),
    ]
    assert run.seconds_warned(Bps(2_800)) == 3 * HOUR
    assert run.result.exit_cost == 0


def test_liquidators_take_half_with_their_bonus_while_health_is_over_95():
    # at 0.235 collateral 7.05 * 0.83 = 5.8515 over 6 = 0.97525: half of 6 for 3 * 1.05 = 3.15
    run = replay(deal(borrowed(6)), bars("0.235"), WATCHING)
    (liquidated, _) = run.actions
    assert (liquidated.kind, liquidated.repaid) == (ActionKind.LIQUIDATED, dollars(3))
    assert liquidated.seized_wei == pytest.approx(3.15 / 0.235 * 10**18, rel=1e-9)
    # 3.9 left * 0.83 = 3.237 over 3: healthy again
    assert run.hours[-1].debt == dollars(3)
    assert run.hours[-1].health_wad == pytest.approx(0.97525 * WAD, rel=1e-6)
    assert run.result.penalty == pytest.approx(dollars("0.15"), abs=2)
    assert not run.result.principal_whole


def test_liquidators_take_all_that_the_collateral_pays_when_health_is_under_95():
    # at 0.2 collateral is 6.0: 0.83 healthy; 6 * 1.05 is more than there is: 6 / 1.05 is repaid
    run = replay(deal(borrowed(6)), bars("0.2"), WATCHING)
    assert run.actions[0].repaid == pytest.approx(dollars("5.71428571"), abs=1)
    assert run.actions[0].seized_wei == 30 * 10**18
    assert run.hours[-1].debt == pytest.approx(dollars("0.28571429"), abs=1)
    # debt without collateral has no LTV
    assert run.actions[0].ltv_after == NO_DEBT
    assert not run.result.principal_whole


def test_a_jump_that_liquidates_comes_before_the_desk():
    run = replay(deal(borrowed(6)), bars("0.235"))
    assert kinds(run)[0] is ActionKind.LIQUIDATED


def test_interest_is_what_the_pool_accrues_in_the_time_between():
    year = [replace(bar, start=index * 365 * 24 * HOUR) for index, bar in enumerate(bars("1"))]
    run = replay(deal(borrowed(6), rate_ray=RAY * 6 // 100), year, WATCHING)
    # 0.06 + 0.06^2 / 2 and the pool's third term, 0.06^3 / 6 = 0.000036 truncated to 0.0000314
    assert run.result.interest == pytest.approx(dollars("0.3709884"), abs=100)
    assert run.result.against_untraded == -run.result.interest


def test_each_cure_pays_gas_at_its_hour():
    # 800,000 gas at 100 gwei is 0.08 ETH, at 0.75 dollars
    cheap = bars("0.75")
    run = replay(deal(borrowed(6)), [replace(bar, gas_wei=100 * 10**9) for bar in cheap])
    assert run.result.gas == dollars("0.06")


def test_the_tokens_fall_is_a_loss_but_sells_nothing():
    fallen = [replace(bar, token_wad=WAD // 2) for bar in bars("1")]
    run = replay(deal(borrowed(6)), [bars()[0], *fallen[1:]])
    assert run.actions == ()
    assert run.result.token == -dollars(3)
    assert run.result.against_untraded == -dollars(3)
    assert run.result.loss_if_token_fails == dollars(6)


def test_bucket_funding_keeps_the_cash_that_pays_its_debt():
    # 20 of ETH sold at the opening and not seen to double: forgone 20
    run = replay(deal(from_bucket(6, 18)), bars("2"))
    assert run.actions == ()
    assert run.result.forgone == dollars(20)
    assert run.result.against_untraded == -dollars(20)
    assert run.result.principal_whole


def test_a_deal_without_a_loan_has_nothing_to_watch():
    run = replay(deal(from_bucket(0, 18)), bars("0.1"))
    assert run.actions == ()
    assert (run.max_ltv, run.min_health_wad, run.min_cover_wad) == (0, NO_DEBT, NO_DEBT)


def test_one_bar_is_no_history():
    with pytest.raises(Rejected) as caught:
        replay(deal(borrowed(6)), bars()[:1])
    assert caught.value.code == "replay.too_short"


def test_the_standard_deal_is_the_first_row_of_the_table():
    run = replay(standard_deal(), bars("1"))
    assert run.max_ltv == 2_001  # an hour's interest, rounded up
    # RISK.md: cover 1.57, loss bound 6.3 % of NAV
    assert run.min_cover_wad == pytest.approx(1.57 * WAD, rel=0.005)
    assert run.result.bound == pytest.approx(630_000 * USD8, rel=0.01)


moves = st.lists(
    # what the low and then the close are of the price before, in bps: each gap under 50 %
    st.tuples(st.integers(5_001, 10_000), st.integers(10_000, 19_000)),
    min_size=1,
    max_size=30,
)


def history(steps):
    made, price = [Bar(0, Usd8(2_000 * USD8), Usd8(2_000 * USD8))], 2_000 * USD8
    for hour, (fall, rise) in enumerate(steps, start=1):
        low = max(1, price * fall // 10_000 + 1)
        price = max(low, low * rise // 10_000)
        made.append(Bar(hour * HOUR, Usd8(low), Usd8(price)))
    return made


@given(moves, st.sampled_from([500, 1_000, 1_500, 2_000]))
def test_the_principal_is_whole_when_every_gap_is_under_half(steps, opening):
    standard = standard_deal()
    debt = Usd8(standard.position.collateral * opening // 10_000)
    held = replace(standard.position, debt=debt, token_cost=debt, token_market=debt)
    run = replay(replace(standard, position=held, target_ltv=Bps(opening)), history(steps))
    assert run.result.principal_whole
    assert ActionKind.LIQUIDATED not in kinds(run)
    assert run.result.loss_if_token_fails <= run.result.bound


@given(moves)
def test_profit_and_loss_is_the_sum_of_its_parts(steps):
    result = replay(standard_deal(), history(steps)).result
    parts = result.opening_cost + result.interest + result.exit_cost + result.penalty + result.gas
    # each part is rounded once per action at most
    assert abs(result.against_untraded - (result.token - parts - result.forgone)) <= 300


@given(moves)
def test_the_desk_never_does_worse_for_the_ltv_than_nobody(steps):
    acting, idle = (replay(standard_deal(), history(steps), Rules(attended=on)) for on in (1, 0))
    assert acting.max_ltv <= idle.max_ltv
