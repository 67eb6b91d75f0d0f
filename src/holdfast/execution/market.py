"""What all deals see alike at one block, read once a block for all of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.common.errors import Transient
from holdfast.protocols.price_feed import PriceFeed

if TYPE_CHECKING:
    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.chain.receipts import Head
    from holdfast.common.evm import Address, BlockHash
    from holdfast.common.money import Usd8
    from holdfast.protocols.aave_v3.reserve import Reserve
    from holdfast.protocols.suite import Protocols

_BLOCKS_KEPT: Final = 4


@dataclass(frozen=True, slots=True)
class Market:
    """What all deals see alike at one block; prices in dollars times 1e8, the fee in bps.

    `price_age` is how many seconds ago the feed of ETH was updated.
    """

    frozen: bool
    queue_delay: int
    redemption_fee: int
    desk_reserves: int
    cash: Reserve
    ether: Reserve
    lendable: int
    eth_price: Usd8
    cash_price: Usd8
    price_age: int
    tip_wei: int


class Markets:
    """Reads the market through one node."""

    def __init__(self, node: Node, protocols: Protocols) -> None:
        self._node = node
        self._protocols = protocols
        self._tasks: OrderedDict[BlockHash, asyncio.Task[Market]] = OrderedDict()
        self._places: tuple[Address, Address] | None = None

    async def at(self, head: Head) -> Market:
        """The market at `head`; whoever looks at the same block shares one read."""
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
        ]
        known = self._places
        values, tip = await asyncio.gather(
            self._node.read([*reads, *self._reads_at(known)], head.ref),
            self._node.suggest_tip_wei(),
        )
        frozen, delay, fee, reserves, cash, ether, eth_price, cash_price, feed, *found = values
        _require_as_of(head, cash, ether)
        self._places = (cash.a_token, feed)
        if self._places != known:
            found = await self._node.read(self._reads_at(self._places), head.ref)
        lendable, answer = found
        return Market(
            frozen=frozen,
            queue_delay=delay,
            redemption_fee=fee,
            desk_reserves=reserves,
            cash=cash,
            ether=ether,
            lendable=lendable,
            eth_price=eth_price,
            cash_price=cash_price,
            price_age=max(0, head.ref.timestamp - answer.updated_at),
            tip_wei=tip,
        )

    def _reads_at(self, places: tuple[Address, Address] | None) -> list[Read[Any]]:
        """What is asked where other answers say: the cash to lend, and the feed of ETH."""
        if places is None:
            return []
        lending, feed = places
        return [self._protocols.usdt.balance_of(lending), PriceFeed(feed).latest()]


def _require_as_of(head: Head, *reserves: Reserve) -> None:
    """A node that mines while it answers may show a later state than that of the block asked."""
    if any(reserve.last_update > head.ref.timestamp for reserve in reserves):
        raise Transient("chain.other_block", "the node answered from a later block than was asked")
