"""Pinning a request to one block by its hash, and what it means when that fails.

Source: EIP-1898.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.chain.endpoint import INVALID_PARAMS, METHOD_NOT_FOUND, Fault
from holdfast.chain.rpc import fault_error
from holdfast.common.errors import HoldfastError, Transient

if TYPE_CHECKING:
    from holdfast.common.evm import BlockRef

_NOT_SERVED = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS})


class OtherBlock(Transient):
    """The node answered from another block than it was asked for; nothing was done."""

    def __init__(self, at: BlockRef, timestamp: int) -> None:
        super().__init__(
            "chain.other_block",
            f"a read at block {at.number} ({at.hash}) was answered from one of another time",
            asked=at.timestamp,
            answered=timestamp,
        )


def pinned(at: BlockRef) -> dict[str, str | bool]:
    """The block parameter that names `at` by hash and refuses a block that was reorged away."""
    return {"blockHash": at.hash, "requireCanonical": True}


def pinned_error(method: str, fault: Fault, at: BlockRef) -> HoldfastError:
    """The error of a pinned request: a reorg or a lagging node, unless it fails at any block.

    Clients word a missing block in many ways ("Resource not found", "header for hash not found",
    "hash is not currently canonical"), so everything that could be one is taken for one.
    """
    if fault.is_revert or fault.code in _NOT_SERVED:
        return fault_error(method, fault)
    return Transient(
        "chain.block_gone",
        f"{method} at block {at.number} ({at.hash}) failed: {fault.message}",
        fault_code=fault.code,
        block=at.number,
    )
