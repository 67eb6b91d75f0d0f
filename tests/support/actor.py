"""An account of the devnet that carries out a deal's calls and hands back parsed receipts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.common.evm import Address, BlockRef, Receipt, tx_hash

if TYPE_CHECKING:
    from holdfast.chain.node import Node
    from holdfast.devnet.service import Devnet
    from holdfast.model.leg import Call, ExpectedEvent

ALICE = Address("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65")
"""The devnet's fifth account: it has ether, and the node signs for it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Sends from `address`, for which the node signs."""

    devnet: Devnet
    node: Node
    address: Address = ALICE

    async def run(self, call: Call, gas: int = 2_000_000) -> Receipt:
        """The receipt of `call`, mined and read back through the chain client."""
        request = {
            "from": self.address,
            "to": call.target,
            "input": "0x" + call.data.hex(),
            "value": hex(call.value_wei),
            "gas": hex(gas),
        }
        sent = tx_hash(self.devnet.control.rpc.call("eth_sendTransaction", request))
        block = await self.node.block_receipts(await self._block_of(sent))
        (receipt,) = [one for one in block.receipts if one.tx_hash == sent]
        return receipt

    async def prove(self, call: Call, expected: ExpectedEvent) -> Receipt:
        """The receipt of `call`, which succeeded with exactly one event that matches."""
        receipt = await self.run(call)
        assert receipt.succeeded
        assert sum(expected.matches(log) for log in receipt.logs) == 1
        return receipt

    async def head(self) -> BlockRef:
        """The newest block."""
        return (await self.node.head()).ref

    async def _block_of(self, sent: str) -> int:
        for _ in range(500):
            receipt = self.devnet.control.rpc.call("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return int(receipt["blockNumber"], 16)
            await asyncio.sleep(0.01)
        raise AssertionError(f"{sent} was not mined")
