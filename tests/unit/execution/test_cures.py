"""What the market asks of a deal: just enough repaid or converted, and then nothing more."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.common.money import BPS, RAY, USD8, WAD, Bps, Usd8, mul_div
from holdfast.execution.breaches import Exposure, stress_of
from holdfast.execution.cures import (
    INTEREST_ROOM_BPS,
    cure_for,
    is_emergency,
)
from holdfast.execution.model import Convert, RepayPart
from holdfast.execution.records import is_cure
from holdfast.execution.sales import Bound, sellable_wei
from holdfast.model.deal import Funding, Step
from holdfast.model.leg import LegKind
from holdfast.risk.cures import LASTING_ROOM, cure_prices
from holdfast.risk.limits import RiskLimits
from holdfast.risk.reserve import debt_cover, owed
from tests.unit.execution.scene import CALLS, PLANS, deal, leg, position

LIMITS = RiskLimits()
THRESHOLD = Bps(8_300)
CENT = 10**4  # USDT, 6 decimals
DOLLAR = 10**6
DEALS = {funding: deal(funding) for funding in Funding}
BORROW = DEALS[Funding.BORROW]


def exposure(eth=2_000, rate=4 * RAY // 100, **held):
    """$600,000 owed against 1,500 ETH, and 1,000 ETH in the bucket; `eth` in dollars."""
    usual = {"native": 1_000 * WAD, "collateral": 1_500 * WAD, "debt": 600_000 * DOLLAR}
    return Exposure(
        position=position(**{**usual, **held}),
        eth_price=Usd8(eth * USD8),
        cash_price=Usd8(USD8),
        cash_decimals=6,
        borrow_rate=rate,
        threshold=THRESHOLD,
    )


CURES = BORROW.plan.envelope.cures


def with_envelope(**changes):
    """The `borrow` deal with another envelope."""
    envelope = replace(BORROW.plan.envelope, **changes)
    return replace(BORROW, plan=replace(BORROW.plan, envelope=envelope))


def cure(of=BORROW, **kwargs):
    return cure_for(of, exposure(**kwargs), LIMITS)


def test_the_deal_as_planned_needs_no_cure():
    assert cure() is None
    # 26.67 % at $1,500 is warned of, not acted on; cash in hand covers all that is owed.
    assert cure(eth=1_500, cash=620_000 * DOLLAR) is None


def test_at_the_cap_debt_is_repaid_to_where_the_deal_opened():
    """At $1,300: 600,000 / 1,950,000 = 30.8 %; 20 % of it is 390,000, so 210,000 go.

    And 0.01 % of the debt, $60, for interest until the block.
    """
    assert cure(eth=1_300) == RepayPart(210_060 * DOLLAR)
    assert cure(eth=1_300, cash=620_000 * DOLLAR) == RepayPart(210_060 * DOLLAR)


def test_the_cap_itself_is_acted_on():
    """30 % of 1,500 ETH is $600,000 at $1,333.33...: at $1,334 it is 29.99 %."""
    rich = {"cash": 620_000 * DOLLAR}
    assert cure(eth=1_334, **rich) is None
    capped = exposure(**rich, collateral=1_000 * WAD)  # of $2,000,000: exactly 30 %
    assert capped.ltv_bps == 3_000
    assert isinstance(cure_for(BORROW, capped, LIMITS), RepayPart)


def test_a_thin_cover_makes_cash_of_the_bucket_until_cash_alone_pays_all_that_is_owed():
    """At $1,500 the reserve is worth 742,500, of which 612,387 are 1.2125 times.

    612,387: the debt, 6 % for 90 days (8,876.71), and 1.755 ETH of gas ($2,632.50) less than at
    $2,000: 611,509.21. That and 0.5 % of it for the interest to come.
    """
    due = 600_000 + 8_876.712329 + 2_632.5
    made = cure(eth=1_500)
    assert isinstance(made, Convert)
    assert made.units / DOLLAR == pytest.approx(due * 1.005, abs=0.01)
    # What is in cash already is not sold for.
    some = cure(eth=1_500, cash=100_000 * DOLLAR, native=800 * WAD)
    assert (made.units - some.units) / DOLLAR == pytest.approx(100_000, abs=0.01)


def test_cash_that_covers_by_itself_is_enough_however_thin_the_cover():
    """A bucket that is spent: 1.2 times what is owed, all of it cash."""
    assert cure(native=0, cash=735_000 * DOLLAR) is None


def test_what_the_reserve_cannot_raise_is_left_to_a_hold():
    """The gas reserve of 1.755 ETH is not sold."""
    assert cure(eth=1_300, native=2 * WAD) is None
    assert cure(native=620 * WAD, cash=0, eth=900, collateral=5_000 * WAD) is None
    assert cure(eth=1_300, native=2 * WAD, cash=210_060 * DOLLAR) == RepayPart(210_060 * DOLLAR)


def test_a_fall_after_which_the_next_could_liquidate_is_left_to_a_hold():
    """Half of $1,500,000 at a threshold of 83 % carries $622,500, half of $1,440,000 too little."""
    rich = {"cash": 700_000 * DOLLAR}
    assert isinstance(cure(eth=1_000, **rich), RepayPart)
    assert cure(eth=960, **rich) is None
    assert cure(collateral=0, **rich) is None


def test_nothing_is_asked_of_a_deal_that_owes_nothing():
    assert cure(eth=1, debt=0, native=0) is None


@pytest.mark.parametrize("is_bound", [True, False], ids=["in-the-envelope", "older-plan"])
@pytest.mark.parametrize(
    ("opening", "cap", "ltv", "target"),
    [
        (3_000, 3_000, 3_000, 2_800),  # as far under the cap as the warning is
        (2_500, 2_500, 2_500, 2_300),
        (2_000, 2_500, 2_600, 2_000),  # the deal's own cap is tighter than the desk's
        (100, 100, 101, 0),
    ],
)
def test_a_deal_that_opened_at_its_cap_is_brought_clear_of_it(opening, cap, ltv, target, is_bound):
    made = replace(CURES, act_ltv=Bps(cap), target_ltv=Bps(target))
    of = with_envelope(opening_ltv=Bps(opening), max_ltv=Bps(cap), cures=made if is_bound else None)
    debt = 3_000_000 * DOLLAR * ltv // BPS
    made = cure_for(of, exposure(debt=debt), LIMITS)
    left = debt - made.units
    assert left / (3_000_000 * DOLLAR) == pytest.approx(target / BPS, abs=1e-4)
    assert left >= 0


def test_what_was_approved_is_what_the_deal_does_whatever_the_desks_defaults_are_now():
    early = with_envelope(cures=replace(CURES, convert_cover_wad=WAD * 3 // 2))
    # At $1,750 the cover is 1.41: fine for the desk, and less than this plan was approved with.
    assert cure(eth=1_750) is None
    assert isinstance(cure(early, eth=1_750), Convert)
    roomy = with_envelope(cures=replace(CURES, cash_room=Bps(1_000)))
    usual = cure(eth=1_500).units / 1.005
    assert cure(roomy, eth=1_500).units / usual == pytest.approx(1.1, rel=1e-6)
    low = with_envelope(cures=replace(CURES, act_ltv=Bps(2_500), target_ltv=Bps(1_500)))
    assert isinstance(cure(low, eth=1_590, cash=700_000 * DOLLAR), RepayPart)  # 25.2 %


def test_cures_begin_at_the_prices_that_the_plan_shows():
    """But for gas, which the plan counts at today's price of ETH: $800 of $765,000 by then."""
    today = exposure()
    shown = cure_prices(
        today.sheet(0),
        stress_of(BORROW, today, LIMITS),
        today.eth_price,
        act_at=CURES.act_ltv,
        cover_wad=CURES.convert_cover_wad,
    )
    converts = shown.convert / USD8
    assert cure(eth=int(converts * 1.005)) is None
    assert isinstance(cure(eth=int(converts * 0.995)), Convert)
    repays, rich = shown.repay / USD8, {"cash": 700_000 * DOLLAR}
    assert cure(eth=int(repays) + 1, **rich) is None
    assert isinstance(cure(eth=int(repays) - 1, **rich), RepayPart)


def test_a_cap_that_the_desk_tightened_since_acts_sooner():
    tighter = replace(LIMITS, max_ltv=Bps(2_600), warn_ltv=Bps(2_400))
    made = cure_for(BORROW, exposure(eth=1_500, cash=700_000 * DOLLAR), tighter)  # 26.7 %
    assert isinstance(made, RepayPart)
    assert cure(eth=1_500, cash=700_000 * DOLLAR) is None


def test_a_plan_from_before_the_policy_was_approved_is_cured_as_it_was():
    older = with_envelope(cures=None)
    for price in (1_800, 1_500, 1_300):
        assert cure(older, eth=price) == cure(eth=price)


def test_legs_of_cures_are_told_from_those_of_other_moves():
    for kind in (LegKind.SWAP, LegKind.REPAY):
        assert is_cure([leg(LegKind.APPROVE), leg(kind, Step.LIQUIDITY)])
        assert not is_cure([leg(kind, Step.CLOSE)])
    assert not is_cure([leg(LegKind.SWAP, Step.PURCHASE)])
    assert not is_cure([CALLS.supply(1), CALLS.borrow(1)])
    assert not is_cure([])


@dataclass(frozen=True)
class Case:
    """A deal in a market; `share` is how much of the allowed slippage a sale really loses."""

    of: object
    seen: Exposure
    share: int

    @property
    def cure(self):
        return cure_for(self.of, self.seen, LIMITS)

    @property
    def sheet(self):
        return self.seen.sheet(0)

    @property
    def stress(self):
        return stress_of(self.of, self.seen, LIMITS)

    @property
    def cover(self):
        return debt_cover(self.sheet, self.stress)

    def wei_for(self, units):
        """What the pool takes for `units` of cash."""
        lost = self.of.plan.envelope.exit_slippage * self.share // 100
        bound = Bound(self.seen.eth_price, self.seen.cash_price, 6, Bps(lost))
        return bound.most_wei(units)

    def after(self, move):
        """The same case once every leg of `move` has landed, in the block that was looked at."""
        held = self.seen.position
        short = max(0, move.units - held.cash) if isinstance(move, RepayPart) else move.units
        wei = self.wei_for(short)
        assert wei <= sellable_wei(self.of, held)
        cash, debt = held.cash + short, held.debt
        if isinstance(move, RepayPart):
            cash, debt = cash - move.units, debt - move.units
        native = held.native - max(0, wei - held.weth)
        weth = max(0, held.weth - wei)
        then = replace(held, native=native, weth=weth, cash=cash, debt=debt)
        return replace(self, seen=replace(self.seen, position=then))


@st.composite
def cases(draw, ltv=(1, 4_500), cash=(0, 130), ether=(0, 400)):
    """Ranges: debt over collateral in bps; cash and the bucket's value over debt in percent."""
    of = DEALS[draw(st.sampled_from(Funding))]
    price = draw(st.integers(300 * USD8, 3_000 * USD8))
    collateral = draw(st.integers(100 * WAD, 3_000 * WAD))
    debt = collateral * price * draw(st.integers(*ltv)) // (WAD * 100 * BPS)  # USDT has 6 decimals
    bucket = debt * 100 * draw(st.integers(*ether)) * WAD // (100 * price)
    weth = draw(st.integers(0, bucket))
    seen = Exposure(
        position=position(
            native=bucket - weth + of.plan.terms.gas_reserve.units * draw(st.integers(0, 2)),
            weth=weth,
            collateral=collateral,
            cash=debt * draw(st.integers(*cash)) // 100,
            debt=debt,
        ),
        eth_price=Usd8(price),
        cash_price=Usd8(draw(st.integers(98 * USD8 // 100, 102 * USD8 // 100))),
        cash_decimals=6,
        borrow_rate=draw(st.integers(0, RAY // 10)),
        threshold=THRESHOLD,
    )
    return Case(of, seen, draw(st.integers(0, 100)))


def repaying():
    """Over the cap, with enough to repay."""
    return cases(ltv=(3_070, 4_000), ether=(80, 400))


def converting():
    """Under the cap, with a thin reserve that is mostly ether."""
    return cases(ltv=(500, 2_900), cash=(0, 50), ether=(120, 240))


def act_at(case):
    return min(case.of.plan.envelope.max_ltv, LIMITS.max_ltv)


@given(repaying())
def test_a_repayment_restores_the_target_and_pays_no_more_than_that(case):
    move = case.cure
    assume(isinstance(move, RepayPart))
    target = case.of.plan.envelope.opening_ltv
    after = case.after(move)
    assert after.seen.ltv_bps <= target
    assert after.seen.position.debt >= 0
    # One cent less than the repayment without its room would not do.
    room = mul_div(case.seen.position.debt, INTEREST_ROOM_BPS, BPS, round_up=True)
    less = case.after(RepayPart(max(0, move.units - room - CENT)))
    assert less.seen.ltv_bps > target or less.sheet.debt > mul_div(
        less.sheet.collateral, target, BPS
    )


@given(converting())
def test_a_conversion_raises_what_is_missing_and_its_room_and_no_more(case):
    move = case.cure
    assume(isinstance(move, Convert))
    due = owed(case.sheet.debt, case.stress)
    after = case.after(move)
    assert after.sheet.cash >= due
    assert after.seen.position.debt == case.seen.position.debt
    over = after.sheet.cash - due
    assert over <= mul_div(due, LASTING_ROOM, BPS, round_up=True) + USD8


@given(st.one_of(repaying(), converting()))
def test_where_the_cover_held_it_holds_after_every_cure(case):
    assume(case.cover >= WAD and case.cure is not None)
    assert case.after(case.cure).cover >= WAD


@given(cases())
def test_a_cured_deal_asks_for_nothing_more_under_unchanged_prices(case):
    """At most one repayment and one conversion, whatever the sales lost."""
    cures = []
    while (move := case.cure) is not None:
        cures.append(type(move))
        case = case.after(move)
        assert len(cures) <= 2
    assert cures in ([], [RepayPart], [Convert], [RepayPart, Convert])
    if cures:
        assert case.seen.ltv_bps < act_at(case)


@given(converting(), st.integers(1, 7 * 86_400))
def test_a_cured_deal_stays_quiet_while_interest_accrues(case, seconds):
    """A week at 10 % a year."""
    assume(isinstance(case.cure, Convert))
    after = case.after(case.cure)
    held = after.seen.position
    grown = held.debt * seconds * 10 // (100 * 365 * 86_400)
    older = replace(after.seen, position=replace(held, debt=held.debt + grown))
    assert cure_for(after.of, older, LIMITS) is None


@given(repaying())
def test_a_reserve_that_passes_the_hard_rule_can_always_pay_the_cure(case):
    """What survives a fall by half at stress raises as much at today's price."""
    assume(case.cover >= WAD and case.seen.ltv_bps >= act_at(case))
    half = case.seen.position.collateral * case.seen.eth_price // WAD // 2
    assume(half * THRESHOLD > case.sheet.debt * BPS * 11 // 10)
    gas = case.of.plan.terms.gas_reserve.units
    assume(case.seen.position.native >= 10 * gas)
    assert isinstance(case.cure, RepayPart)


def test_the_plans_of_these_tests_open_where_the_product_does():
    assert PLANS[Funding.BORROW].envelope.opening_ltv == 2_000
    assert PLANS[Funding.BORROW].envelope.max_ltv == 3_000
    assert CALLS.repay(Step.LIQUIDITY, 5).step is Step.LIQUIDITY


def test_an_emergency_is_when_the_next_gap_could_leave_the_reserve_short_even_at_its_deepest():
    """608,876.71 and 1.755 ETH are owed; 1,000 ETH, halved and sold 12 % under that, pay it down to
    608,876.71 / (440 - 1.755) = $1,389.35."""
    assert not is_emergency(BORROW, exposure(eth=1_390), LIMITS)
    assert is_emergency(BORROW, exposure(eth=1_389), LIMITS)
    # cash that pays all by itself needs no sale, and no debt no cash
    assert not is_emergency(BORROW, exposure(eth=1_389, cash=615_000 * DOLLAR), LIMITS)
    assert not is_emergency(BORROW, exposure(eth=1_389, debt=0), LIMITS)
    # where the next gap could liquidate, it is one whatever the reserve
    assert is_emergency(BORROW, exposure(eth=960, native=10_000 * WAD), LIMITS)
