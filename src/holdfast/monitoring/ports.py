"""What monitoring needs: its books, a word to the workers, where alerts go, and the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from holdfast.audit.model import Act, Link
    from holdfast.chain.logs import LogFilter, LogPage, MinedLog
    from holdfast.chain.receipts import Head
    from holdfast.common.alerts import Alert, Ended, Severity
    from holdfast.common.db import Session
    from holdfast.common.evm import Address, BlockHash, BlockRef, TxHash
    from holdfast.common.ids import ChainId, DealId, PrincipalId
    from holdfast.monitoring.events import AccountEvent, Watched
    from holdfast.monitoring.model import Attempt, Chore, ChoreState
    from holdfast.monitoring.records import KeptAlert
    from holdfast.transactions.model import Cause, Place


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


class AlertBook(Protocol):
    """The alerts that were raised, read and written in the caller's transaction."""

    async def put(self, session: Session, alert: Alert) -> int | None:
        """Record the alert; its id when it is to be delivered, None when it is asked for."""
        ...

    async def load(self, session: Session, alert_id: int) -> KeptAlert | None:
        """One alert; None when there is none."""
        ...

    async def recent(self, session: Session, *, with_closed: bool, limit: int) -> list[KeptAlert]:
        """The alerts that came last, those that are open or all."""
        ...

    async def acknowledge(self, session: Session, alert_id: int, by: PrincipalId) -> bool:
        """Close the alert; whether it was open."""
        ...

    async def resolve(self, session: Session, ended: Ended) -> None:
        """Close the open alerts whose cause ended."""
        ...


class DealRows(Protocol):
    """The rows of deals, which lock their audit records too."""

    async def lock_row(self, session: Session, deal_id: DealId) -> None:
        """Take the deal's row until the transaction ends."""
        ...


class AuditTail(Protocol):
    """Where acts are recorded."""

    async def lock_desk(self, session: Session) -> None:
        """Take the record of what is about no deal until the transaction ends."""
        ...

    async def record(self, session: Session, first: Act) -> Link:
        """Append the act to its record, which is locked; the record's new end."""
        ...


class DeliveryBook(Protocol):
    """The alerts as their delivery sees them."""

    async def load(self, session: Session, alert_id: int) -> KeptAlert | None:
        """One alert; None when there is none."""
        ...

    async def note_reached(
        self, session: Session, alert: KeptAlert, reached: Collection[str], *, is_all: bool
    ) -> None:
        """Write down which targets have `alert` as it is, and whether these are all."""
        ...


class ChoreBook(Protocol):
    """What is left to do, as those see it who ask for it."""

    async def put(self, session: Session, kind: str, subject: str) -> None:
        """Have the chore done from the beginning, whether or not it was there."""
        ...

    async def find(self, session: Session, kind: str, subject: str) -> Chore | None:
        """One chore; None when there is none, or it is done."""
        ...

    async def listed(self, session: Session, limit: int) -> list[Chore]:
        """What is left to do, given-up chores first, the oldest of each first."""
        ...


class AttemptBook(Protocol):
    """The same as those see it who do it."""

    async def due(self, session: Session, kind: str, subject: str) -> int | None:
        """How often the chore was tried, its row taken; None when it is not to be done now."""
        ...

    async def take(
        self, session: Session, kind: str, subject: str, pause_seconds: float
    ) -> Attempt:
        """Count an attempt; the chore is due again after the pause unless it ends before."""
        ...

    async def end(self, session: Session, attempt: Attempt) -> None:
        """The chore is done."""
        ...

    async def fail(self, session: Session, attempt: Attempt, error: str, state: ChoreState) -> bool:
        """The attempt failed; False when the chore was asked for again meanwhile."""
        ...

    async def give_up(self, session: Session, kind: str, subject: str) -> None:
        """Keep the chore as failed, with the last error known."""
        ...

    async def overdue(
        self, session: Session, late_seconds: float, limit: int
    ) -> list[tuple[str, str]]:
        """Chores that nobody took in time, by kind and subject."""
        ...


class EventBook(Protocol):
    """The cursor, the blocks behind it and the events found, written together."""

    async def move(self, session: Session, chain_id: ChainId, before: Place, after: Place) -> bool:
        """Move the cursor; False when it does not stand at `before`, and nothing was done."""
        ...

    async def remember(
        self, session: Session, chain_id: ChainId, blocks: Mapping[int, BlockHash], *, keep: int
    ) -> None:
        """Add blocks that were followed, and forget all but the last `keep`."""
        ...

    async def orphan(self, session: Session, chain_id: ChainId, fork: Place) -> int:
        """Mark the events above the fork and forget the blocks; returns how many events."""
        ...

    async def add(
        self, session: Session, chain_id: ChainId, events: Sequence[AccountEvent]
    ) -> list[AccountEvent]:
        """Write the events, each once whatever is read again; returns those that are new."""
        ...


class AccountBook(Protocol):
    """The accounts that are watched, and their ether."""

    async def add(self, session: Session, chain_id: ChainId, accounts: Sequence[Watched]) -> None:
        """Watch these accounts from now on."""
        ...

    async def note_balances(
        self, session: Session, chain_id: ChainId, changed: Mapping[Address, int]
    ) -> None:
        """Write down what accounts hold now."""
        ...


class Heads(Protocol):
    """Tells the newest block."""

    async def head(self) -> Head:
        """The newest block; `Transient` when the chain does not answer."""
        ...
