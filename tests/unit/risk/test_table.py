"""The table of fundings, covers, loss bounds and profits, every row worked by hand.

Fractions of NAV 100: collateral 30, bucket 20, 6 % a year for 90 days, f 0.2, redemption fee
0.25 %, price 0.60, gap 50 %, slip 1 %. Interest is D * 0.06 * 90 / 365 = D * 0.01479452.
"""

import pytest

from holdfast.common.money import BPS, USD8, WAD, Usd8, mul_div
from holdfast.model.deal import Funding
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.formulas import interest
from holdfast.risk.invariants import Facts, Moment, Spending, evaluate
from holdfast.risk.limits import RiskLimits
from holdfast.risk.reserve import bucket_share_sold, debt_cover, owed, reserve
from tests.unit.risk.positions import APR_6, STRESS, borrowed, dollars, from_bucket

# bucket ETH under stress: 20 * (1 - 0.5) * (1 - 0.01) = 9.9
# 20 %: owed 6 + 0.08876712 + 0.2 = 6.28876712; 9.9 / 6.28876712 = 1.5742; sold 63.53 %
# 25 %: owed 7.5 + 0.11095890 + 0.2 = 7.81095890; 9.9 / 7.8109589 = 1.2675; sold 78.90 %
# 30 %: owed 9 + 0.13315068 + 0.2 = 9.33315068; 9.9 / 9.33315068 = 1.0607; sold 94.28 %
BORROW = [("6", "1.57", 64), ("7.5", "1.27", 79), ("9", "1.06", 95)]


@pytest.mark.parametrize(("debt", "cover", "sold_percent"), BORROW)
def test_borrow_funding_is_covered_by_the_bucket(debt, cover, sold_percent):
    position = borrowed(debt)
    assert f"{debt_cover(position, STRESS) / WAD:.2f}" == cover
    assert -(-bucket_share_sold(position, STRESS) // 100) == sold_percent


def test_the_share_of_the_bucket_that_is_sold_is_exact_to_the_bps():
    assert bucket_share_sold(borrowed("6"), STRESS) == 6_353
    assert bucket_share_sold(borrowed("7.5"), STRESS) == 7_890
    assert bucket_share_sold(borrowed("9"), STRESS) == 9_428


def test_the_reserve_is_the_bucket_halved_less_one_percent():
    assert reserve(borrowed("6"), STRESS) == dollars("9.9")
    assert owed(dollars(6), STRESS) == dollars("6.28876713")  # rounded up


def test_bucket_funding_at_18_repays_from_cash():
    # cash 20 + 6 - 18 = 8; 8 / 6.28876713 = 1.2721
    position = from_bucket("6", "18")
    assert f"{debt_cover(position, STRESS) / WAD:.2f}" == "1.27"
    assert bucket_share_sold(position, STRESS) == 0


def test_without_a_loan_there_is_nothing_to_cover():
    position = from_bucket("0", "19.8")
    assert debt_cover(position, STRESS) == NO_DEBT
    assert bucket_share_sold(position, STRESS) == 0


# S + i + f: 6 + 0.089 + 0.2; 7.5 + 0.111 + 0.2; 9 + 0.133 + 0.2; 18 + 0.089 + 0.2; 19.8 + 0.2
LOSSES = [
    ("6", "6", "6.3"),
    ("7.5", "7.5", "7.8"),
    ("9", "9", "9.3"),
    ("6", "18", "18.3"),
    ("0", "19.8", "20.0"),
]


@pytest.mark.parametrize(("debt", "spend", "loss"), LOSSES)
def test_the_loss_is_bounded_by_spend_interest_and_costs(debt, spend, loss):
    bound = dollars(spend) + interest(dollars(debt), APR_6, 90) + STRESS.costs
    assert f"{bound / USD8:.1f}" == loss


# S / 0.60 * 0.9975 - S - i - f: 9.975 - 6.289; 12.469 - 7.811; 14.963 - 9.333; 29.925 - 18.289;
# 32.918 - 20.0
PROFITS = [
    ("6", "6", "3.7"),
    ("7.5", "7.5", "4.7"),
    ("9", "9", "5.6"),
    ("6", "18", "11.6"),
    ("0", "19.8", "12.9"),
]


@pytest.mark.parametrize(("debt", "spend", "profit"), PROFITS)
def test_the_profit_is_the_discount_less_fee_interest_and_costs(debt, spend, profit):
    par = mul_div(dollars(spend), 10, 6)
    paid_out = mul_div(par, BPS - 25, BPS)
    bound = dollars(spend) + interest(dollars(debt), APR_6, 90) + STRESS.costs
    assert f"{(paid_out - bound) / USD8:.1f}" == profit


def spent(funding, sheet, charges):
    """I4's one check of the source, with a bucket of $20."""
    facts = Facts(sheet=sheet, spending=Spending(funding, dollars(20), charges))
    (check,) = evaluate(facts, RiskLimits(), Moment.PRE_TRADE)
    return check


def test_bucket_funding_spends_at_most_the_bucket_less_interest_and_costs():
    # no loan: 20 - 0 - 0.2 = 19.8; one unit more is too much
    charges = STRESS.costs
    assert spent(Funding.BUCKET, from_bucket("0", "19.8"), charges).ok
    over = spent(Funding.BUCKET, from_bucket("0", "19.80000001"), charges)
    assert not over.ok
    assert (over.code, over.limit, over.value) == ("I4.spend", dollars("19.8"), 1_980_000_001)


def test_borrow_funding_spends_at_most_the_loan():
    assert spent(Funding.BORROW, borrowed("6"), Usd8(0)).ok
    over = from_bucket("6", "6.00000001")
    assert not spent(Funding.BORROW, over, Usd8(0)).ok
