"""What the chain loop needs: the chain, durable rows, a leader's lock, a word when rows come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from holdfast.chain.receipts import Block, Head, MinedTransaction
    from holdfast.chain.sending import SendAnswer
    from holdfast.common.db import Session
    from holdfast.common.evm import Address, BlockRef, Receipt, TxHash
    from holdfast.common.ids import DealId
    from holdfast.transactions.model import (
        Attempt,
        Intent,
        Place,
        Progress,
        Send,
        StatusChange,
    )
    from holdfast.transactions.unmined import Orphan, Unmined


class Network(Protocol):
    """One chain, read block by block and sent to.

    Every reading method raises `Transient` when the chain does not answer.
    """

    async def head(self) -> Head:
        """The newest block."""
        ...

    async def recheck(self) -> None:
        """Compare the nodes with each other now; those that disagree are asked no more."""
        ...

    async def block(self, number: int) -> Head:
        """The canonical block `number`; `chain.block_missing` when there is none."""
        ...

    async def blocks(self, first: int, last: int) -> Sequence[Block]:
        """The canonical blocks from `first` to `last`, both included, in order."""
        ...

    async def nonces(self, accounts: Sequence[Address], at: BlockRef) -> Mapping[Address, int]:
        """How many transactions of each account were mined up to and including block `at`."""
        ...

    async def transactions(self, at: BlockRef) -> Sequence[MinedTransaction]:
        """Every transaction in the block `at`, whoever sent it."""
        ...

    async def find_receipts(self, hashes: Sequence[TxHash]) -> Sequence[Receipt]:
        """The receipts of those transactions that are mined."""
        ...

    async def suggest_tip_wei(self) -> int:
        """The tip that gets a transaction mined soon; on a legacy chain the whole gas price."""
        ...

    async def send_raw(self, transactions: Sequence[bytes]) -> Sequence[SendAnswer]:
        """Broadcast signed bytes in one batch; one answer each, never an exception for silence."""
        ...


class Journal(Protocol):
    """The durable side of the loop; each call is one transaction."""

    async def place(self) -> Place | None:
        """The last block whose receipts are all written; None before the first."""
        ...

    async def live(self) -> list[Intent]:
        """Every intent that is not final, in nonce order per sender."""
        ...

    async def to_act_on(self) -> list[Intent]:
        """The live intents with unsent bytes or a cancellation asked for, in the same order."""
        ...

    async def sent(self, sends: Sequence[Send]) -> None:
        """Note what was broadcast."""
        ...

    async def advance(self, progress: Progress) -> None:
        """Write receipts, statuses and place, and wake the deals whose groups are final."""
        ...

    async def add_attempt(self, intent: Intent, attempt: Attempt) -> bool:
        """Write a further attempt of a live intent; False when another loop was faster."""
        ...

    async def fill(self, intent: Intent) -> bool:
        """Write a no-op's intent; False when its nonce has an intent, live or final, already."""
        ...

    async def mined_above(self, number: int) -> Sequence[Place]:
        """The blocks above `number` that decided about intents, final or not."""
        ...

    async def mined_above_finality(self, followed: int) -> Sequence[Place]:
        """The same for the blocks that a reorg may still reach when `followed` is the newest."""
        ...

    async def unmine(self, gone: Sequence[Place], followed: int) -> Unmined:
        """Take back what those blocks decided, which the chain no longer has.

        `followed` is the newest block that was followed before: it tells what was final.
        """
        ...


class Reorgs(Protocol):
    """Who acts on intents that were final, inside the journal's transaction."""

    @property
    def finality(self) -> int:
        """How many blocks, its own included, must hold what no reorg is expected to take back."""
        ...

    async def reopened(self, session: Session, orphans: Sequence[Orphan]) -> None:
        """They are under way again: take back what was concluded from them."""
        ...

    async def lost(self, session: Session, orphans: Sequence[Orphan]) -> None:
        """They were deeper than any reorg was expected to reach: stop, and tell somebody."""
        ...


class Waker(Protocol):
    """Wakes what waits for outcomes."""

    async def wake(self, session: Session, *deals: DealId) -> None:
        """Have the deals advanced once the transaction of `session` commits."""
        ...


class Announcements(Protocol):
    """Tells that intents may have been recorded; a lost word costs the timeout, nothing else."""

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Whether word came, at the latest after the timeout."""
        ...


class Lease(Protocol):
    """The proof that we lead, asked for before each broadcast and inside each write."""

    def require(self) -> object:
        """Return while we certainly lead; raises `Transient` otherwise, and nothing was done."""
        ...

    async def fence(self, session: Session) -> None:
        """Return when `session` may write, and no newer leader begins before it ends.

        Raises `Transient` otherwise.
        """
        ...


class Heads(Protocol):
    """Tells of new blocks as they come; a lost word costs the next look's pause, nothing else."""

    async def follow(self, notice: Callable[[], None]) -> None:
        """Call `notice` whenever there may be a new block; runs until cancelled."""
        ...


class Leadership(Protocol):
    """One leader per chain."""

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait to become leader, then do `work`; raises `Transient` when the lead is lost."""
        ...


class DealRows(Protocol):
    """The rows under whose lock a deal's record is continued."""

    async def lock_row(self, session: Session, deal_id: DealId) -> None:
        """Take the deal's row until the transaction ends; it is never held for long."""
        ...


class Outcomes(Protocol):
    """Where outcomes are written."""

    async def change(self, session: Session, changes: Sequence[StatusChange]) -> None:
        """Write statuses, and wake the deals whose groups are final."""
        ...
