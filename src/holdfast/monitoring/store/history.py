"""Statements over the monitor's ticks: write, read back, thin out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on

from holdfast.common.evm import BlockHash, BlockRef
from holdfast.common.ids import ChainId
from holdfast.monitoring.store.tables import risk_ticks
from holdfast.monitoring.ticks import COLUMNS, FORMAT, Tick, pack, unpack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from holdfast.common.db import Session

_AGE = text("""
    SELECT CAST(extract(epoch FROM clock_timestamp() - created_at) AS float8) FROM risk_ticks
    WHERE chain_id = :chain ORDER BY created_at DESC LIMIT 1
""")
_PAGE: Final = 100_000
_IN_MEMORY: Final = 20  # ticks of a large book, half a megabyte each


async def write(session: Session, tick: Tick, *, is_kept: bool) -> None:
    """Add a tick; one that `is_kept` stays when those around it are thinned out."""
    row = {
        "chain_id": tick.chain_id,
        "block_number": tick.at.number,
        "block_hash": tick.at.hash,
        "block_timestamp": tick.at.timestamp,
        "taken_at": tick.taken_at,
        "took_micros": round(tick.seconds * 1_000_000),
        "is_kept": is_kept,
        "market": dict(tick.market),
        "deals": tick.count,
        "format": FORMAT,
        "columns": pack(tick.deals),
    }
    await session.execute(insert(risk_ticks).values(row))


async def newest(session: Session, chain_id: ChainId) -> Tick:
    """The last tick of a chain that has some."""
    table = risk_ticks.c
    query = select(risk_ticks).where(table.chain_id == chain_id)
    row = (await session.execute(query.order_by(table.created_at.desc()).limit(1))).one()
    return _tick(row)


async def covers(session: Session, chain_id: ChainId) -> dict[int, int]:
    """The debt cover of each deal at the last tick, times 10,000, by its number; none without one.

    Ticks in a format of a later version are passed over.
    """
    table = risk_ticks.c
    query = select(table.columns, table.format).where(
        table.chain_id == chain_id, table.format.in_(COLUMNS)
    )
    row = (await session.execute(query.order_by(table.created_at.desc()).limit(1))).one_or_none()
    if row is None:
        return {}
    deals = unpack(row.columns, row.format)
    return dict(zip(deals["number"], deals["cover_bps"], strict=True))


async def chains(session: Session) -> list[ChainId]:
    """The chains that have ticks."""
    query = select(risk_ticks.c.chain_id).distinct().order_by(risk_ticks.c.chain_id)
    return [ChainId(chain_id) for chain_id in (await session.execute(query)).scalars()]


async def age_seconds(session: Session, chain_id: ChainId) -> float | None:
    """How long ago, by the database's clock, the newest tick was written; None without any."""
    found: float | None = (await session.execute(_AGE, {"chain": chain_id})).scalar()
    return found


async def between(
    session: Session,
    chain_id: ChainId,
    since: datetime,
    until: datetime,
    *,
    only_kept: bool = False,
) -> list[Tick]:
    """The ticks taken from `since` on and before `until`, oldest first.

    `only_kept` takes one every five minutes, which is all that is left after two days.
    """
    table = risk_ticks.c
    query = select(risk_ticks).where(
        table.chain_id == chain_id, table.taken_at >= since, table.taken_at < until
    )
    if only_kept:
        query = query.where(table.is_kept)
    rows = await session.execute(query.order_by(table.taken_at).limit(_PAGE))
    return [_tick(row) for row in rows]


async def marks(session: Session, since: datetime, until: datetime) -> int:
    """How many rows of deals the kept ticks of that time have, all chains together."""
    table = risk_ticks.c
    query = select(func.coalesce(func.sum(table.deals), 0)).where(*_kept(since, until))
    return int((await session.execute(query)).scalar_one())


async def sampled(
    session: Session, since: datetime, until: datetime, *, seconds: int
) -> AsyncIterator[Tick]:
    """Of the kept ticks the first in each stretch of `seconds`, by chain, then oldest first."""
    table = risk_ticks.c
    slot = func.floor(func.extract("epoch", table.taken_at) / seconds)
    query = (
        select(risk_ticks)
        .where(*_kept(since, until))
        .ext(distinct_on(table.chain_id, slot))
        .order_by(table.chain_id, slot, table.taken_at)
    )
    found = await session.stream(query, execution_options={"max_row_buffer": _IN_MEMORY})
    async for row in found:
        yield _tick(row)


async def thin(
    session: Session, chain_id: ChainId, *, all_since: datetime, kept_since: datetime
) -> int:
    """Delete what is older: every tick before `kept_since`, before `all_since` those not kept."""
    table = risk_ticks.c
    is_old = (table.taken_at < kept_since) | ((table.taken_at < all_since) & ~table.is_kept)
    gone = await session.execute(delete(risk_ticks).where(table.chain_id == chain_id, is_old))
    return gone.rowcount


async def count(session: Session, chain_id: ChainId) -> int:
    """How many ticks of the chain are stored."""
    query = select(func.count()).where(risk_ticks.c.chain_id == chain_id)
    return int((await session.execute(query)).scalar_one())


def _kept(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    table = risk_ticks.c
    return (table.is_kept, table.taken_at >= since, table.taken_at < until)


def _tick(row: Row[Any]) -> Tick:
    return Tick(
        chain_id=ChainId(row.chain_id),
        at=BlockRef(row.block_number, BlockHash(row.block_hash), row.block_timestamp),
        taken_at=row.taken_at,
        seconds=row.took_micros / 1_000_000,
        market=row.market,
        deals=unpack(row.columns, row.format),
    )
