"""Statements over chores: put, take, end, postpone, give up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, delete, func, select, text, update

from holdfast.monitoring.model import Attempt, Chore, ChoreState
from holdfast.monitoring.store.tables import chores

if TYPE_CHECKING:
    from holdfast.common.db import Session

_PUT = text("""
    INSERT INTO chores (kind, subject, state) VALUES (:kind, :subject, 'pending')
    ON CONFLICT (kind, subject) DO UPDATE SET
      state = 'pending', attempts = 0, next_at = now(), error = NULL, updated_at = now()
""")
_DUE = text("""
    SELECT attempts FROM chores
    WHERE kind = :kind AND subject = :subject AND state = 'pending' AND next_at <= now()
    FOR UPDATE
""")
_TAKE = text("""
    UPDATE chores SET attempts = attempts + 1, updated_at = now(),
      next_at = now() + make_interval(secs => :pause)
    WHERE kind = :kind AND subject = :subject
    RETURNING attempts, next_at
""")
_OVERDUE = text("""
    SELECT kind, subject FROM chores
    WHERE state = 'pending' AND next_at < now() - make_interval(secs => :late)
    ORDER BY next_at LIMIT :most
""")
_IS_IT = (chores.c.kind == bindparam("of_kind")) & (chores.c.subject == bindparam("of_subject"))
# An attempt is known by when the next one is due: what was asked for again meanwhile stays.
_IS_THIS_ATTEMPT = _IS_IT & (chores.c.next_at == bindparam("again_at"))
_ONE = select(chores).where(_IS_IT)
_DONE = delete(chores).where(_IS_THIS_ATTEMPT)
_FAILED = update(chores).where(_IS_THIS_ATTEMPT).returning(chores.c.kind)
_GIVEN_UP = update(chores).where(_IS_IT).values(state=str(ChoreState.FAILED))


async def count(session: Session) -> dict[ChoreState, int]:
    """How many chores are in each state; none in a state is no key."""
    query = select(chores.c.state, func.count()).group_by(chores.c.state)
    return {ChoreState(state): count for state, count in await session.execute(query)}


async def put(session: Session, kind: str, subject: str) -> None:
    """Have the chore done from the beginning, whether or not it was there."""
    await session.execute(_PUT, {"kind": kind, "subject": subject})


async def due(session: Session, kind: str, subject: str) -> int | None:
    """How often the chore was tried, its row taken; None when it is not to be done now."""
    row = (await session.execute(_DUE, {"kind": kind, "subject": subject})).one_or_none()
    return None if row is None else int(row.attempts)


async def take(session: Session, kind: str, subject: str, pause_seconds: float) -> Attempt:
    """Count an attempt; the chore is due again after the pause unless it ends before."""
    values = {"kind": kind, "subject": subject, "pause": pause_seconds}
    row = (await session.execute(_TAKE, values)).one()
    return Attempt(kind, subject, row.attempts, row.next_at)


async def end(session: Session, attempt: Attempt) -> None:
    """The chore is done."""
    await session.execute(_DONE, _attempt_key(attempt))


async def fail(session: Session, attempt: Attempt, error: str, state: ChoreState) -> bool:
    """The attempt failed; False when the chore was asked for again meanwhile."""
    values = {"state": str(state), "error": error}
    return (
        await session.execute(_FAILED.values(values), _attempt_key(attempt))
    ).one_or_none() is not None


async def give_up(session: Session, kind: str, subject: str) -> None:
    """Keep the chore as failed, with the last error known."""
    await session.execute(_GIVEN_UP, _key(kind, subject))


async def find(session: Session, kind: str, subject: str) -> Chore | None:
    """One chore; None when there is none, or it is done."""
    row = (await session.execute(_ONE, _key(kind, subject))).one_or_none()
    return None if row is None else _chore(row)


async def listed(session: Session, limit: int) -> list[Chore]:
    """What is left to do, given-up chores first, the oldest of each first."""
    query = select(chores).order_by(chores.c.state, chores.c.created_at).limit(limit)
    return [_chore(row) for row in await session.execute(query)]


async def overdue(session: Session, late_seconds: float, limit: int) -> list[tuple[str, str]]:
    """Chores that nobody took in time, by kind and subject."""
    rows = await session.execute(_OVERDUE, {"late": late_seconds, "most": limit})
    return [(row.kind, row.subject) for row in rows]


def _key(kind: str, subject: str) -> dict[str, str]:
    return {"of_kind": kind, "of_subject": subject}


def _attempt_key(attempt: Attempt) -> dict[str, Any]:
    return {**_key(attempt.kind, attempt.subject), "again_at": attempt.again_at}


def _chore(row: Row[Any]) -> Chore:
    return Chore(
        kind=row.kind,
        subject=row.subject,
        state=ChoreState(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        error=row.error,
        created_at=row.created_at,
    )
