"""What the chain loop needs from the chain, the queue and the database's signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from holdfast.chain.receipts import Block, Head
    from holdfast.chain.sending import SendAnswer
    from holdfast.common.db import Session
    from holdfast.common.evm import Address, BlockRef, Receipt, TxHash
    from holdfast.common.ids import DealId


class Network(Protocol):
    """One chain, read block by block and sent to.

    Every reading method raises `Transient` when the chain does not answer.
    """

    async def head(self) -> Head:
        """The newest block."""
        ...

    async def block(self, number: int) -> Head:
        """The canonical block `number`."""
        ...

    async def blocks(self, first: int, last: int) -> Sequence[Block]:
        """The canonical blocks from `first` to `last`, both included, in order."""
        ...

    async def nonces(self, addresses: Sequence[Address], at: BlockRef) -> Mapping[Address, int]:
        """How many transactions each account had sent up to and including block `at`."""
        ...

    async def find_receipts(self, hashes: Sequence[TxHash]) -> Mapping[TxHash, Receipt]:
        """The receipts of those transactions that the chain has mined."""
        ...

    async def suggest_tip_wei(self) -> int:
        """The tip that gets a transaction mined soon; on a legacy chain the whole gas price."""
        ...

    async def send_raw(self, transactions: Sequence[bytes]) -> Sequence[SendAnswer]:
        """Broadcast signed bytes in one batch; one answer each, never an exception for silence."""
        ...


class Waker(Protocol):
    """Wakes what waits for outcomes."""

    async def wake(self, session: Session, deal_id: DealId) -> None:
        """Have the deal advanced once the transaction of `session` commits."""
        ...


class Announcements(Protocol):
    """Tells that intents may have been recorded; a lost call costs the timeout, nothing else."""

    async def wait(self, timeout_seconds: float) -> None:
        """Return when something was announced, at the latest after the timeout."""
        ...


class Leadership(Protocol):
    """One leader per chain."""

    def lead(self) -> AbstractAsyncContextManager[None]:
        """Wait to become leader; leader inside the block."""
        ...

    async def confirm(self) -> None:
        """Return while still leader; raises `Broken` once that can no longer be told."""
        ...
