"""Transactions of the devnet's own accounts, which the node itself signs; never a deal's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from holdfast.common.errors import Ambiguous, Broken
from holdfast.common.evm import Address, address
from holdfast.devnet.rpc import calldata

if TYPE_CHECKING:
    from holdfast.devnet.artifacts import Artifact
    from holdfast.devnet.rpc import NodeRpc

_GAS = 12_000_000  # more than the largest deployment needs, less than half a block
_MINED_SECONDS = 60.0  # blocks of the slowest interval mode arrive well within
_POLL_SECONDS = 0.02


class Sender:
    """One unlocked account: sends, waits until mined, and insists on success."""

    def __init__(self, rpc: NodeRpc, account: Address) -> None:
        self._rpc = rpc
        self.account = account

    def execute(self, target: Address, signature: str, *args: object, value_wei: int = 0) -> None:
        """Call a contract's function in a mined transaction.

        Raises:
            Broken: `devnet.reverted` when it reverts.
            Ambiguous: `devnet.not_mined` when no block took it in time.
        """
        self.send(target, calldata(signature, *args), value_wei=value_wei)

    def deploy(
        self,
        artifact: Artifact,
        arguments: bytes = b"",
        libraries: dict[str, Address] | None = None,
    ) -> Address:
        """The address of a new contract; raises as `execute` does."""
        receipt = self.send(None, artifact.linked(libraries or {}) + arguments)
        return address(receipt["contractAddress"])

    def send(self, target: Address | None, data: bytes, *, value_wei: int = 0) -> dict[str, Any]:
        """The receipt of one transaction; raises as `execute` does."""
        request = {
            "from": self.account,
            "data": f"0x{data.hex()}",
            "gas": hex(_GAS),
            "value": hex(value_wei),
        }
        if target is not None:
            request["to"] = target
        tx_hash: str = self._rpc.call("eth_sendTransaction", request)
        receipt = self._mined(tx_hash)
        if receipt["status"] != "0x1":
            raise Broken(
                "devnet.reverted", f"the devnet's own transaction {tx_hash} reverted", to=target
            )
        return receipt

    def _mined(self, tx_hash: str) -> dict[str, Any]:
        deadline = time.monotonic() + _MINED_SECONDS
        while True:
            receipt: dict[str, Any] | None = self._rpc.call("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return receipt
            if time.monotonic() > deadline:
                raise Ambiguous(
                    "devnet.not_mined",
                    f"{tx_hash} is not mined after {_MINED_SECONDS:.0f} s: the devnet mines on "
                    "demand or is stuck; run `holdfast devnet mine 1`",
                )
            time.sleep(_POLL_SECONDS)
