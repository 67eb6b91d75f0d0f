"""Work that failed or was put off: kept as rows, tried again with growing pauses, never waited for.

The rows are the truth; the job engine only tells when to look. An attempt is counted and its next
time set before it starts, so a chore that kills its worker is not tried for ever, and one whose
worker died is due again by itself.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from holdfast.common.boundary import unobserved
from holdfast.common.errors import Broken, HoldfastError
from holdfast.monitoring.errors import ChoreNotFound
from holdfast.monitoring.model import ChoreState, Patience
from holdfast.monitoring.store import chores as store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from holdfast.common.boundary import Boundary
    from holdfast.common.db import Database, Session
    from holdfast.monitoring.model import Attempt, Chore
    from holdfast.monitoring.ports import AttemptBook, ChoreBell, ChoreBook

Work: TypeAlias = "Callable[[str], Awaitable[None]]"
"""Does one chore, given its subject; it may be done again, whole or in part."""

_LATE_SECONDS: Final = 30.0  # a chore this much overdue has lost its job
_BATCH: Final = 200

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chores:
    """What is left to do."""

    bell: ChoreBell
    book: ChoreBook = store

    async def later(self, session: Session, kind: str, subject: str) -> None:
        """Have it done once `session` commits; asked again, it starts from the beginning."""
        await self.book.put(session, kind, subject)
        await self.bell.ring(session, kind, subject)

    async def listed(self, session: Session, limit: int = 100) -> list[Chore]:
        """What is left to do, given-up chores first."""
        return await self.book.listed(session, limit)

    async def retry(self, session: Session, kind: str, subject: str) -> Chore:
        """Do a waiting or given-up chore now; returns it as it was.

        Raises:
            Rejected: `chore.not_found`.
        """
        known = await self.book.find(session, kind, subject)
        if known is None:
            raise ChoreNotFound(kind, subject)
        await self.later(session, kind, subject)
        return known


@dataclass(frozen=True, slots=True)
class ChoreRunner:
    """Does chores as the job engine calls for them."""

    db: Database
    bell: ChoreBell
    work: Mapping[str, Work]
    patience: Patience = field(default_factory=Patience)
    at: Boundary = unobserved
    book: AttemptBook = store

    async def do(self, kind: str, subject: str) -> None:
        """Make one attempt, if the chore is due.

        Raises:
            Transient: the database did not answer; the chore stays as it was.
        """
        attempt = await self._taken(kind, subject)
        if attempt is None:
            return
        self.at("chore.taken")
        try:
            await self._work(kind)(subject)
        except HoldfastError as error:
            await self._failed(attempt, error)
            return
        self.at("chore.done")
        async with self.db.begin() as session:
            await self.book.end(session, attempt)

    async def sweep(self) -> None:
        """Ring for what is overdue: its job was lost, or its worker."""
        async with self.db.begin() as session:
            for kind, subject in await self.book.overdue(session, _LATE_SECONDS, _BATCH):
                await self.bell.ring(session, kind, subject)

    async def _taken(self, kind: str, subject: str) -> Attempt | None:
        async with self.db.begin() as session:
            tried = await self.book.due(session, kind, subject)
            if tried is None:
                return None  # done, given up, or another worker has it
            if tried >= self.patience.attempts:
                await self.book.give_up(session, kind, subject)  # the last attempt never came back
                return None
            pause = self.patience.pause_seconds(tried + 1, secrets.SystemRandom().random())
            return await self.book.take(session, kind, subject, pause)

    def _work(self, kind: str) -> Work:
        work = self.work.get(kind)
        if work is None:
            raise Broken("chore.unknown", f"this version does not know the chore {kind!r}")
        return work

    async def _failed(self, attempt: Attempt, error: HoldfastError) -> None:
        is_last = attempt.number >= self.patience.attempts
        state = ChoreState.FAILED if is_last else ChoreState.PENDING
        kind, subject = attempt.kind, attempt.subject
        async with self.db.begin() as session:
            is_ours = await self.book.fail(session, attempt, error.message, state)
            if is_ours and not is_last:
                await self.bell.ring(session, kind, subject, at=attempt.again_at)
        event = "chore.given_up" if is_last else "chore.postponed"
        _log.warning(
            event, kind=kind, subject=subject, attempt=attempt.number, error=error.as_dict()
        )
