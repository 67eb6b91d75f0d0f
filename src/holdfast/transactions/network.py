"""The chain as the loop needs it, over a connected node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.chain.rpc import Fault, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.chain.node import Node
    from holdfast.chain.receipts import Block, Head
    from holdfast.chain.rpc import Rpc
    from holdfast.chain.sending import SendAnswer
    from holdfast.common.evm import Address, BlockRef, Receipt, TxHash


class NodeNetwork:
    """One node; `rpc` is the endpoint that `node` speaks through."""

    def __init__(self, node: Node, rpc: Rpc) -> None:
        self._node = node
        self._rpc = rpc

    async def head(self) -> Head:
        """The newest block."""
        return await self._node.head()

    async def block(self, number: int) -> Head:
        """The canonical block `number`."""
        return await self._node.block(number)

    async def blocks(self, first: int, last: int) -> Sequence[Block]:
        """The canonical blocks from `first` to `last`, both included, in order."""
        numbers = range(first, last + 1)
        return await asyncio.gather(*map(self._node.block_receipts, numbers))

    async def nonces(self, accounts: Sequence[Address], at: BlockRef) -> Mapping[Address, int]:
        """How many transactions of each account were mined up to and including block `at`."""
        return await self._node.nonces(accounts, at)

    async def find_receipts(self, hashes: Sequence[TxHash]) -> Sequence[Receipt]:
        """The receipts of those transactions that are mined."""
        requests = [Request("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in hashes]
        answers = [one for one in await self._rpc.batch(requests) if not isinstance(one, Fault)]
        numbers = sorted({int(one["blockNumber"], 16) for one in answers if one is not None})
        blocks = [await self._node.block_receipts(number) for number in numbers]
        return [one for block in blocks for one in block.receipts if one.tx_hash in hashes]

    async def suggest_tip_wei(self) -> int:
        """The tip that gets a transaction mined soon; on a legacy chain the whole gas price."""
        return await self._node.suggest_tip_wei()

    async def send_raw(self, transactions: Sequence[bytes]) -> Sequence[SendAnswer]:
        """Broadcast signed bytes in one batch; one answer each, never an exception for silence."""
        return await self._node.send_raw(transactions)
