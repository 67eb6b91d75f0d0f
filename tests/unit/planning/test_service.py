"""Plans that are made, and plans that are refused with the rule that stops them."""

import json
from dataclasses import replace

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.money import MAX_UINT256, USD8, WAD, Bps, Usd8, amount_of
from holdfast.model.deal import Funding, Ladder, SplitBps
from holdfast.model.plan import plan_hash
from holdfast.planning.errors import PlanRefused
from holdfast.planning.model import PlanPolicy
from holdfast.planning.service import Planner
from holdfast.planning.snapshot import Gas
from holdfast.risk.caps import BookSums
from holdfast.risk.dynamic import Cause, LimitState, effective
from holdfast.risk.gate import Trial
from holdfast.risk.limits import RiskLimits
from holdfast.risk.tightening import InForce
from holdfast.risk.volatility import Volatility
from tests.unit.planning.world import (
    AAVE,
    ACCOUNTS,
    CODE,
    CORE,
    GWEI,
    MILLIONS,
    REQUEST,
    USDTZ,
    VENUES,
    Recorded,
    World,
    asking,
    broken,
    drafted,
)


async def plan(request=REQUEST, world=None, policy=None, booked=0, record=None):
    planner = Planner(world or World(), VENUES, policy or PlanPolicy(), record)
    return await planner.plan(request, ACCOUNTS, booked)


async def refusal(request=REQUEST, world=None, **kwargs):
    with pytest.raises(PlanRefused) as caught:
        await plan(request, world, **kwargs)
    assert caught.value.code == "plan.refused"
    return {one["code"] for one in caught.value.fields["violations"]}


TIGHT = PlanPolicy(limits=RiskLimits(loss_budget=Usd8(500_000 * USD8)))


@pytest.mark.parametrize("funding", Funding)
async def test_ten_million_dollars_make_a_plan_in_both_fundings(funding):
    made = await plan(asking(funding=funding), record=MILLIONS)
    assert made.plan_hash == plan_hash(made.envelope) == made.report["plan_hash"]
    assert made.terms.funding is funding
    assert made.envelope.expires_at == made.quoted_at.timestamp + 900


async def test_the_same_market_gives_the_same_hash_and_another_price_another():
    assert (await plan()).plan_hash == (await plan()).plan_hash
    assert (await plan()).plan_hash != (await plan(world=World(eth=Usd8(2_001 * USD8)))).plan_hash


async def test_the_default_deal_is_whole_in_every_standard_scenario():
    made = await plan()
    assert len(made.envelope.scenarios) == 40  # the deal's own, and the book's
    assert all(verdict.principal_whole for verdict in made.envelope.scenarios)
    assert made.report["worst_case"]["principal_whole"] is True


async def test_the_worst_case_is_spend_interest_and_costs():
    # U = 600.6 / 1,000, so 4.004 % after the loan, under stress 1.5 times that: 6.006 % of 600,000
    # for 90 days are 8,885.59; gas 3,510: S + i + f. Raising 612,395.59 at the 3 % that a sale may
    # lose costs 18,940.07; at an emergency's 12 % it costs 64,568.42 more, and 1.95M gas at 700
    # gwei above the ceiling 2,730
    made = await plan()
    worst = made.report["worst_case"]
    lines = {"theorem": 612_395, "sale_for_the_debt": 18_940, "emergency": 67_298, "loss": 698_634}
    assert {name: int(float(worst[f"{name}_usd"])) for name in lines} == lines
    assert made.envelope.worst_case_loss // USD8 == 698_634


async def test_the_deal_at_30_percent_is_made_with_warnings():
    made = await plan(asking(opening_ltv=Bps(3_000)))
    warned = {one["code"] for one in made.report["warnings"]}
    assert warned == {"I3.debt_cover_warning", "I6.ltv_warning", "caps.opening_ltv"}
    assert not all(verdict.principal_whole for verdict in made.envelope.scenarios)


async def test_all_fundings_stand_side_by_side():
    rows = (await plan()).report["fundings"]
    assert [(row["funding"], row["opening_ltv_percent"]) for row in rows] == [
        ("borrow", "20.00"),
        ("bucket", "20.00"),
        ("bucket", "0.00"),
    ]
    assert [row["is_chosen"] for row in rows] == [True, False, False]
    assert rows[0]["loan_changes_profit_by_usd"] is None
    assert float(rows[1]["loan_changes_profit_by_usd"]) < 0  # the buffer costs, and buys less
    assert float(rows[2]["loan_interest_usd"]) == 0


async def test_without_a_loan_the_alternatives_show_the_default_one():
    made = await plan(asking(funding=Funding.BUCKET, opening_ltv=Bps(0)), record=MILLIONS)
    rows = made.report["fundings"]
    assert [row["opening_ltv_percent"] for row in rows] == ["20.00", "20.00", "0.00"]
    assert [row["is_chosen"] for row in rows] == [False, False, True]
    assert made.report["after"]["health_factor"] is None
    assert made.report["outlook"]["liquidation_eth_price_usd"] is None


async def test_a_maximum_of_zero_compares_deals_without_a_loan():
    request = asking(funding=Funding.BUCKET, opening_ltv=Bps(0), max_ltv=Bps(0))
    rows = (await plan(request, record=MILLIONS)).report["fundings"]
    assert [row["opening_ltv_percent"] for row in rows] == ["0.00", "0.00", "0.00"]
    assert [one["code"] for one in rows[0]["violations"]] == [
        "market.discount",
        "funds.nothing_to_buy",
    ]


async def test_a_loan_that_is_not_asked_for_buys_nothing_in_borrow_funding():
    found = await refusal(asking(opening_ltv=Bps(0)))
    assert "funds.nothing_to_buy" in found


async def test_the_bare_loop_without_a_reserve_breaks_i2_and_i3():
    # all is collateral or core, 30 % is borrowed and spent
    split = SplitBps(Bps(7_000), Bps(3_000), Bps(0))
    found = await refusal(asking(opening_ltv=Bps(3_000), split=split))
    assert {"I2.repayment", "I3.debt_cover"} <= found


@pytest.mark.parametrize(
    ("world", "code"),
    [
        (World(core_wei=2_500 * WAD - 1), "I1.core_below_booked"),
        (World(allowances=1), "I1.core_allowance"),
        (World(core_debt=Usd8(1)), "I1.core_position"),
        (World(threshold=Bps(4_000)), "I6.stressed_health"),
        (World(oracle_age=4_501), "I10.oracle_age"),
        (World(cash_age=90_001), "I10.cash_oracle_age"),
        (World(eth_average_off=Bps(-300)), "I10.oracle_deviation"),
        (World(eth_average_off=Bps(300)), "I10.oracle_deviation"),
        (World(token_price_bps=Bps(9_600)), "market.discount"),
        (World(token_price_bps=Bps(10_100)), "market.discount"),
        (World(token_depth=30_000_000 * 10**6), "market.purchase_impact"),
        (World(is_frozen=True), "market.desk_frozen"),
        (World(is_loan_open=False), "market.venue_closed"),
        (World(is_collateral_open=False), "market.venue_closed"),
        (World(venue_ltv=Bps(1_900)), "market.venue_ltv"),
        (World(available=599_999 * 10**6), "market.available"),
        (World(borrow_cap=600_599_999 * 10**6), "market.borrow_cap"),
        (World(supply_cap=1_499 * WAD), "market.supply_cap"),
        (World(code=CODE | {AAVE: "0x" + "ee" * 32}), "market.code"),
        (World(code=CODE | {AAVE: ""}, pinned_code={}), "market.code"),
        (World(float_wei=2_500 * WAD), "funds.float"),
    ],
)
async def test_one_thing_wrong_is_refused_under_its_own_code(world, code):
    assert await refusal(world=world) == {code}


async def test_the_second_source_is_the_pools_average_which_one_trade_does_not_move():
    assert await plan(world=World(eth_pool_off=Bps(300)))


async def test_caps_that_just_suffice_do_not_stop_a_deal():
    world = World(
        core_wei=2_500 * WAD,
        available=600_000 * 10**6,
        borrow_cap=600_600_000 * 10**6,
        supply_cap=1_500 * WAD,
        float_wei=2_500 * WAD + 21_000 * 300 * GWEI,
        oracle_age=4_500,
        cash_age=90_000,
        pinned_code={},
    )
    assert (await plan(world=world)).terms.borrow.units == 600_000 * 10**6


async def test_core_must_hold_what_other_deals_have_booked_too():
    world = World(core_wei=3_000 * WAD)
    assert (await plan(world=world, booked=500 * WAD)).terms.split.core == amount_of(
        drafted().terms.split.core.token, 2_500
    )
    assert await refusal(world=world, booked=500 * WAD + 1) == {"I1.core_below_booked"}


async def test_a_key_that_is_the_core_address_is_refused():
    shared = replace(ACCOUNTS, deal=CORE)
    with pytest.raises(PlanRefused) as caught:
        await Planner(World(), VENUES, PlanPolicy()).plan(REQUEST, shared, 0)
    assert [one["code"] for one in caught.value.fields["violations"]] == ["I1.core_shared"]


async def test_a_pool_too_shallow_for_the_bucket_stops_bucket_funding():
    world = World(eth_depth=100_000_000 * 10**6)  # 2 M into 100 M of depth: 1.96 % impact
    found = await refusal(asking(funding=Funding.BUCKET), world, record=MILLIONS)
    assert found == {"market.sale_impact"}
    assert (await plan(world=world)).envelope.exit_slippage == 401  # 1.96 %, a fee of 0.05 %, 2 %


async def test_a_pool_that_cannot_sell_the_reserve_leaves_the_debt_uncovered():
    world = World(eth_depth=1_000_000 * 10**6)
    assert await refusal(world=world) == {"I2.repayment", "I3.debt_cover"}


async def test_a_deal_too_small_for_its_gas_is_refused():
    # 20 % of $10,000 is 1 ETH, 300 gwei ask for 1.62 ETH
    found = await refusal(asking(total_eth_value=Usd8(10_000 * USD8)))
    assert "funds.gas_reserve" in found
    cheap = World(gas=Gas(GWEI, GWEI, GWEI))
    assert (await plan(asking(total_eth_value=Usd8(10_000 * USD8)), cheap)).terms.borrow.units


async def test_exposure_beyond_the_requests_own_limit_is_refused():
    found = await refusal(asking(max_exposure=Bps(500)))
    assert found == {"I4.exposure", "I4.freeze_exposure"}


async def test_a_lot_beyond_the_loss_budget_is_refused_with_what_to_ask_for_instead():
    """$10M in `bucket` funding spend $1,802,189: $5,548,000 would spend at most $1,000,000."""
    with pytest.raises(PlanRefused) as caught:
        await plan(asking(funding=Funding.BUCKET))
    (found,) = caught.value.fields["violations"]
    assert (found["code"], found["limit"]) == ("I8.loss_budget", 1_000_000 * USD8)
    assert found["value"] // USD8 == 1_802_189
    assert found["advice"] == (
        "buy it in lots that redeem one by one with --ladder position, or ask for at most "
        "$5,548,000.00 of ETH"
    )
    assert await plan(asking(funding=Funding.BUCKET, ladder=Ladder.POSITION))
    assert await plan(asking(funding=Funding.BUCKET, total_eth_value=Usd8(5_548_000 * USD8)))
    assert await refusal(asking(funding=Funding.BUCKET, total_eth_value=Usd8(5_560_000 * USD8)))


async def test_a_hundred_million_buy_six_only_in_lots_within_the_budget():
    policy = PlanPolicy(limits=RiskLimits(max_deal=Usd8(100_000_000 * USD8)))
    large = asking(total_eth_value=Usd8(100_000_000 * USD8))
    deep = World(token_depth=6_000_000_000 * 10**6, eth_depth=5_000_000_000 * 10**6)
    assert await refusal(large, deep, policy=policy) == {"I8.loss_budget"}
    made = await plan(replace(large, ladder=Ladder.POSITION), deep, policy=policy)
    assert made.terms.spend.units == 6_000_000 * 10**6
    assert max(lot.units for lot in made.terms.lots) <= 1_000_000 * 10**6
    assert sum(lot.units for lot in made.terms.lots) == made.terms.spend.units
    assert [face // 10**6 for face in sorted(rung.units for rung in made.terms.tranches)][-1] <= (
        1_000_000
    )


async def test_a_lot_beyond_the_loss_budget_needs_an_open_gate():
    assert await refusal(policy=TIGHT) == {"I8.loss_budget"}
    proved = Recorded(Trial(Usd8(1_000_000 * USD8), is_paid=True, times=3))
    assert await plan(policy=TIGHT, record=proved)
    refused = Recorded(*proved.found, Trial(Usd8(1_000_000 * USD8), is_paid=False))
    assert await refusal(policy=TIGHT, record=refused) == {"I8.loss_budget"}


async def test_the_report_says_how_the_gate_stands_and_why():
    small = (await plan()).report["gate"]
    assert (small["state"], small["is_open"], small["redemptions_so_far"]) == (
        "within_budget",
        True,
        0,
    )
    proved = Recorded(Trial(Usd8(1_000_000 * USD8), is_paid=True, times=3))
    gate = (await plan(policy=TIGHT, record=proved)).report["gate"]
    # 600,000 buys at least 988,517 at par, so each success is a whole one; pi 0.6 / 0.9975 =
    # 0.601504: Beta(2 * 0.601504 + 3, 2 * 0.398496). Break-even at worst: 600,000 with interest of
    # 5,924 and gas of 3,510 are 0.61651 of that, over 0.9975
    assert gate == {
        "state": "proved",
        "is_open": True,
        "lot_usd": "600000",
        "lot_at_par_usd": "988516.97728",
        "needs_no_belief_up_to_usd": "500000",
        "believed_success_at_least_percent": "72.82",
        "break_even_success_percent": "61.81",
        "redemptions_so_far": 3,
        "reason": (
            "lots up to $500,000.00 need no belief in redemption; this one of $600,000.00 does, "
            "and 3 redemptions so far let one believe in at least 72.8 %, break-even needs 61.8 %"
        ),
    }


async def test_every_violation_is_listed_with_limit_and_value():
    world = World(is_frozen=True, oracle_age=9_999, float_wei=0)
    with pytest.raises(PlanRefused) as caught:
        await plan(world=world)
    found = caught.value.fields["violations"]
    assert [one["code"] for one in found] == [
        "I10.oracle_age",
        "market.desk_frozen",
        "funds.float",
    ]
    assert (found[0]["limit"], found[0]["value"]) == (4_500, 9_999)
    assert found[0]["text"] == ("age of the oracle's price of ETH: 9,999 s, at most 4,500 s")
    json.dumps(caught.value.as_dict())
    for one in found:
        assert one["code"] in caught.value.message


async def test_a_request_beyond_the_limits_is_refused_before_the_chain_is_read():
    class Unreachable:
        async def read(self, accounts, sizes):
            raise AssertionError("the market was read")

    planner = Planner(Unreachable(), VENUES, PlanPolicy())
    with pytest.raises(Rejected) as caught:
        await planner.plan(asking(max_ltv=Bps(3_001)), ACCOUNTS, 0)
    assert caught.value.code == "request.max_ltv_above_cap"


async def test_a_desk_short_of_cash_is_only_a_warning():
    made = await plan(world=World(desk_cash=10**6))
    assert [one["code"] for one in made.report["warnings"]] == ["market.desk_cash"]


async def test_the_token_never_touches_the_lending_venue():
    calls = (await plan()).envelope.calls
    touching = [call for call in calls if call.target == USDTZ.address]
    assert {recipient for call in touching for recipient in call.recipients} == {
        ACCOUNTS.treasury_return,
        VENUES.desk.address,
    }


def test_unbounded_values_are_null_in_a_violation():
    request = asking(funding=Funding.BUCKET, opening_ltv=Bps(0))
    made = drafted(request, trials=MILLIONS.found)
    cover = next(check for check in made.checks if check.code == "I3.debt_cover")
    assert cover.value == MAX_UINT256
    assert broken(made) == set()


class Book:
    """A desk with these limits in force and this much open."""

    def __init__(self, limits=None, **sums):
        self.limits, self.open = limits or RiskLimits(), BookSums(**sums)

    async def in_force(self):
        return self.limits if isinstance(self.limits, InForce) else InForce(self.limits)

    async def sums(self, request):
        return self.open


async def booked(book, world=None):
    return await Planner(world or World(), VENUES, PlanPolicy(), standing=book).plan(
        REQUEST, ACCOUNTS, 0
    )


@pytest.mark.parametrize("name", ["bank", "module", "asset", "day"])
async def test_a_deal_that_the_open_book_has_no_room_for_is_refused_by_cap(name):
    limits = RiskLimits()
    full = getattr(limits, f"max_{name}")
    with pytest.raises(PlanRefused) as caught:
        await booked(Book(**{name: full}))
    (broken_cap,) = caught.value.fields["violations"]
    assert broken_cap["code"] == f"caps.{name}"
    # $10M are committed, and 600,000 of them spent on the token.
    own = 600_000 * USD8 if name == "asset" else 10_000_000 * USD8
    assert (broken_cap["limit"], broken_cap["value"]) == (full, full + own)


async def test_a_refusal_by_a_tightened_limit_says_so_and_why_and_until_when():
    """Twice the usual volatility halves the limits: 30 % of LTV become 15 %."""
    noon = 20_000 * 86_400
    rough = LimitState(
        scale=Bps(5_000),
        cause=Cause.VOLATILITY,
        volatility=replace(Volatility.beginning(Usd8(2_000 * USD8), noon), variance_wad=WAD // 180),
        score=61,
        changed_at=noon,
        seen_at=noon,
        better_since=None,
        least=Bps(10_000),
    )
    for since, recovery in (
        (None, "it may rise once the market has called for more for 24 hours"),
        (noon, "it may rise at 2024-10-05T00:00+00:00 if the market stays as it is"),
    ):
        state = replace(rough, better_since=since)
        with pytest.raises(PlanRefused) as caught:
            await booked(Book(InForce(RiskLimits(), state)))
        (found,) = caught.value.fields["violations"]
        assert (found["code"], found["limit"]) == ("I6.ltv", 1_500)
        assert found["advice"] == (
            "the market tightened this limit from 30.00 % to 15.00 %: 50 % of the published limits "
            f"because of volatility (volatility 142.4 % a year, score 61); {recovery}"
        )
        assert found["text"].endswith(found["advice"])
    with pytest.raises(PlanRefused) as caught:
        await booked(Book(InForce(RiskLimits(), replace(rough, scale=Bps(10_000)), 9_000)))
    (found,) = caught.value.fields["violations"]
    assert found["advice"] == (
        "nobody has read the market for 2.5 h, which tightens this limit from 30.00 % to 15.00 % "
        "until the monitor reads it again: is a worker running?"
    )
    with pytest.raises(PlanRefused) as caught:
        await booked(Book(InForce(RiskLimits(), rough)), World(is_frozen=True))
    told = {one["code"]: one["advice"] for one in caught.value.fields["violations"]}
    assert told["market.desk_frozen"] == ""


async def test_limits_in_force_bind_a_new_deal_and_leave_what_it_may_ask_for():
    # At half of 30 % the deal, which opens at 20 %, is too much; one that opens at 15 % is not.
    tight = Book(effective(RiskLimits(), Bps(5_000)))
    with pytest.raises(PlanRefused) as caught:
        await booked(tight)
    assert {one["code"] for one in caught.value.fields["violations"]} == {"I6.ltv"}
    smaller = asking(opening_ltv=Bps(1_500))
    made = await Planner(World(), VENUES, PlanPolicy(), standing=tight).plan(smaller, ACCOUNTS, 0)
    # It keeps the threshold that cures start from once it is open.
    assert made.envelope.max_ltv == 3_000
