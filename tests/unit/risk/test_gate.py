"""The redemption gate: RISK.md's worked numbers, its edges, and what it says."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import BPS, USD8, WAD, Bps, Usd8
from holdfast.risk import gate as module
from holdfast.risk.errors import ImpossibleInput
from holdfast.risk.gate import (
    BOUND_MARGIN,
    Belief,
    GateState,
    Lot,
    TokenTerms,
    Trial,
    belief,
    verdict,
)

K = 1_000 * USD8
MILLION = Usd8(1_000 * K)
BUDGET = Usd8(250 * K)  # under the lot, so that the gate has to say something

# RISK.md: p 0.60, rho 0, f_r 0, target $1M, break-even 0.605: the all-in cost is 0.605.
WORKED = TokenTerms(price_wad=WAD * 60 // 100, cost_wad=WAD * 605 // 1_000, fee=Bps(0))
SMALL, MIDDLE = Trial(Usd8(50 * K), True, 3), Trial(Usd8(250 * K), True, 3)
WHOLE = Trial(MILLION, True)
LOT = Lot(MILLION, MILLION)


def judged(*trials, lot=LOT, terms=WORKED, budget=BUDGET):
    return verdict(lot, trials, terms, budget)


# Prior Beta(2 * 0.6, 2 * 0.4) = Beta(1.2, 0.8); 3 x 50k add 3 * 0.05 -> Beta(1.35, 0.8);
# 3 x 250k add 3 * 0.25 -> Beta(2.1, 0.8); 1 x 1M adds 1 -> Beta(3.1, 0.8).
WORKED_PATH = [
    ((), Fraction(12, 10), "0.312", GateState.SHUT),
    ((SMALL,), Fraction(135, 100), "0.357", GateState.SHUT),
    ((SMALL, MIDDLE), Fraction(21, 10), "0.522", GateState.SHUT),
    ((SMALL, MIDDLE, WHOLE), Fraction(31, 10), "0.648", GateState.PROVED),
]


@pytest.mark.parametrize(("trials", "successes", "bound", "state"), WORKED_PATH)
def test_the_worked_example_opens_after_a_full_sized_success(trials, successes, bound, state):
    assert belief(trials, WORKED, MILLION) == Belief(successes, Fraction(8, 10))
    found = judged(*trials)
    assert f"{found.bound_wad / WAD:.3f}" == bound
    assert (found.break_even, found.state) == (6_050, state)
    assert found.is_open is found.is_proved is (state is GateState.PROVED)


def test_the_bound_is_the_quantile_that_a_direct_integration_finds():
    # Beta(2, 1) has the distribution x^2, Beta(1, 1) is uniform: sqrt(0.2) and 0.2
    assert abs(Belief(Fraction(2), Fraction(1)).lower_bound - 0.2**0.5) < BOUND_MARGIN
    assert abs(Belief(Fraction(1), Fraction(1)).lower_bound - 0.2) < BOUND_MARGIN


def test_a_lot_within_the_budget_needs_no_belief():
    found = judged(lot=Lot(BUDGET, MILLION))
    assert (found.state, found.is_open, found.is_proved) == (GateState.WITHIN_BUDGET, True, False)
    assert found.reason == (
        "lots up to $250,000.00 need no belief in redemption, and this one is $250,000.00"
    )
    assert judged(lot=Lot(Usd8(BUDGET + 1), MILLION)).state is GateState.SHUT


def test_the_reason_names_both_sides_in_words():
    free = "lots up to $250,000.00 need no belief in redemption; this one of $1,000,000.00 does"
    assert judged(WHOLE).reason == (
        f"{free}, but 1 redemption so far lets one believe in at least 53.8 %, "
        "break-even needs 60.5 %"
    )
    assert judged(SMALL, MIDDLE, WHOLE).reason == (
        f"{free}, and 7 redemptions so far let one believe in at least 64.8 %, "
        "break-even needs 60.5 %"
    )


def test_a_failure_shuts_what_successes_opened():
    opened = (SMALL, MIDDLE, WHOLE)
    assert judged(*opened, Trial(MILLION, is_paid=False)).state is GateState.SHUT
    # a failure weighs by its size, too: 50k of 1M is 0.05
    small = belief((Trial(Usd8(50 * K), is_paid=False),), WORKED, MILLION)
    assert small.failures == Fraction(85, 100)


def test_many_small_successes_do_not_prove_a_large_lot_as_few_large_ones_do():
    ten_small = Trial(Usd8(50 * K), True, 10)
    assert judged(ten_small).bound_wad < judged(WHOLE).bound_wad
    # beyond the target a success counts once and no more
    twice = belief((Trial(Usd8(2 * MILLION), True),), WORKED, MILLION)
    assert twice == belief((WHOLE,), WORKED, MILLION)


def test_fee_and_recovery_move_the_prior():
    # (0.60 - 0.10) / (1 - 0.0025 - 0.10) = 0.5 / 0.8975
    terms = TokenTerms(WAD * 60 // 100, WAD * 605 // 1_000, Bps(25), Bps(1_000))
    assert belief((), terms, MILLION).successes == 2 * Fraction(5_000, 8_975)


def test_a_token_that_costs_more_than_it_brings_never_opens():
    dear = TokenTerms(WAD, WAD * 101 // 100, Bps(0))
    found = judged(Trial(MILLION, True, 10**6), terms=dear)
    assert (found.state, found.break_even) == (GateState.SHUT, 10_100)


def test_a_price_at_the_edge_still_has_a_prior():
    least = Fraction(2, BPS)
    worthless = TokenTerms(0, 0, Bps(0))
    assert belief((), worthless, MILLION).successes == least
    assert 0 <= belief((), worthless, MILLION).lower_bound <= 1e-6
    assert belief((), TokenTerms(2 * WAD, WAD, Bps(0)), MILLION).failures == least


def test_impossible_terms_are_refused():
    with pytest.raises(ImpossibleInput, match="redeeming must bring more") as refused:
        judged(terms=TokenTerms(WAD, WAD, Bps(5_000), Bps(5_000)))
    assert refused.value.code == "risk.recovery"
    with pytest.raises(ImpossibleInput) as refused:
        judged(lot=Lot(Usd8(0), Usd8(0)))
    assert refused.value.code == "risk.target"


sizes = st.integers(1, 10 * MILLION).map(Usd8)
trials = st.builds(Trial, size=sizes, is_paid=st.booleans(), times=st.integers(1, 50))


@given(st.lists(trials, max_size=8), sizes)
def test_a_success_never_lowers_the_bound_and_a_failure_never_raises_it(known, size):
    before = belief(known, WORKED, MILLION).lower_bound
    after = belief([*known, Trial(size, is_paid=True)], WORKED, MILLION).lower_bound
    worse = belief([*known, Trial(size, is_paid=False)], WORKED, MILLION).lower_bound
    assert 0 <= worse <= before + BOUND_MARGIN <= after + 2 * BOUND_MARGIN <= 1 + 2 * BOUND_MARGIN


@given(st.lists(trials, max_size=8), sizes, sizes)
def test_the_same_record_never_opens_for_a_larger_lot_what_is_shut_for_a_smaller(known, one, two):
    small, large = sorted((one, two))
    paid = [trial for trial in known if trial.is_paid]
    opens = [judged(*paid, lot=Lot(size, size)).is_open for size in (small, large)]
    assert opens[0] or not opens[1]


@pytest.mark.parametrize(
    ("bound", "state"),
    [
        (0.6, GateState.SHUT),  # as good as break-even is too close to call
        (0.6 + BOUND_MARGIN / 2, GateState.SHUT),
        (0.6 + BOUND_MARGIN * 2, GateState.PROVED),
    ],
)
def test_a_bound_that_is_too_close_to_call_keeps_the_gate_shut(bound, state):
    lot = Lot(Usd8(2), Usd8(2))
    assert module._state(lot, Usd8(1), bound, Bps(6_000)) is state
