"""The report: the numbers a person decides by, in the order they matter."""

import io

import pytest
from rich.console import Console

from holdfast.common.money import Bps
from holdfast.entry.cli.errors import as_text
from holdfast.entry.cli.plan_view import plan_view
from holdfast.model.deal import Funding
from holdfast.planning.errors import PlanRefused, violation
from holdfast.planning.model import PlanPolicy
from holdfast.planning.service import Planner
from tests.unit.planning.world import ACCOUNTS, MILLIONS, REQUEST, VENUES, World, asking, drafted


async def made(request=REQUEST, world=None):
    planner = Planner(world or World(), VENUES, PlanPolicy(), MILLIONS)
    plan = await planner.plan(request, ACCOUNTS, 0)
    return plan.report


def printed(view, width=120):
    out = io.StringIO()
    Console(file=out, width=width).print(view)
    return out.getvalue()


async def test_the_worst_case_comes_first():
    report = await made()
    assert list(report)[:2] == ["plan_hash", "worst_case"]
    text = printed(plan_view(report))
    first = text.splitlines()[0]
    assert "Worst case" in first
    assert text.index("Loses at most") < text.index("profit if all is redeemed")


async def test_the_dearest_scenario_stands_beside_what_the_plan_loses_at_most():
    report = await made()
    dearest = report["worst_case"]["worst_scenario"]
    losses = {one["scenario"]: float(one["loss_usd"]) for one in report["scenarios"]}
    assert losses[dearest["scenario"]] == max(losses.values())
    assert "apr_80" in dearest["scenario"]  # a year's rate that the bound does not assume
    text = printed(plan_view(report))
    assert text.count("Dearest scenario") == 1
    assert text.count("beyond it") == sum(
        loss > float(report["worst_case"]["loss_usd"]) for loss in losses.values()
    )
    assert "beyond it" in text


async def test_the_metrics_move_from_nothing_to_the_opening():
    report = await made()
    assert report["before"] == {
        "ltv_percent": "0.00",
        "health_factor": None,
        "exposure_cost_percent": "0.00",
        "exposure_market_percent": "0.00",
        "exposure_freeze_nav_percent": "0.00",
        "debt_cover": None,
    }
    after = report["after"]
    assert (after["ltv_percent"], after["health_factor"]) == ("20.00", "4.1500")
    # 600,000 / (10 M - 600,000) = 6.383 %
    assert after["exposure_freeze_nav_percent"] == "6.39"
    # reserve 2 M * 0.485 = 970,000; owed 600,000 + 8,885.59 + 3,510 = 612,395.59
    assert after["debt_cover"] == "1.5839"


async def test_what_the_desk_does_by_itself_is_told_with_the_prices_where_it_begins():
    cures = (await made())["cures"]
    assert cures == {
        # 600,000 dollars are 30 % of 1,500 ETH at this price
        "repay": {
            "at_ltv_percent": "30.00",
            "to_ltv_percent": "20.00",
            "from_eth_price_usd": "1333.33333334",
        },
        # owed 612,395.59 * 1.25 = 765,494.49; the bucket's 2 M fetch 990,000: $2,000 * 0.7732
        "convert": {
            "under_debt_cover": "1.2500",
            "cash_room_percent": "0.50",
            "from_eth_price_usd": cures["convert"]["from_eth_price_usd"],
        },
        "sells_at_most_percent_under_oracle": "3.00",
        "in_an_emergency_percent_under_oracle": "12.00",
        "goes_home_instead": {
            "under_debt_cover": "1.0000",
            "when_a_fall_would_liquidate_percent": "50.00",
            "under_health_factor": "1.0000",
        },
        "adds_risk": False,
    }
    price = float(cures["convert"]["from_eth_price_usd"])
    assert price == pytest.approx(2_000 * 1.25 * 612_395.59 / 970_000, abs=0.01)
    text = printed(plan_view(await made()))
    assert "What the desk does by itself" in text
    assert "repays down to 20.00 %" in text
    assert "$1,333.33" in text


async def test_a_deal_without_a_loan_does_nothing_by_itself():
    report = await made(asking(funding=Funding.BUCKET, opening_ltv=Bps(0)))
    assert report["cures"] is None
    assert "by itself" not in printed(plan_view(report))


async def test_a_deal_whose_cash_pays_all_never_converts_and_shows_no_price():
    cures = (await made(asking(funding=Funding.BUCKET, opening_ltv=Bps(100))))["cures"]
    assert cures["convert"]["from_eth_price_usd"] is None
    assert cures["repay"]["from_eth_price_usd"] is not None


async def test_a_plan_from_before_is_shown_without():
    report = dict(await made())
    del report["cures"]
    assert "by itself" not in printed(plan_view(report))


async def test_every_cost_is_told():
    costs = (await made())["costs"]
    assert costs == {
        "purchase_fee_usd": "300",
        # 1,000,000 * 0.9995 - 998,501.997253 = 998.002747 tokens at 0.60
        "purchase_impact_usd": "598.8016482",
        "bucket_sale_usd": "0",
        "bucket_sale_at_most_usd": "0",
        # 612,395.59 / 0.97 - 612,395.59
        "exit_sale_if_token_fails_usd": "18940.06976416",
        # 600,000 * 4.004 % and 6.006 % * 90 / 365
        "interest_usd": "5923.7260274",
        "interest_stressed_usd": "8885.5890411",
        # 998,501.997253 tokens * 0.25 %
        "redemption_fee_usd": "2496.25499314",
        # 2.5 M gas * 2 gwei * $2,000; 5.85 M gas * 300 gwei * $2,000
        "gas_usd": "10",
        "gas_at_most_usd": "3510",
    }


async def test_the_outlook_follows_from_the_costs():
    outlook = (await made())["outlook"]
    # 998,501.997253 - 2,496.25499314 - 600,000 - 5,923.7260274 - 10
    assert outlook["profit_if_redeemed_usd"] == "390072.01623246"
    # k = (600,000 + 5,933.726) / 998,501.997 = 0.606843; 0.9975 / k - 1; k / 0.9975
    assert outlook["simple_return_percent"] == "64.37"
    assert outlook["break_even_success_percent"] == "60.84"
    # 600,000 over 1,500 * 0.83, and 1 less 0.20 over 0.83
    assert outlook["liquidation_eth_price_usd"] == "481.92771085"
    assert outlook["liquidation_eth_drop_percent"] == "75.90"


async def test_legs_show_their_call_and_their_data():
    legs = (await made())["legs"]
    borrow = next(leg for leg in legs if leg["kind"] == "borrow")
    assert borrow["call"] == "Pool.borrow(USDT, 600,000 USDT, variable rate, for the deal)"
    assert borrow["target_name"] == "Pool"
    assert borrow["data"].startswith(borrow["selector"])
    assert int(borrow["data"][10 + 64 : 10 + 128], 16) == 600_000 * 10**6
    assert [leg["only_if_needed"] for leg in legs].index(True) == 22


async def test_both_quotes_are_told_where_both_are_traded():
    quotes = (await made(asking(funding=Funding.BUCKET)))["quotes"]
    assert quotes["bucket_sale"]["pays"]["amount"] == "998.245"
    assert quotes["purchase"]["price_impact_percent"] == "0.34"
    assert quotes["borrow_rate_percent"] == {
        "now": "4.0000",
        "after_the_loan": "4.0040",
        "stressed": "6.0060",
    }
    assert (await made())["quotes"]["bucket_sale"] is None


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        asking(opening_ltv=Bps(3_000)),
        asking(funding=Funding.BUCKET),
        asking(funding=Funding.BUCKET, opening_ltv=Bps(0)),
    ],
)
async def test_every_plan_can_be_printed(request_):
    report = await made(request_)
    text = printed(plan_view(report), width=160)
    assert report["plan_hash"] in text
    for table in ("Before and after", "side by side", "Quotes", "Costs", "Legs", "Scenarios"):
        assert table in text
    for check in report["checks"]:
        assert check["code"] in text
    assert ("Warnings" in text) == bool(report["warnings"])
    assert ("warned" in text) == bool(report["warnings"])


async def test_a_plan_from_before_the_book_was_stressed_can_still_be_printed():
    report = await made()
    del report["book"]
    assert "The book" not in printed(plan_view(report))


def test_a_refused_plan_prints_its_violations():
    made = drafted(world=World(is_frozen=True, oracle_age=9_999))
    refused = PlanRefused(made.violations)
    text = as_text(refused)
    assert "market.desk_frozen" in text
    assert "9,999 s" in text


def test_an_unbounded_value_is_null_for_machines_and_a_word_for_people():
    made = drafted(asking(funding=Funding.BUCKET, opening_ltv=Bps(0)))
    cover = next(check for check in made.checks if check.code == "I3.debt_cover")
    shown = violation(cover)
    assert shown["value"] is None
    assert shown["value_text"] == "no debt"
    assert shown["limit"] == 10**18
