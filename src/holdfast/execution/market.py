"""What all deals see alike at one block, read once a block for all of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.common.errors import Transient
from holdfast.common.money import WAD, Bps, Usd8, mul_div
from holdfast.execution.breaches import Exposure
from holdfast.protocols.price_feed import PriceFeed
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.price_sources import FeedPrice, PriceSources, held, pool_reads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.chain.receipts import Head
    from holdfast.common.evm import Address, BlockHash
    from holdfast.execution.model import Position
    from holdfast.protocols.aave_v3.reserve import Reserve
    from holdfast.protocols.suite import Protocols
    from holdfast.protocols.uniswap_v3.pools import Route, Slot0
    from holdfast.risk.limits import RiskLimits

_BLOCKS_KEPT: Final = 4


@dataclass(frozen=True, slots=True)
class Market:
    """What all deals see alike at one block; prices in dollars times 1e8, the fee in bps.

    `exit_pool` is where the bucket is sold, `sources` are the prices that are decided on,
    `token_price` is what a whole discounted token trades at in its pool, before fee and impact.
    """

    frozen: bool
    queue_delay: int
    redemption_fee: int
    desk_reserves: int
    cash: Reserve
    ether: Reserve
    lendable: int
    sources: PriceSources
    token_price: Usd8
    exit_pool: ExitPool
    tip_wei: int

    @property
    def eth_price(self) -> Usd8:
        """The lending venue's price of ETH."""
        return self.sources.eth.price

    def is_price_stale(self, limits: RiskLimits) -> bool:
        """Whether ETH's price is too old to cure or to unwind for."""
        return self.sources.eth_age_seconds > limits.oracle_max_age_seconds

    @property
    def cash_price(self) -> Usd8:
        """The lending venue's price of the debt currency."""
        return self.sources.cash.price


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the cash to lend is, and the feeds of both prices, as other answers name them."""

    lending: Address
    eth_feed: Address
    cash_feed: Address


def exposed_to(market: Market, position: Position, cash_decimals: int) -> Exposure:
    """`position` with the prices, the rate and the threshold of `market`."""
    return Exposure(
        position=position,
        eth_price=market.eth_price,
        cash_price=market.cash_price,
        cash_decimals=cash_decimals,
        borrow_rate=market.cash.variable_borrow_rate,
        threshold=Bps(market.ether.configuration.liquidation_threshold),
        pool=market.exit_pool,
    )


class Markets:
    """Reads the market through one node."""

    def __init__(self, node: Node, protocols: Protocols) -> None:
        self._node = node
        self._protocols = protocols
        self._tasks: OrderedDict[BlockHash, asyncio.Task[Market]] = OrderedDict()
        self._places: _Places | None = None

    async def at(self, head: Head) -> Market:
        """The market at `head`.

        Raises:
            Transient: when the chain does not answer.
        """
        task = self._tasks.get(head.ref.hash)
        if task is None or (task.done() and task.exception() is not None):
            task = asyncio.create_task(self._read(head))
            self._tasks[head.ref.hash] = task
            while len(self._tasks) > _BLOCKS_KEPT:
                self._tasks.popitem(last=False)
        return await asyncio.shield(task)

    async def _read(self, head: Head) -> Market:
        parts = self._protocols
        usdt, weth = parts.usdt.address, parts.weth.address
        reads: list[Read[Any]] = [
            parts.desk.is_frozen(),
            parts.desk.queue_delay(),
            parts.desk.fee_bps(),
            parts.desk.reserves(),
            parts.aave.reserve(usdt),
            parts.aave.reserve(weth),
            parts.oracle.price(weth),
            parts.oracle.price(usdt),
            parts.oracle.source_of(weth),
            parts.oracle.source_of(usdt),
            parts.usdtz_pool.slot0(),
            parts.eth_pool.liquidity(),
            *pool_reads(parts.eth_pool),
        ]
        known = self._places
        values, tip = await asyncio.gather(
            self._node.read([*reads, *self._reads_at(known)], head.ref),
            self._node.suggest_tip_wei(),
        )
        shared, found = values[: len(reads)], values[len(reads) :]
        cash, ether, *_, eth_feed, cash_feed = shared[4:10]
        _require_as_of(head, cash, ether)
        self._places = _Places(cash.a_token, eth_feed, cash_feed)
        if self._places != known:
            found = await self._node.read(self._reads_at(self._places), head.ref)
        return self._market(head, shared, found, tip)

    def _market(
        self, head: Head, shared: Sequence[Any], found: Sequence[Any], tip_wei: int
    ) -> Market:
        frozen, delay, fee, reserves, cash, ether, eth, usdt, _, _, token, depth, *pool = shared
        lendable, eth_feed, cash_feed = found
        return Market(
            frozen=frozen,
            queue_delay=delay,
            redemption_fee=fee,
            desk_reserves=reserves,
            cash=cash,
            ether=ether,
            lendable=lendable,
            sources=PriceSources(
                now=head.ref.timestamp,
                eth=FeedPrice(eth, eth_feed.updated_at),
                cash=FeedPrice(usdt, cash_feed.updated_at),
                pool=self._dollars(held(pool[0], pool[1:]), self._protocols.sell_eth, WAD, usdt),
            ),
            token_price=self._token_price(token, usdt),
            exit_pool=self._exit_pool(pool[0], depth, usdt),
            tip_wei=tip_wei,
        )

    def _exit_pool(self, now: Slot0, liquidity: int, cash_price: Usd8) -> ExitPool:
        route, one = self._protocols.sell_eth, 10**self._node.profile.usdt.decimals
        cash = mul_div(now.reserve_out(route, liquidity), cash_price, one)
        return ExitPool(Usd8(cash), route.fee)

    def _token_price(self, now: Slot0, cash_price: Usd8) -> Usd8:
        route, one = self._protocols.buy_usdtz.reverse, 10**self._node.profile.usdtz.decimals
        return self._dollars(now, route, one, cash_price)

    def _dollars(self, price: Slot0, to_cash: Route, units: int, cash_price: Usd8) -> Usd8:
        """What `units` bring at a pool's price, in dollars times 1e8."""
        cash = price.out_at_spot(to_cash, units)
        return Usd8(mul_div(cash, cash_price, 10**self._node.profile.usdt.decimals))

    def _reads_at(self, places: _Places | None) -> list[Read[Any]]:
        """What is asked where other answers say: the cash to lend, and the two feeds."""
        if places is None:
            return []
        return [
            self._protocols.usdt.balance_of(places.lending),
            PriceFeed(places.eth_feed).latest(),
            PriceFeed(places.cash_feed).latest(),
        ]


def _require_as_of(head: Head, *reserves: Reserve) -> None:
    """A node that mines while it answers may show a later state than that of the block asked."""
    if any(reserve.last_update > head.ref.timestamp for reserve in reserves):
        raise Transient("chain.other_block", "the node answered from a later block than was asked")
