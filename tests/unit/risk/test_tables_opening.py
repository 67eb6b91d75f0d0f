"""RISK.md's numbers on the opening LTV, from the real hours themselves.

A deal may open at the end of any hour; the path after it is every hour's low, so a breach inside an
hour counts. On hourly closes alone the chances would be 97.0, 30.8, 7.4 and 2.4 %.
"""

import numpy as np
import pytest

from holdfast.common.money import USD8, Bps, Usd8, mul_div
from holdfast.risk.formulas import ltv, repayment_to_restore
from tests.unit.risk.history import eth_hours

MONTH_HOURS, DAY_HOURS = 720, 24
CAP = 0.30


@pytest.fixture(scope="module")
def hours():
    return eth_hours()


def test_the_history_is_the_one_the_table_was_made_from(hours):
    assert len(hours.begins) == 52_619
    assert (hours.begins[0], hours.begins[-1][:10]) == ("2019-12-01T00:00Z", "2025-12-02")


# RISK.md: 100 % from 30, 36 % from 25, 10.1 % from 20, 2.9 % from 15
@pytest.mark.parametrize(
    ("opening", "percent"), [(0.30, "100"), (0.25, "36"), (0.20, "10.1"), (0.15, "2.9")]
)
def test_the_chance_to_pass_the_cap_within_30_days(hours, opening, percent):
    """LTV is opening / fall, above the cap where fall is under opening / cap."""
    chance = 100 * np.mean(opening / hours.falls(MONTH_HOURS) > CAP)
    digits = len(percent.partition(".")[2])
    assert f"{chance:.{digits}f}" == percent


# RISK.md: 24.9 % (1 % quantile), 19.4 % (0.1 %), 14.0 % (worst)
@pytest.mark.parametrize(("share", "opening"), [(0.01, "24.9"), (0.001, "19.4"), (0.0, "14.0")])
def test_the_volatility_rule_opens_where_the_worst_days_end_at_the_cap(hours, share, opening):
    """open = 30 % * (1 + q), q the quantile of the lowest price of the next 24 hours."""
    quantile = np.quantile(hours.falls(DAY_HOURS), share) - 1
    assert f"{100 * CAP * (1 + quantile):.1f}" == opening


def cents(price):
    """The price in dollars times 1e8; the file has two digits."""
    return Usd8(round(price * 100) * USD8 // 100)


def test_black_thursday_from_20_percent(hours):
    """Opened on 2020-03-11 at 01:00 UTC with N 100: 30 collateral, 6 borrowed.

    28 % is passed in the bar that begins 33 hours later; the lowest price lifts LTV to 47.02 %,
    where C is 30 * 86 / 202.18 = 12.76 and 6 - 0.3 * 12.76 = 2.17 % of N restores 30 %.
    """
    start = hours.begins.index("2020-03-11T00:00Z")
    opened, debt = cents(hours.close[start]), Usd8(6 * USD8)
    values = [
        Usd8(mul_div(30 * USD8, cents(low), opened)) for low in hours.low[start + 1 : start + 73]
    ]
    path = [ltv(debt, value) for value in values]
    assert next(hour for hour, one in enumerate(path) if one >= 2_800) == 33
    assert hours.begins[start + 1 + 33] == "2020-03-12T10:00Z"
    assert max(path) == 4_703  # rounded up against the deal; 47 % in the table
    deepest = values[path.index(max(path))]
    repaid = repayment_to_restore(debt, deepest, Bps(3_000))
    assert f"{repaid / USD8:.1f}" == "2.2"
    assert ltv(Usd8(debt - repaid), deepest) == 3_000
