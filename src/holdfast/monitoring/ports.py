"""What monitoring needs: a word to the workers, somewhere to send alerts, and the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from holdfast.chain.logs import LogFilter, LogPage, MinedLog
    from holdfast.chain.receipts import Head
    from holdfast.common.alerts import Severity
    from holdfast.common.db import Session
    from holdfast.common.evm import Address, BlockRef, TxHash
    from holdfast.common.ids import ChainId
    from holdfast.monitoring.records import KeptAlert
    from holdfast.transactions.model import Cause


class ChoreBell(Protocol):
    """Tells the workers that there is a chore; a lost word costs the time to the next look."""

    async def ring(
        self, session: Session, kind: str, subject: str, *, at: datetime | None = None
    ) -> None:
        """Have the chore done, now or at `at`, if and only if `session` commits."""
        ...


class Target(Protocol):
    """One place that alerts go to."""

    @property
    def name(self) -> str:
        """What it is known by between restarts; tells nothing about how to reach it."""
        ...

    @property
    def least(self) -> Severity:
        """The least severity that it wants to hear of."""
        ...

    async def send(self, alert: KeptAlert) -> None:
        """Hand the alert over.

        Raises:
            Transient: `alert.undelivered`; the target did not take it, or did not say so.
        """
        ...


class Chain(Protocol):
    """One chain, read with its logs; every method raises `Transient` when it does not answer."""

    async def head(self) -> Head:
        """The newest block."""
        ...

    async def heads(self, numbers: Sequence[int]) -> Sequence[Head]:
        """The canonical blocks with these numbers."""
        ...

    async def logs(self, first: int, last: int, filters: Sequence[LogFilter]) -> LogPage:
        """The blocks from `first` to `last` with their logs, all of one history."""
        ...

    async def span(
        self, first: int, last: int, filters: Sequence[LogFilter]
    ) -> tuple[Head, Sequence[MinedLog]]:
        """The logs from block `first` to `last`, and the head that `last` had meanwhile."""
        ...

    async def native_balances(
        self, accounts: Sequence[Address], at: BlockRef
    ) -> Mapping[Address, int]:
        """The native balance of each account at block `at`, in wei."""
        ...

    async def nonces(self, accounts: Sequence[Address], at: BlockRef) -> Mapping[Address, int]:
        """How many transactions of each account were mined up to and including block `at`."""
        ...


class OwnTransactions(Protocol):
    """What we signed, sent or not; read in the caller's transaction."""

    async def causes(self, session: Session, hashes: Collection[TxHash]) -> Mapping[TxHash, Cause]:
        """What those of the transactions were for that are ours."""
        ...

    async def next_nonces(
        self, session: Session, chain_id: ChainId, addresses: Collection[Address]
    ) -> Mapping[Address, int]:
        """The nonce after the last given out, of those addresses that we ever signed for."""
        ...


class Leadership(Protocol):
    """One leader among all workers."""

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait to become leader, then do `work`; raises `Transient` when the lead is lost."""
        ...
