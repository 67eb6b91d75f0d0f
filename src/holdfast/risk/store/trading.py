"""The trading states that are set, and the one row that whoever records legs holds meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from holdfast.common.db import listed, metadata
from holdfast.risk.trading import Setting, Source, TradingState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from holdfast.common.db import Session
    from holdfast.risk.trading import Scope

trading_states = Table(
    "trading_states",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    CheckConstraint(f"state IN ({listed(TradingState)})", name="state"),
    CheckConstraint(f"source IN ({listed(Source)})", name="source"),
)

_LOCK: Final = 0x_C0FFEE_5717
_HOLD: Final = select(func.pg_advisory_xact_lock_shared(_LOCK))
_TAKE: Final = select(func.pg_advisory_xact_lock(_LOCK))


async def hold(session: Session) -> None:
    """Have no state change until the transaction ends; others may hold it at once.

    Every change takes the same lock, whatever its scope: what is read after this cannot change
    before the transaction's legs are committed. The lock is served in turn, as a row's is not:
    whoever wants to change a state waits for those that hold it, never for later ones.
    Source: PostgreSQL, Explicit Locking; lock waits queue.
    """
    await session.execute(_HOLD)


async def take(session: Session) -> None:
    """Wait for whoever holds the states, and have nobody else hold or change them."""
    await session.execute(_TAKE)


async def settings(session: Session, scopes: Sequence[Scope] | None = None) -> list[Setting]:
    """What is set for `scopes`, or all there is, by scope."""
    query = select(trading_states).order_by(trading_states.c.scope, trading_states.c.source)
    if scopes is not None:
        query = query.where(trading_states.c.scope.in_([scope.name for scope in scopes]))
    return [_setting(row) for row in await session.execute(query)]


async def put(session: Session, setting: Setting) -> None:
    """Write a setting over the one that its source had for its scope."""
    row = {
        "scope": setting.scope,
        "source": str(setting.source),
        "state": str(setting.state),
        "reason": setting.reason,
        "set_by": setting.set_by,
        "since": setting.since,
        "seen_at": setting.seen_at,
    }
    written = insert(trading_states).values(row)
    await session.execute(
        written.on_conflict_do_update(
            index_elements=["scope", "source"],
            set_={**row, "version": trading_states.c.version + 1},
        )
    )


async def note_seen(session: Session, setting: Setting, now: datetime) -> None:
    """The cause of `setting` is still there; no state changes."""
    await session.execute(
        update(trading_states)
        .where(
            trading_states.c.scope == setting.scope,
            trading_states.c.source == str(setting.source),
        )
        .values(seen_at=func.greatest(trading_states.c.seen_at, now))
    )


def _setting(row: Row[Any]) -> Setting:
    return Setting(
        scope=row.scope,
        source=Source(row.source),
        state=TradingState(row.state),
        reason=row.reason,
        set_by=row.set_by,
        since=row.since,
        seen_at=row.seen_at,
    )
