"""What selling together costs: hand-worked, and never less than any order of sales would."""

from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import BPS, USD8, Bps, Usd8
from holdfast.risk.exit_pool import ExitPool, exit_pool, shared_slip

POOL = ExitPool(Usd8(1_000_000 * USD8), 500)
WHOLE = Bps(BPS)


def slip(raised, pool=POOL, gap=0, depth=WHOLE):
    return shared_slip(pool, Usd8(raised * USD8), Bps(gap), depth)


def test_the_last_one_gets_the_price_that_all_sales_left():
    # (1 - 0.1)^2 * 0.9995 = 0.809595
    assert slip(100_000) == 1_905
    # half of ETH's price leaves sqrt(0.5) of the cash: (1 - 0.141421)^2 * 0.9995 = 0.736789
    assert slip(100_000, gap=5_000) == 2_633
    # a fifth of the depth: (1 - 0.5)^2 * 0.9995 = 0.249875
    assert slip(100_000, depth=Bps(2_000)) == 7_502


def test_nothing_raised_costs_the_fee_and_more_than_there_is_costs_all():
    assert slip(0) == 5
    assert slip(1_000_000) == slip(2_000_000) == BPS
    assert slip(1, pool=ExitPool(Usd8(0), 500)) == BPS


def test_a_pools_cash_follows_from_what_moves_its_price_by_a_percent():
    # y (sqrt(1.01) - 1) = 4,987.56 of a million
    assert exit_pool(Usd8(498_756 * USD8 // 100), 500).cash == 1_000_000 * USD8


@given(st.lists(st.integers(1, 50_000), min_size=1, max_size=10), st.integers(0, 9_000))
def test_no_order_of_sales_makes_any_deal_worse_off_than_reckoned(raised, gap):
    charged = slip(sum(raised), gap=gap) / BPS
    cash = 1e6 * sqrt(1 - gap / BPS)
    for part in raised:
        # x * y = k in units of today's price: what raises `part` out of the cash that is left
        paid = cash**2 / (cash - part) - cash
        paid *= (1e6 * sqrt(1 - gap / BPS) / cash) ** 2 / 0.9995
        assert part / paid >= 1 - charged - 1e-9
        cash -= part
