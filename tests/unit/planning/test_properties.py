"""For any valid request, market and split: amounts sum to the wei, rules hold, and none is missed.

The expectations are worked out again here from the terms, with fractions and the market's own
numbers; nothing of `risk` or `planning` is used to say what is right.
"""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast.common.money import RAY, USD8, WAD, Bps, Usd8
from holdfast.model.deal import Funding, SplitBps
from holdfast.model.plan import plan_hash
from holdfast.planning.draft import draft
from holdfast.planning.errors import PlanRefused
from holdfast.planning.model import PlanPolicy
from holdfast.planning.quoting import Probing
from holdfast.planning.request import validate_request
from holdfast.planning.service import Planner
from holdfast.planning.snapshot import Gas
from holdfast.risk.limits import RiskLimits
from tests.unit.planning.world import ACCOUNTS, GWEI, VENUES, World, asking, broken, setting

POLICY = PlanPolicy()
LIMITS = POLICY.limits
RUNGS = [50_000 * 10**6, 250_000 * 10**6, 1_000_000 * 10**6]
IN_FLIGHT = 5_000_000 * 10**6
FEW = settings(max_examples=100, deadline=None)


@st.composite
def splits(draw):
    working = draw(st.integers(0, 10_000))
    bucket = draw(st.integers(0, 10_000 - working))
    return SplitBps(Bps(10_000 - working - bucket), Bps(working), Bps(bucket))


@st.composite
def requests(draw):
    most = draw(st.integers(0, 3_000))
    return asking(
        total_eth_value=Usd8(draw(st.integers(1, 25_000_000 * USD8))),
        funding=draw(st.sampled_from(Funding)),
        max_ltv=Bps(most),
        opening_ltv=Bps(draw(st.integers(0, most))),
        max_exposure=Bps(draw(st.integers(1, 2_500))),
        slippage=Bps(draw(st.integers(1, 500))),
        split=draw(st.one_of(st.just(SplitBps()), splits())),
        horizon_days=draw(st.integers(1, 365)),
    )


@st.composite
def worlds(draw):
    ceiling = draw(st.sampled_from([0, 1, 100, 300, 1_000]))
    return World(
        eth=Usd8(draw(st.integers(50 * USD8, 20_000 * USD8))),
        usdt=Usd8(draw(st.integers(90_000_000, 110_000_000))),
        token_price_bps=Bps(draw(st.integers(1_500, 10_500))),
        token_depth=draw(st.integers(10**12, 10**16)),
        eth_depth=draw(st.integers(10**12, 10**16)),
        eth_pool_off=Bps(draw(st.integers(-250, 250))),
        eth_average_off=Bps(draw(st.integers(-250, 250))),
        oracle_age=draw(st.integers(0, 9_000)),
        gas=Gas(GWEI, GWEI, ceiling * GWEI),
        threshold=Bps(draw(st.integers(3_000, 9_000))),
        venue_ltv=Bps(draw(st.integers(1_000, 8_500))),
        available=draw(st.integers(0, 10**15)),
        is_frozen=draw(st.booleans()),
        core_wei=draw(st.integers(0, 10**24)),
        float_wei=draw(st.integers(0, 10**24)),
        allowances=draw(st.integers(0, 1)),
        redemption_fee=Bps(draw(st.integers(0, 500))),
    )


@st.composite
def sound_requests(draw):
    """Requests that a good market can serve; the limits still bind in many of them."""
    working = draw(st.integers(1_000, 4_000))
    bucket = draw(st.integers(working * 2 // 3, 4_000))
    return asking(
        total_eth_value=Usd8(draw(st.integers(1_000_000 * USD8, 25_000_000 * USD8))),
        funding=draw(st.sampled_from(Funding)),
        opening_ltv=Bps(draw(st.integers(100, 3_000))),
        max_exposure=Bps(draw(st.integers(1_000, 2_500))),
        slippage=Bps(draw(st.integers(50, 500))),
        split=SplitBps(Bps(10_000 - working - bucket), Bps(working), Bps(bucket)),
        horizon_days=draw(st.integers(1, 365)),
    )


@st.composite
def sound_worlds(draw):
    """Markets that are deep and open, whatever their prices."""
    return World(
        eth=Usd8(draw(st.integers(500 * USD8, 10_000 * USD8))),
        usdt=Usd8(draw(st.integers(99_000_000, 101_000_000))),
        token_price_bps=Bps(draw(st.integers(3_000, 9_000))),
        token_depth=draw(st.integers(10**15, 10**16)),
        eth_depth=draw(st.integers(10**15, 10**16)),
        gas=Gas(GWEI, GWEI, draw(st.integers(0, 300)) * GWEI),
        threshold=Bps(draw(st.integers(7_000, 9_000))),
        redemption_fee=Bps(draw(st.integers(0, 100))),
        float_wei=10**27,
        core_wei=10**27,
    )


def usd_of_wei(wei, world):
    return wei * world.eth // WAD


def usd_of_cash(units, world):
    return units * world.usdt // 10**6


class Facts:
    """A deal's balance sheet in dollars * 1e8, from its terms and the world alone."""

    def __init__(self, made, world):
        terms = made.terms
        self.terms, self.world, self.request = terms, world, made.request
        self.core = usd_of_wei(terms.split.core.units, world)
        self.collateral = usd_of_wei(terms.split.working.units, world)
        self.bucket = usd_of_wei(terms.split.bucket.units, world)
        self.reserve = usd_of_wei(terms.split.bucket.units - terms.bucket_sale.units, world)
        cash = terms.borrow.units + terms.bucket_sale_min.units - terms.spend.units
        self.cash_units = cash
        self.cash = usd_of_cash(cash, world)
        self.debt = usd_of_cash(terms.borrow.units, world)
        self.spend = usd_of_cash(terms.spend.units, world)
        self.gas = usd_of_wei(made.gas.max_fee_wei, world)
        self.rate = self._stressed_rate()
        self.owed_interest = Fraction(self.debt * self.rate * made.request.horizon_days, RAY * 365)
        slip = max(100, self._exit_slip())
        self.fetched = Fraction(10_000 - slip, 20_000)
        self.freeze_nav = self.core + self.collateral + self.reserve + self.cash - self.debt

    def _stressed_rate(self):
        taken = min(self.terms.borrow.units, self.world.available)
        debt = 600_000_000 * 10**6 + taken
        usage = Fraction(debt, debt + self.world.available - taken)
        optimal = Fraction(9, 10)
        if usage <= optimal:
            rate = Fraction(6, 100) * usage / optimal
        else:
            rate = Fraction(6, 100) + Fraction(60, 100) * (usage - optimal) / (1 - optimal)
        return max(RAY * 6 // 100, round(rate * RAY * 3 / 2))

    def _exit_slip(self):
        sold = max(0, self.terms.split.bucket.units - self.terms.gas_reserve.units)
        fair = usd_of_wei(sold, self.world)
        if fair == 0:
            return 0
        pool = self.world.sale_pool
        after_fee = sold * 999_500 // 1_000_000
        got = usd_of_cash(pool.reserve_out * after_fee // (pool.reserve_in + after_fee), self.world)
        return min(9_999, -(-max(0, fair - got) * 10_000 // fair))

    @property
    def reserve_value(self):
        return self.cash + self.reserve * self.fetched

    @property
    def sellable_value(self):
        gas = usd_of_wei(self.terms.gas_reserve.units, self.world)
        return self.cash + max(0, self.reserve - gas) * self.fetched

    @property
    def owed(self):
        return self.debt + self.owed_interest + self.gas


def near(left, right, room=16):
    """Whether two sums are so near that rounding their parts to 1e-8 dollars may tip the scale."""
    return abs(left - right) <= room


@FEW
@given(requests(), worlds())
def test_amounts_sum_to_the_wei_whatever_is_asked(request, world):
    validate_request(request, LIMITS)
    terms = draft(request, setting(request, world)).terms
    split = terms.split
    assert split.nav.units == request.total_eth_value * WAD // world.eth
    assert split.core.units + split.working.units + split.bucket.units == split.nav.units
    assert split.moved.units + split.core.units == split.nav.units
    assert sum(rung.units for rung in terms.tranches) == terms.min_tokens.units
    assert all(0 < rung.units <= IN_FLIGHT for rung in terms.tranches)
    for rung, wanted in zip(terms.tranches[:-1], RUNGS, strict=False):
        assert rung.units == wanted
    assert terms.bucket_sale.units >= 0
    assert terms.bucket_sale.units == 0 or (
        terms.bucket_sale.units + terms.gas_reserve.units <= split.bucket.units
    )


@FEW
@given(requests(), worlds())
def test_money_is_never_spent_that_is_not_there(request, world):
    made = draft(request, setting(request, world))
    terms, facts = made.terms, Facts(made, world)
    assert facts.cash_units >= 0
    if request.funding is Funding.BORROW:
        assert terms.spend == terms.borrow
        assert terms.bucket_sale.units == terms.bucket_sale_min.units == 0
    elif terms.spend.units and terms.borrow.units:
        assert facts.cash * 4 >= facts.owed * 5 - 16  # cash alone covers what is owed 1.25 times


@FEW
@given(sound_requests(), sound_worlds())
def test_what_bucket_funding_sizes_itself_never_breaks_i3_or_i4(request, world):
    request = replace(request, funding=Funding.BUCKET)
    made = draft(request, setting(request, world))
    assume(made.terms.spend.units)
    sized = {"I3.debt_cover", "I4.spend", "I4.exposure", "I4.freeze_exposure", "I8.in_flight"}
    assert broken(made).isdisjoint(sized)


@FEW
@given(sound_requests(), sound_worlds())
def test_a_plan_without_violations_keeps_the_invariants(request, world):
    made = draft(request, setting(request, world))
    assume(not made.violations)
    facts = Facts(made, world)
    assert facts.debt * 10_000 <= request.opening_ltv * facts.collateral
    assert request.opening_ltv <= request.max_ltv <= 3_000
    assert facts.debt == 0 or facts.collateral * world.threshold > 2 * 10_000 * facts.debt - 20_000
    assert facts.reserve_value >= facts.owed - 16 or facts.debt == 0
    assert facts.sellable_value >= facts.debt + facts.owed_interest - 16
    assert facts.spend * 10_000 <= request.max_exposure * facts.freeze_nav
    assert request.max_exposure <= 2_500
    if request.funding is Funding.BUCKET:
        assert facts.spend <= facts.bucket - facts.owed_interest - facts.gas + 16
    # the loss is at least what is spent with its interest and gas, and core is never part of it
    assert made.outlook.loss >= facts.spend + facts.owed_interest + facts.gas
    assert made.terms.min_tokens.units > 0


@FEW
@given(requests(), worlds())
def test_the_rules_that_are_named_are_exactly_those_that_are_broken(request, world):
    made = draft(request, setting(request, world))
    facts, found = Facts(made, world), broken(made)
    terms = made.terms
    exact = {
        "I1.core_below_booked": world.core_wei < terms.split.core.units,
        "I1.core_allowance": world.allowances > 0,
        "I4.freeze_exposure": facts.spend > 0
        and facts.spend * 10_000 > request.max_exposure * facts.freeze_nav,
        "I6.ltv": facts.debt * 10_000 > request.max_ltv * facts.collateral,
        "I6.opening_ltv": facts.debt * 10_000 > request.opening_ltv * facts.collateral,
        "I8.loss_budget": facts.spend > 1_000_000 * USD8,
        "I10.oracle_age": world.oracle_age > 4_500,
        "I10.oracle_deviation": abs(world.eth_average_off) > 200,
        "market.desk_frozen": world.is_frozen,
        "market.venue_ltv": request.opening_ltv > world.venue_ltv,
        "funds.float": world.float_wei < terms.split.moved.units + 21_000 * world.gas.ceiling_wei,
        "funds.gas_reserve": terms.gas_reserve.units > terms.split.bucket.units,
        "funds.nothing_to_buy": terms.spend.units == 0 or terms.min_tokens.units == 0,
    }
    assert {code for code, is_broken in exact.items() if is_broken} == found & set(exact)
    if facts.debt and not near(facts.reserve_value, facts.owed):
        assert ("I3.debt_cover" in found) == (facts.reserve_value < facts.owed)
    due = facts.debt + facts.owed_interest
    if not near(facts.sellable_value, due):
        assert ("I2.repayment" in found) == (facts.sellable_value < due)
    halved = Fraction(facts.collateral * world.threshold, 20_000)
    if facts.debt and not near(halved, facts.debt):
        assert ("I6.stressed_health" in found) == (halved <= facts.debt)


@settings(max_examples=30, deadline=None)
@given(sound_requests(), sound_worlds())
async def test_a_plan_is_stable_and_speaks_json(request, world):
    assume(not broken(draft(request, setting(request, world))))
    planner = Planner(world, VENUES, POLICY)
    first, second = [await planner.plan(request, ACCOUNTS, 0) for _ in range(2)]
    assert first.plan_hash == second.plan_hash == plan_hash(first.envelope)
    assert json.loads(json.dumps(first.report)) == first.report


@settings(max_examples=30, deadline=None)
@given(requests(), worlds())
async def test_the_planner_refuses_exactly_when_a_hard_rule_is_broken(request, world):
    planner = Planner(world, VENUES, POLICY)
    # A quote for one variant serves the others, so all of them decide what is quoted.
    probing = Probing((request, *planner._alternatives(request)), POLICY)
    same = replace(setting(request, world), market=world.snapshot(probing))
    violations = broken(draft(request, same))
    if not violations:
        assert (await planner.plan(request, ACCOUNTS, 0)).terms.spend.units > 0
        return
    with pytest.raises(PlanRefused) as caught:
        await planner.plan(request, ACCOUNTS, 0)
    assert {one["code"] for one in caught.value.fields["violations"]} == violations


def test_the_limits_used_here_are_the_defaults():
    assert RiskLimits() == LIMITS
    assert [rung * 10**6 // USD8 for rung in POLICY.rungs] == RUNGS
    assert LIMITS.in_flight * 10**6 // USD8 == IN_FLIGHT
