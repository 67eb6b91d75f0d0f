"""VaR and ES by hand, and the exceedances that RISK.md states of the real days."""

import csv

import numpy as np
import pytest

from holdfast.common.errors import Rejected
from holdfast.risk.history import (
    backtest_ewma,
    backtest_historical,
    ewma_variance,
    log_returns,
    tail,
    yearly_volatility,
)
from tests.support.market_data import FOLDER, needs_market_data


def losing(*losses):
    return np.log1p(-np.array(losses, dtype=float))


def test_var_is_the_loss_that_enough_days_stay_under_and_es_the_mean_from_it_on():
    # 40 days: 97.5 % of them are 39, so the 39th smallest loss; then the mean of it and the worst
    found = tail(losing(*([0.01] * 38), 0.10, 0.30))
    assert found.days == 40
    assert found.var == pytest.approx(0.10, abs=1e-9)
    assert found.shortfall == pytest.approx(0.20, abs=1e-9)


def test_on_few_days_the_worst_is_both():
    found = tail(losing(0.01, -0.02, 0.05))
    assert (found.var, found.shortfall) == (pytest.approx(0.05), pytest.approx(0.05))


def test_a_day_is_held_against_the_var_of_the_days_before_it():
    # windows of 4 at 75 %: the third smallest of 4; [1 2 3 4] tells 3, then [2 3 4 9] tells 4
    returns = losing(0.01, 0.02, 0.03, 0.04, 0.09, 0.04)
    found = backtest_historical(returns, level=0.75, window=4)
    assert (found.days, found.exceeded) == (2, 1)
    assert found.rate == 0.5
    assert found.expected == 0.5


def test_ewma_forgets_six_percent_a_day():
    # 0.1^2; then 0.94 * 0.01 + 0.06 * 0.04
    assert ewma_variance(np.array([0.1, 0.2])) == pytest.approx([0.01, 0.0118], abs=1e-12)
    assert yearly_volatility(np.array([0.1, 0.2])) == pytest.approx((0.0118 * 365) ** 0.5)


def test_a_day_beyond_the_quantile_of_a_normal_exceeds():
    # sigma 0.1 after the first day: 2.326 * 0.1; the second falls by more
    found = backtest_ewma(np.array([0.1, -0.25]))
    assert (found.days, found.exceeded) == (1, 1)
    assert backtest_ewma(np.array([0.1, -0.23])).exceeded == 0


def test_too_few_prices_are_refused():
    with pytest.raises(Rejected) as caught:
        log_returns([1.0] * 251)
    assert caught.value.code == "report.price_history"


@needs_market_data
def test_on_the_real_days_the_normal_var_is_exceeded_twice_as_often_as_it_says():
    path = FOLDER / "eth_price_daily_2019-12_2026-06.csv"
    with path.open() as lines:
        returns = log_returns([float(row["eth_usd"]) for row in csv.DictReader(lines)])
    # RISK.md: the 99 % VaR of a normal EWMA is exceeded on 2.19 % of days
    found = backtest_ewma(returns)
    assert (found.exceeded, found.days) == (52, 2_374)
    assert found.rate == pytest.approx(0.0219, abs=0.00005)
    # the historical one, which looks back on a year, comes closer to its 2.5 %
    assert backtest_historical(returns).rate == pytest.approx(0.025, abs=0.005)
    assert tail(returns).shortfall > tail(returns).var > 0.07
