"""A calm market, and what a test may want to change of it."""

from dataclasses import replace

from holdfast.common.evm import BlockRef, block_hash
from holdfast.common.money import RAY, USD8, Bps, Usd8
from holdfast.protocols.aave_v3.rates import RateStrategy
from holdfast.protocols.aave_v3.reserve import ReserveConfiguration
from holdfast.risk.market import DeskState, LendingReserve, PoolPrice, RiskMarket
from holdfast.risk.price_sources import FeedPrice

NOON = 20_000 * 86_400 + 43_200  # of day 20,000
CONFIGURATION = ReserveConfiguration(
    ltv=8_000,
    liquidation_threshold=8_300,
    liquidation_bonus=10_500,
    decimals=18,
    is_active=True,
    is_frozen=False,
    is_paused=False,
    can_be_borrowed=True,
    reserve_factor=1_000,
    borrow_cap=0,
    supply_cap=0,
)
STRATEGY = RateStrategy(0, RAY * 6 // 100, RAY * 60 // 100, RAY * 9 // 10)


def reserve(available=400, total_debt=600, **configuration):
    return LendingReserve(
        configuration=replace(CONFIGURATION, **configuration),
        strategy=STRATEGY,
        supplied=available + total_debt,
        available=available,
        total_debt=total_debt,
        borrow_rate_ray=RAY * 4 // 100,
        supply_rate_ray=RAY * 2 // 100,
    )


def pool(dollars, *, average=None, window=1_800, depth=3_000_000):
    held = dollars if average is None else average
    return PoolPrice(
        spot=Usd8(int(dollars * USD8)),
        average=Usd8(int(held * USD8)) if window else None,
        window_seconds=window,
        depth=Usd8(depth * USD8),
    )


def at(timestamp, number=75):
    return BlockRef(number, block_hash("0x" + "ab" * 32), timestamp)


def market(timestamp=NOON, *, eth=2_000, cash=1, **changes):
    calm = RiskMarket(
        at=at(timestamp),
        eth_feed=FeedPrice(Usd8(int(eth * USD8)), timestamp),
        cash_feed=FeedPrice(Usd8(int(cash * USD8)), timestamp),
        eth_pool=pool(eth),
        token_pool=pool(0.6),
        collateral=reserve(950, 50),
        loan=reserve(),
        base_fee_wei=10**9,
        tip_wei=10**9,
        desk=DeskState(
            is_frozen=False, fee=Bps(25), queue_delay_seconds=0, cash=Usd8(2 * 10**9 * USD8)
        ),
        lag_seconds=0,
    )
    return replace(calm, **changes)
