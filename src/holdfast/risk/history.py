"""What a price has lost on its worst days: historical VaR and ES, and how often a VaR was wrong.

Analytics in float64 for reports; nothing here decides about money. Losses are positive fractions
of the value held. The numbers agree with an exact computation to 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from holdfast.common.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.float64]"
Bools: TypeAlias = "NDArray[np.bool_]"

LEVEL: Final = 0.975
"""The quantile of VaR and ES. Source: Basel FRTB, MAR33.3 (expected shortfall at 97.5 %)."""

WINDOW: Final = 250
"""The days that a VaR looks back on. Source: Basel, MAR32 (backtests over a year of 250 days)."""

MOST_EXCEEDED: Final = 30
"""Exceedances of a 97.5 % VaR in a year of 250 days, over which a model is not trusted. Source:
Basel, MAR32.18 (30 exceptions at the 97.5th percentile, 12 at the 99th)."""

DECAY: Final = 0.94
"""What of yesterday's variance stays. Source: RiskMetrics, s_t^2 = 0.94 s_{t-1}^2 + 0.06 r_t^2."""

YEAR_DAYS: Final = 365
"""ETH trades every day."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The loss that is not exceeded on a `level` of all days, and the mean of those beyond it."""

    level: float
    days: int
    var: float
    shortfall: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """On how many of `days` the loss was larger than the VaR that the day before had told.

    `lately` counts those among the last `WINDOW` days.
    """

    level: float
    days: int
    exceeded: int
    lately: int

    @property
    def rate(self) -> float:
        """Exceedances over days; right would be 1 - level."""
        return self.exceeded / self.days

    @property
    def expected(self) -> float:
        """How many exceedances a right VaR has on average."""
        return self.days * (1 - self.level)


def log_returns(prices: Sequence[float]) -> Floats:
    """The log return of each day over the one before.

    Raises:
        Rejected: `report.price_history` when there are not enough for a VaR and its backtest.
    """
    if len(prices) < WINDOW + 2:
        raise Rejected(
            "report.price_history",
            f"a VaR needs {WINDOW + 2} daily prices",
            limit=WINDOW + 2,
            value=len(prices),
        )
    return np.diff(np.log(np.asarray(prices, dtype=np.float64)))


def tail(returns: Floats, level: float = LEVEL) -> Tail:
    """Historical VaR and ES over all of `returns`, as simple losses.

    VaR is the smallest loss that at least `level` of the days do not exceed; ES is the mean of the
    losses from it on.

    Source: Basel FRTB; RISK.md, "mean beyond the quantile, historical".
    """
    losses = np.sort(-np.expm1(returns))
    first = min(len(losses) - 1, int(np.ceil(level * len(losses))) - 1)
    return Tail(level, len(losses), float(losses[first]), float(losses[first:].mean()))


def backtest_historical(returns: Floats, level: float = LEVEL, window: int = WINDOW) -> Backtest:
    """Each day against the historical VaR of the `window` days before it."""
    losses = -np.expm1(returns)
    behind = np.lib.stride_tricks.sliding_window_view(losses, window)[:-1]
    place = int(np.ceil(level * window)) - 1
    told = np.partition(behind, place, axis=1)[:, place]
    return _backtest(level, losses[window:] > told)


def backtest_ewma(returns: Floats, level: float = 0.99) -> Backtest:
    """Each day against a normal VaR of the EWMA volatility of the days before it.

    Source: RISK.md: exceeded on 2.19 % of days where 1 % would be right.
    """
    score = NormalDist().inv_cdf(level)
    told = score * np.sqrt(ewma_variance(returns)[:-1])
    return _backtest(level, returns[1:] < -told)


def _backtest(level: float, exceeded: Bools) -> Backtest:
    return Backtest(level, len(exceeded), int(exceeded.sum()), int(exceeded[-WINDOW:].sum()))


def ewma_variance(returns: Floats) -> Floats:
    """The variance that is known after each day; the first day's is its own square."""
    known = np.empty_like(returns)
    variance = float(returns[0]) ** 2
    for day, value in enumerate(returns):
        variance = DECAY * variance + (1 - DECAY) * float(value) ** 2
        known[day] = variance
    return known


def yearly_volatility(returns: Floats) -> float:
    """The EWMA volatility after the last day, for a year."""
    return float(np.sqrt(ewma_variance(returns)[-1] * YEAR_DAYS))
