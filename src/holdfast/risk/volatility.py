"""How much ETH moves: the RiskMetrics average of squared daily returns, in integers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from math import isqrt
from typing import Final, Self

from holdfast.common.money import BPS, WAD, Bps, Usd8

DAY_SECONDS: Final = 86_400
REFERENCE: Final = Bps(7_200)
"""A usual year: 72 %. Source: RISK.md (s_ref); the median over 2019-12..2025-12 is 71.5 %."""

_YEAR_DAYS: Final = 365  # ETH trades every day
_KEPT_PERCENT: Final = 94  # Source: RiskMetrics technical document, lambda of daily data
_USUAL_WAD: Final = -(-(REFERENCE**2) * WAD // (BPS**2 * _YEAR_DAYS))
"""One day's variance in a usual year, rounded up."""
_LOG: Final = Context(prec=40, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Volatility:
    """The average so far, and the day that is under way.

    Attributes:
        variance_wad: of one day's log return, over the days that are closed, in WAD.
        day: days since 1970 of the newest price, in UTC.
        base: the last price before that day.
        last: the newest price.
    """

    variance_wad: int
    day: int
    base: Usd8
    last: Usd8

    @classmethod
    def beginning(cls, price: Usd8, timestamp: int) -> Self:
        """Nothing is known yet: as much as in a usual year."""
        return cls(_USUAL_WAD, timestamp // DAY_SECONDS, price, price)

    @classmethod
    def after(cls, closes: Sequence[Usd8], price: Usd8, timestamp: int) -> Self:
        """What a history of days' closes, the newest last, lets one expect; at least the usual.

        A calm history says nothing of the market that is to come: it only ever tightens limits.
        """
        variance = _USUAL_WAD
        for before, close in pairwise(closes):
            variance = _averaged(variance, before, close)
        return cls(max(variance, _USUAL_WAD), timestamp // DAY_SECONDS, price, price)

    def seen(self, price: Usd8, timestamp: int) -> Self:
        """With a price of the chain's time `timestamp`; an older day's is the present day's.

        Days without a price are left out: the return across them counts as one day's, which is
        more than it was.
        """
        day = timestamp // DAY_SECONDS
        if day <= self.day:
            return replace(self, last=price)
        return replace(self, variance_wad=self._with_today(), day=day, base=self.last, last=price)

    @property
    def yearly(self) -> Bps:
        """The yearly volatility, rounded down: today counts as soon as it makes it larger."""
        daily = max(self.variance_wad, self._with_today())
        return Bps(isqrt(daily * _YEAR_DAYS * BPS**2 // WAD))

    def _with_today(self) -> int:
        return _averaged(self.variance_wad, self.base, self.last)


def _averaged(variance_wad: int, before: Usd8, after: Usd8) -> int:
    """Source: RISK.md, s_t^2 = 0.94 s_{t-1}^2 + 0.06 r_t^2, rounded up."""
    moved = _log_return_wad(before, after)
    squared = moved * moved // WAD
    return -(-(_KEPT_PERCENT * variance_wad + (100 - _KEPT_PERCENT) * squared) // 100)


def _log_return_wad(before: Usd8, after: Usd8) -> int:
    ratio = _LOG.divide(Decimal(after), Decimal(before))
    return int(_LOG.multiply(_LOG.ln(ratio), Decimal(WAD)))
