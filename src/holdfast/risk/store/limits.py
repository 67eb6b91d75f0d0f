"""Statements over dynamic limits: the state of each chain, and every change of its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from holdfast.common.append_only import append_only
from holdfast.common.db import Json, Units, block_columns, metadata, stamp, stamps
from holdfast.common.money import Bps, Usd8
from holdfast.risk.dynamic import Cause, LimitState
from holdfast.risk.volatility import Volatility

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from holdfast.common.db import Session
    from holdfast.common.evm import BlockRef
    from holdfast.common.ids import ChainId

risk_limits = Table(
    "risk_limits",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("scale_bps", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("score", Integer, nullable=False),
    Column("variance_wad", Units, nullable=False),
    Column("price_day", Integer, nullable=False),
    Column("base_usd8", Units, nullable=False),
    Column("last_usd8", Units, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("better_since", BigInteger),
    Column("least_bps", Integer, nullable=False),
    Column("settings", Json, nullable=False),
    *stamps(),
    CheckConstraint("scale_bps BETWEEN 0 AND 10000", "scale"),
)

risk_limit_changes = Table(
    "risk_limit_changes",
    metadata,
    Column("change_id", BigInteger, Identity(), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    *block_columns(),
    Column("before_bps", Integer, nullable=False),
    Column("after_bps", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("score", Integer, nullable=False),
    Column("volatility_bps", Integer, nullable=False),
    stamp("created_at"),
    Index(None, "chain_id", "change_id"),
)

TRIGGERS: tuple[str, ...] = append_only("risk_limit_changes")
"""Statements for the migration that creates the tables."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A chain's state, and the lending venue's settings as they were last read."""

    state: LimitState
    settings: dict[str, int]


@dataclass(frozen=True, slots=True)
class ScaleChange:
    """One change of the scale, at a block."""

    at: BlockRef
    before: Bps
    after: Bps
    state: LimitState


async def load(session: Session, chain_id: ChainId) -> Kept | None:
    """The chain's state; None before its first reading."""
    query = select(risk_limits).where(risk_limits.c.chain_id == chain_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _kept(row)


async def unseen_seconds(session: Session, chain_id: ChainId) -> int:
    """How long ago the market of the chain was read; 0 before its first reading."""
    age = func.extract("epoch", func.clock_timestamp() - risk_limits.c.updated_at)
    query = select(age).where(risk_limits.c.chain_id == chain_id)
    return max(0, int((await session.scalars(query)).one_or_none() or 0))


async def watched_since(session: Session, chain_id: ChainId) -> datetime | None:
    """When the market of the chain was first read; None before."""
    query = select(risk_limits.c.created_at).where(risk_limits.c.chain_id == chain_id)
    return (await session.scalars(query)).one_or_none()


async def load_locked(session: Session, chain_id: ChainId) -> Kept | None:
    """The same, its row taken until the transaction ends."""
    query = select(risk_limits).where(risk_limits.c.chain_id == chain_id).with_for_update()
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _kept(row)


async def save(session: Session, chain_id: ChainId, kept: Kept) -> None:
    """Write the chain's state."""
    row = _row(kept)
    new = upsert(risk_limits).values(chain_id=chain_id, **row)
    changed = {**row, "updated_at": func.now(), "version": risk_limits.c.version + 1}
    await session.execute(new.on_conflict_do_update(index_elements=["chain_id"], set_=changed))


async def record(session: Session, chain_id: ChainId, change: ScaleChange) -> None:
    """Write down a change of the scale; it is never changed again."""
    row = {
        "chain_id": chain_id,
        "block_number": change.at.number,
        "block_hash": change.at.hash,
        "block_timestamp": change.at.timestamp,
        "before_bps": change.before,
        "after_bps": change.after,
        "cause": str(change.state.cause),
        "score": change.state.score,
        "volatility_bps": change.state.volatility.yearly,
    }
    await session.execute(insert(risk_limit_changes).values(row))


async def newest_changes(
    session: Session, chain_id: ChainId, limit: int
) -> Sequence[dict[str, Any]]:
    """The last changes of the scale, newest first, as they are stored."""
    table = risk_limit_changes
    query = (
        select(table)
        .where(table.c.chain_id == chain_id)
        .order_by(table.c.change_id.desc())
        .limit(limit)
    )
    return [dict(row) for row in (await session.execute(query)).mappings()]


def _row(kept: Kept) -> dict[str, Any]:
    state, volatility = kept.state, kept.state.volatility
    return {
        "scale_bps": state.scale,
        "cause": str(state.cause),
        "score": state.score,
        "variance_wad": volatility.variance_wad,
        "price_day": volatility.day,
        "base_usd8": volatility.base,
        "last_usd8": volatility.last,
        "changed_at": state.changed_at,
        "seen_at": state.seen_at,
        "better_since": state.better_since,
        "least_bps": state.least,
        # As text: a rate in RAY is more than a JSON number keeps in other hands.
        "settings": {name: str(value) for name, value in kept.settings.items()},
    }


def _kept(row: Row[Any]) -> Kept:
    state = LimitState(
        scale=Bps(row.scale_bps),
        cause=Cause(row.cause),
        volatility=Volatility(
            variance_wad=row.variance_wad,
            day=row.price_day,
            base=Usd8(row.base_usd8),
            last=Usd8(row.last_usd8),
        ),
        score=row.score,
        changed_at=row.changed_at,
        seen_at=row.seen_at,
        better_since=row.better_since,
        least=Bps(row.least_bps),
    )
    return Kept(state, {name: int(value) for name, value in row.settings.items()})
