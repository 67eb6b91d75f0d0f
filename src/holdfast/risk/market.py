"""The market as risk sees it: prices from two sources, lending, depth, gas, desk; at one block."""

from dataclasses import asdict, dataclass
from enum import StrEnum

from holdfast.common.evm import BlockRef
from holdfast.common.money import BPS, USD8, Bps, Usd8, mul_div
from holdfast.protocols.aave_v3.rates import RateStrategy
from holdfast.protocols.aave_v3.reserve import ReserveConfiguration
from holdfast.risk.price_sources import WINDOWS_SECONDS, FeedPrice, PriceSources, apart


class Memory(StrEnum):
    """How far back a pool's average reaches."""

    FULL = "full"
    SHORT = "short"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class PoolPrice:
    """A pool's price of one whole token in dollars.

    `average` is the mean over the last `window_seconds`, None where the pool does not remember far
    enough; `depth` is what moves the price by one percent.
    """

    spot: Usd8
    average: Usd8 | None
    window_seconds: int
    depth: Usd8

    @property
    def memory(self) -> Memory:
        """How good the average is."""
        if self.average is None:
            return Memory.ABSENT
        return Memory.FULL if self.window_seconds >= WINDOWS_SECONDS[0] else Memory.SHORT

    @property
    def held(self) -> Usd8:
        """The average; the price now where there is none."""
        return self.spot if self.average is None else self.average


@dataclass(frozen=True, slots=True)
class LendingReserve:
    """One reserve of the lending venue; amounts in base units, rates a year in RAY."""

    configuration: ReserveConfiguration
    strategy: RateStrategy
    supplied: int
    available: int
    total_debt: int
    borrow_rate_ray: int
    supply_rate_ray: int

    @property
    def utilisation(self) -> Bps:
        """The share that is lent out, rounded up."""
        whole = self.available + self.total_debt
        return Bps(mul_div(self.total_debt, BPS, whole, round_up=True) if whole else 0)


@dataclass(frozen=True, slots=True)
class DeskState:
    """The redemption desk; `cash` is what it can pay, in dollars."""

    is_frozen: bool
    fee: Bps
    queue_delay_seconds: int
    cash: Usd8


@dataclass(frozen=True, slots=True)
class RiskMarket:
    """Everything at `at` that risk depends on and all deals share.

    `eth_feed` and `cash_feed` are the lending venue's prices of ETH and of the debt currency,
    `eth_pool` and `token_pool` those of the pools where the bucket is sold and the token bought.
    `lag_seconds` is how far the block is behind the clock, 0 where blocks are made on demand.
    """

    at: BlockRef
    eth_feed: FeedPrice
    cash_feed: FeedPrice
    eth_pool: PoolPrice
    token_pool: PoolPrice
    collateral: LendingReserve
    loan: LendingReserve
    base_fee_wei: int
    tip_wei: int
    desk: DeskState
    lag_seconds: int

    @property
    def sources(self) -> PriceSources:
        """What I10 looks at: the feeds, and the pool's average or its price now without one."""
        return PriceSources(self.at.timestamp, self.eth_feed, self.cash_feed, self.eth_pool.held)

    @property
    def off_peg(self) -> Bps:
        """How far the debt currency is from one dollar, either way, rounded up."""
        return apart(self.cash_feed.price, Usd8(USD8))


@dataclass(frozen=True, slots=True)
class Changed:
    """One setting of the lending venue that is not what it was."""

    name: str
    before: int
    after: int


def settings(market: RiskMarket) -> dict[str, int]:
    """What the lending venue's owners decide, by name: to be compared with a later reading."""
    reserves = {"collateral": market.collateral, "loan": market.loan}
    return {
        f"{reserve}.{name}": int(value)
        for reserve, state in reserves.items()
        for name, value in {**asdict(state.configuration), **asdict(state.strategy)}.items()
    }


def changes(before: dict[str, int], after: dict[str, int]) -> tuple[Changed, ...]:
    """What differs; a setting that only one of the readings knows is none."""
    return tuple(
        Changed(name, before[name], value)
        for name, value in sorted(after.items())
        if before.get(name, value) != value
    )
