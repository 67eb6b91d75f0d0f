"""The two sources of ETH's price at one block, and what I10 makes of them.

Planning, each step and each tick ask the same feeds and the same pool's average, and judge them
here, so that none trusts a price that another refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from holdfast.chain.multicall import Read, Reverted
from holdfast.common.money import BPS, Bps, Usd8, mul_div
from holdfast.protocols.uniswap_v3.pools import Average, Slot0, UniswapPool
from holdfast.risk.invariants.facts import Prices

WINDOWS_SECONDS: Final = (1_800, 900, 300)
"""The windows of a pool's average, the first one wanted.

Half an hour is what oracles on Uniswap V3 commonly take: long enough that holding a wrong price
costs arbitrage for many blocks. An average over less than five minutes is no second source: a few
blocks of trading make it.
"""


@dataclass(frozen=True, slots=True)
class FeedPrice:
    """An aggregator's price of one whole token, and when it was updated, in chain seconds."""

    price: Usd8
    updated_at: int


@dataclass(frozen=True, slots=True)
class PriceSources:
    """What I10 looks at, at the chain's time `now`.

    `eth` and `cash` are the lending venue's prices of ETH and of the debt currency, `pool` is what
    the exchange pool held for ETH: its average, which one trade cannot move.
    """

    now: int
    eth: FeedPrice
    cash: FeedPrice
    pool: Usd8

    @property
    def eth_age_seconds(self) -> int:
        """The age of ETH's price, which decides whether a cure may act on it."""
        return max(0, self.now - self.eth.updated_at)

    @property
    def cash_age_seconds(self) -> int:
        """The age of the debt currency's price."""
        return max(0, self.now - self.cash.updated_at)

    @property
    def deviation(self) -> Bps:
        """How far the two sources of the price of ETH are apart, rounded up."""
        return apart(self.pool, self.eth.price)

    def facts(self, lag_seconds: int | None = None) -> Prices:
        """The facts of I10; `lag_seconds` is how far the block is behind the clock, if known."""
        return Prices(self.eth_age_seconds, self.cash_age_seconds, self.deviation, lag_seconds)


def apart(value: Usd8, fair: Usd8) -> Bps:
    """How far `value` is from `fair`, either way, rounded up."""
    return Bps(mul_div(abs(fair - value), BPS, fair, round_up=True))


def pool_reads(pool: UniswapPool) -> tuple[Read[Any], ...]:
    """The price of `pool` now and its averages, the longest first; see `held` for the answers."""
    return (pool.slot0(), *(pool.average(window) for window in WINDOWS_SECONDS))


def longest(averages: Sequence[Average | Reverted]) -> Average | None:
    """The longest average that the pool remembers."""
    return next((one for one in averages if not isinstance(one, Reverted)), None)


def held(now: Slot0, averages: Sequence[Average | Reverted]) -> Slot0:
    """What the pool held: its longest average, or its price now where it does not remember."""
    average = longest(averages)
    return now if average is None else average.price()
