"""Reads the whole market in one batch at one block, with where to look kept from the last time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.common.errors import Rejected
from holdfast.common.money import Bps, Usd8, mul_div
from holdfast.protocols.aave_v3.math import unscaled
from holdfast.protocols.aave_v3.pool import scaled_total
from holdfast.protocols.aave_v3.rates import RateStrategy, strategy_reads
from holdfast.protocols.aave_v3.revision import require_known
from holdfast.protocols.price_feed import PriceFeed
from holdfast.risk.market import DeskState, LendingReserve, PoolPrice, RiskMarket
from holdfast.risk.price_sources import WINDOWS_SECONDS, FeedPrice, longest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.chain.receipts import Head
    from holdfast.common.clock import Clock
    from holdfast.common.evm import Address, BlockRef
    from holdfast.common.money import Token
    from holdfast.protocols.aave_v3.reserve import Reserve
    from holdfast.protocols.erc20 import Erc20
    from holdfast.protocols.suite import Protocols
    from holdfast.protocols.uniswap_v3.pools import Route, Slot0, UniswapPool

_COLLATERAL, _LOAN = "collateral", "loan"
_ETH, _TOKEN = "eth", "token"


@dataclass(frozen=True, slots=True)
class _Parts:
    """The contracts behind one reserve, which the pool's owners may exchange."""

    a_token: Address
    debt_token: Address
    strategy: Address


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the rest of the market is read, as the first reads name it."""

    collateral: _Parts
    loan: _Parts
    eth_feed: Address
    cash_feed: Address


class MarketReader:
    """The market behind one node.

    The first read takes two exchanges, later ones one; one more when the lending venue exchanged
    a contract, such as a rate strategy or a feed.
    """

    def __init__(self, node: Node, venues: Protocols, clock: Clock) -> None:
        self._node = node
        self._venues = venues
        self._clock = clock
        self._known: _Places | None = None

    async def read(self, head: Head) -> RiskMarket:
        """The market at `head`.

        Raises:
            Rejected: `market.no_price`, `aave.revision`, `chain.read_reverted`.
            Transient: the node does not answer, or the block is gone.
        """
        known = self._known or await self._learned(head.ref)
        found = await self._found(known, head.ref)
        places = _places(found)
        if places != known:
            found = await self._found(places, head.ref)
        self._known = places
        tip = await self._node.suggest_tip_wei()
        return _Answers(self._node, self._venues, found).market(head, tip, self._lag(head.ref))

    async def newest(self) -> RiskMarket:
        """The market at the newest block; raises as `read`."""
        return await self.read(await self._node.head())

    async def _learned(self, at: BlockRef) -> _Places:
        reads = dict(_first(self._venues))
        return _places(dict(zip(reads, await self._node.read([*reads.values()], at), strict=True)))

    async def _found(self, places: _Places, at: BlockRef) -> Mapping[str, Any]:
        reads = {**dict(_first(self._venues)), **dict(_rest(self._venues, places))}
        answers = await self._node.read([*reads.values()], at)
        return dict(zip(reads, answers, strict=True))

    def _lag(self, at: BlockRef) -> int:
        if self._node.profile.block_time_seconds == 0:
            return 0
        return max(0, int(self._clock.now().timestamp()) - at.timestamp)


def _first(venues: Protocols) -> Iterator[tuple[str, Read[Any]]]:
    """What also tells where the rest is."""
    weth, usdt = venues.weth_token.address, venues.usdt.address
    yield "revision", venues.aave.revision()
    for name, asset in ((_COLLATERAL, weth), (_LOAN, usdt)):
        yield name, venues.aave.reserve(asset)
    for name, asset in ((_ETH, weth), ("cash", usdt)):
        yield f"{name}_source", venues.oracle.source_of(asset)
        yield f"{name}_price", venues.oracle.price(asset)


def _rest(venues: Protocols, places: _Places) -> Iterator[tuple[str, Read[Any]]]:
    yield "eth_feed", PriceFeed(places.eth_feed).latest()
    yield "cash_feed", PriceFeed(places.cash_feed).latest()
    yield from _lending(_COLLATERAL, venues, places.collateral, venues.weth_token)
    yield from _lending(_LOAN, venues, places.loan, venues.usdt)
    yield from _exchange(_ETH, venues.eth_pool)
    yield from _exchange(_TOKEN, venues.usdtz_pool)
    yield "frozen", venues.desk.is_frozen()
    yield "fee", venues.desk.fee_bps()
    yield "queue_delay", venues.desk.queue_delay()
    yield "desk_cash", venues.desk.reserves()


def _lending(
    name: str, venues: Protocols, parts: _Parts, asset: Erc20
) -> Iterator[tuple[str, Read[Any]]]:
    yield f"{name}_available", asset.balance_of(parts.a_token)
    yield f"{name}_supplied", scaled_total(parts.a_token)
    yield f"{name}_income_index", venues.aave.income_index(asset.address)
    yield f"{name}_debt", scaled_total(parts.debt_token)
    yield f"{name}_debt_index", venues.aave.debt_index(asset.address)
    for index, read in enumerate(strategy_reads(parts.strategy)):
        yield f"{name}_strategy_{index}", read


def _exchange(name: str, pool: UniswapPool) -> Iterator[tuple[str, Read[Any]]]:
    yield f"{name}_slot0", pool.slot0()
    yield f"{name}_liquidity", pool.liquidity()
    for window in WINDOWS_SECONDS:
        yield f"{name}_average_{window}", pool.average(window)


def _places(found: Mapping[str, Any]) -> _Places:
    return _Places(
        collateral=_parts(found[_COLLATERAL]),
        loan=_parts(found[_LOAN]),
        eth_feed=found["eth_source"],
        cash_feed=found["cash_source"],
    )


def _parts(reserve: Reserve) -> _Parts:
    return _Parts(reserve.a_token, reserve.variable_debt_token, reserve.rate_strategy)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What was read, by name, put together."""

    node: Node
    venues: Protocols
    found: Mapping[str, Any]

    def market(self, head: Head, tip_wei: int, lag_seconds: int) -> RiskMarket:
        require_known(self.found["revision"])
        self._require_prices()
        venues, profile = self.venues, self.node.profile
        return RiskMarket(
            at=head.ref,
            eth_feed=self._feed(_ETH),
            cash_feed=self._feed("cash"),
            eth_pool=self._pool(_ETH, venues.sell_eth, profile.weth),
            token_pool=self._pool(_TOKEN, venues.buy_usdtz.reverse, profile.usdtz),
            collateral=self._lending(_COLLATERAL),
            loan=self._lending(_LOAN),
            base_fee_wei=head.base_fee_wei,
            tip_wei=tip_wei,
            desk=self._desk(),
            lag_seconds=lag_seconds,
        )

    def _require_prices(self) -> None:
        """A feed without an answer says 0, and so does a pool that was never opened."""
        found = self.found
        pools = (found[f"{name}_slot0"].sqrt_price_x96 for name in (_ETH, _TOKEN))
        lowest = min(found["eth_price"], found["cash_price"], *pools)
        if lowest <= 0:
            raise Rejected(
                "market.no_price",
                "the lending market's oracle or an exchange pool has no price",
                limit=1,
                value=lowest,
            )

    def _feed(self, name: str) -> FeedPrice:
        """The price that the lending venue uses, as old as its feed says."""
        return FeedPrice(self.found[f"{name}_price"], self.found[f"{name}_feed"].updated_at)

    def _pool(self, name: str, to_cash: Route, token: Token) -> PoolPrice:
        slot0: Slot0 = self.found[f"{name}_slot0"]
        averages = [self.found[f"{name}_average_{window}"] for window in WINDOWS_SECONDS]
        average = longest(averages)
        one = 10**token.decimals
        depth = slot0.one_percent_depth(to_cash.reverse, self.found[f"{name}_liquidity"])
        return PoolPrice(
            spot=self._dollars(slot0.out_at_spot(to_cash, one)),
            average=self._dollars(average.price().out_at_spot(to_cash, one)) if average else None,
            window_seconds=average.window_seconds if average else 0,
            depth=self._dollars(depth),
        )

    def _lending(self, name: str) -> LendingReserve:
        reserve: Reserve = self.found[name]
        base, slope_1, slope_2, optimal = (
            self.found[f"{name}_strategy_{index}"] for index in range(4)
        )
        return LendingReserve(
            configuration=reserve.configuration,
            strategy=RateStrategy(base, slope_1, slope_2, optimal),
            supplied=unscaled(self.found[f"{name}_supplied"], self.found[f"{name}_income_index"]),
            available=self.found[f"{name}_available"],
            total_debt=unscaled(self.found[f"{name}_debt"], self.found[f"{name}_debt_index"]),
            borrow_rate_ray=reserve.variable_borrow_rate,
            supply_rate_ray=reserve.liquidity_rate,
        )

    def _desk(self) -> DeskState:
        found = self.found
        cash = self._dollars(found["desk_cash"])
        return DeskState(found["frozen"], Bps(found["fee"]), found["queue_delay"], cash)

    def _dollars(self, cash_units: int) -> Usd8:
        unit = 10**self.node.profile.usdt.decimals
        return Usd8(mul_div(cash_units, self.found["cash_price"], unit))
