"""Opening LTV from the volatility quantile, by hand and on the real hours."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Rejected
from holdfast.common.money import WAD, Bps
from holdfast.reporting.price_file import series_of
from holdfast.risk.dynamic import effective
from holdfast.risk.limits import RiskLimits
from holdfast.risk.opening import opening_ltv, openings, path_lows, proposed, quantile
from holdfast.risk.price_series import Sample, Series

CAP = Bps(3_000)
HOURS_FILE = Path(__file__).resolve().parents[4] / "shared/data/ethusdt_1h_2019-12_2025-12.csv"


def test_a_path_is_from_an_hours_close_to_the_lowest_of_the_hours_after_it():
    closes, lows = [100, 80, 90, 120], [95, 85, 60, 110]
    # The first hour's own low of 95 is over; the next two go down to 60. The last two hours have no
    # two hours after them.
    assert path_lows(closes, lows, hours=2) == [-WAD * 40 // 100, -WAD * 25 // 100]


def test_a_quantile_lies_between_two_returns():
    assert quantile([30, -10, 10, -30], Bps(0)) == -30
    assert quantile([30, -10, 10, -30], Bps(5_000)) == 0
    assert quantile([5], Bps(100)) == 5


def test_no_history_has_no_quantile():
    with pytest.raises(Rejected) as caught:
        quantile(path_lows([100] * 24, [90] * 24), Bps(100))
    assert caught.value.code == "opening.no_history"


def test_the_opening_meets_the_cap_when_the_quantile_comes():
    # 30 % * (1 - 20 %) = 24 %; then 24 % / 0.8 = 30 %.
    assert opening_ltv(CAP, -WAD // 5) == 2_400


@given(st.lists(st.integers(min_value=1, max_value=10**6), min_size=3, max_size=60))
def test_lows_ahead_are_those_of_a_plain_search(prices):
    found = path_lows(prices, prices, hours=2)
    plain = [min(prices[i + 1 : i + 3]) * WAD // prices[i] - WAD for i in range(len(prices) - 2)]
    assert found == plain


@pytest.mark.skipif(not HOURS_FILE.exists(), reason="the price history is not on this machine")
def test_the_real_hours_give_the_table():
    """RISK.md: of 52,619 hours 24.9 % at the 1 % quantile, 19.4 % at 0.1 %, 14.0 % at the worst."""
    with HOURS_FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    closes, lows = ([int(Decimal(row[name]) * 100) for row in rows] for name in ("close", "low"))
    assert len(rows) == 52_619
    returns = path_lows(closes, lows)
    openings = [opening_ltv(CAP, quantile(returns, Bps(share))) for share in (100, 10, 0)]
    assert openings == [2_490, 1_943, 1_401]
    assert RiskLimits().opening_ltv == openings[0]


@pytest.mark.slow
def test_a_file_of_the_real_hours_gives_the_openings_of_the_rule():
    if not HOURS_FILE.exists():
        pytest.skip(f"the market history is not at {HOURS_FILE}")
    found = openings(series_of(HOURS_FILE), CAP)
    assert [(one.share, one.ltv) for one in found] == [(100, 2_490), (10, 1_943), (0, 1_401)]
    assert found[0].ltv == RiskLimits().opening_ltv  # where the published limit comes from


def test_rows_that_are_no_hours_are_refused():
    days = Series("days.csv", tuple(Sample(day * 86_400, 100, 90) for day in range(40)))
    with pytest.raises(Rejected) as caught:
        openings(days, CAP)
    assert (caught.value.code, caught.value.fields["value"]) == ("opening.not_hourly", 86_400)


def test_a_deal_opens_at_the_default_or_at_less_where_the_market_asks_for_less():
    published = RiskLimits()
    assert proposed(published) == 2_000
    # 24.9 % at half the limits is 12.45 %, the rule at a cap of 15 %
    assert proposed(effective(published, Bps(5_000))) == 1_245
    assert opening_ltv(Bps(1_500), -WAD * 17 // 100) == 1_245
    assert proposed(effective(published, Bps(9_000))) == 2_000
