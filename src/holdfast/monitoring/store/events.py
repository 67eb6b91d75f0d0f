"""Statements over events: the cursor with what was found up to it, and what is found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Row, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from holdfast.monitoring.events import Effect, EventKind, KeptEvent, Role
from holdfast.monitoring.store.tables import account_events, event_blocks, event_cursors
from holdfast.transactions.model import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import BlockHash
    from holdfast.common.ids import ChainId, DealId
    from holdfast.monitoring.events import AccountEvent

# Rows travel as one JSON value, amounts in it as text since they may pass 64 bits. What returns
# with its block after a reorg and a second one is the same event again.
_INSERT = text("""
    INSERT INTO account_events (chain_id, block_number, block_hash, log_index, tx_hash, contract,
      kind, giver, taker, token, amount, account, role, deal_id, participant_bank_id, intent_id,
      leg_id, is_foreign)
    SELECT :chain_id, block_number, block_hash, log_index, tx_hash, contract, kind, giver, taker,
      token, amount, account, role, deal_id, bank, intent_id, leg_id, intent_id IS NULL
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
      block_number bigint, block_hash text, log_index int, tx_hash text, contract text, kind text,
      giver text, taker text, token text, amount numeric(78, 0), account text, role text,
      deal_id uuid, bank text, intent_id uuid, leg_id uuid)
    ON CONFLICT (chain_id, block_hash, log_index) DO UPDATE SET orphaned_at = NULL
    RETURNING block_hash, log_index, (xmax = 0) AS is_new
""")
_BLOCKS = text("""
    INSERT INTO event_blocks (chain_id, block_number, block_hash)
    SELECT :chain_id, number, hash FROM unnest(CAST(:numbers AS bigint[]), CAST(:hashes AS text[]))
      AS new (number, hash)
    ON CONFLICT (chain_id, block_number) DO UPDATE SET block_hash = excluded.block_hash
""")


async def begin_at(session: Session, chain_id: ChainId, place: Place) -> None:
    """Start the cursor at `place` unless it stands somewhere."""
    row = {"chain_id": chain_id, "block_number": place.number, "block_hash": place.hash}
    added = upsert(event_cursors).values(row).on_conflict_do_nothing().returning(text("1"))
    if (await session.execute(added)).one_or_none() is not None:
        await session.execute(insert(event_blocks).values(row))


async def place_of(session: Session, chain_id: ChainId) -> Place:
    """The block that events were read to, once the cursor was begun."""
    query = select(event_cursors).where(event_cursors.c.chain_id == chain_id)
    row = (await session.execute(query)).one()
    return Place(row.block_number, row.block_hash)


async def remembered(session: Session, chain_id: ChainId) -> dict[int, BlockHash]:
    """The last blocks that were followed, by number."""
    query = select(event_blocks).where(event_blocks.c.chain_id == chain_id)
    return {row.block_number: row.block_hash for row in await session.execute(query)}


async def move(session: Session, chain_id: ChainId, before: Place, after: Place) -> bool:
    """Move the cursor; False when it does not stand at `before`, and nothing was done."""
    moved = await session.execute(
        update(event_cursors)
        .where(event_cursors.c.chain_id == chain_id, event_cursors.c.block_hash == before.hash)
        .values(block_number=after.number, block_hash=after.hash, updated_at=func.now())
        .returning(event_cursors.c.chain_id)
    )
    return moved.one_or_none() is not None


async def remember(
    session: Session, chain_id: ChainId, blocks: Mapping[int, BlockHash], *, keep: int
) -> None:
    """Add blocks that were followed, and forget all but the last `keep`."""
    values = {"numbers": list(blocks), "hashes": list(blocks.values())}
    await session.execute(_BLOCKS, {"chain_id": chain_id, **values})
    is_old = event_blocks.c.block_number <= max(blocks) - keep
    await session.execute(delete(event_blocks).where(event_blocks.c.chain_id == chain_id, is_old))


async def orphan(session: Session, chain_id: ChainId, fork: Place) -> int:
    """Mark the events above the fork and forget the blocks; returns how many events."""
    above = event_blocks.c.block_number > fork.number
    await session.execute(delete(event_blocks).where(event_blocks.c.chain_id == chain_id, above))
    marked = await session.execute(
        update(account_events)
        .where(
            account_events.c.chain_id == chain_id,
            account_events.c.block_number > fork.number,
            account_events.c.orphaned_at.is_(None),
        )
        .values(orphaned_at=func.now())
    )
    return marked.rowcount


async def add(
    session: Session, chain_id: ChainId, events: Sequence[AccountEvent]
) -> list[AccountEvent]:
    """Write the events, each once whatever is read again; returns those that are new."""
    if not events:
        return []
    rows = orjson.dumps([_row(each) for each in events]).decode()
    written = await session.execute(_INSERT, {"chain_id": chain_id, "rows": rows})
    new = {(row.block_hash, row.log_index) for row in written if row.is_new}
    return [each for each in events if (each.block_hash, each.log_index) in new]


async def recent(
    session: Session, *, deal: DealId | None, only_foreign: bool, limit: int
) -> list[KeptEvent]:
    """The events that are highest on their chain, newest first."""
    table = account_events.c
    query = select(account_events).order_by(table.block_number.desc(), table.log_index.desc())
    if deal is not None:
        query = query.where(table.deal_id == deal)
    if only_foreign:
        query = query.where(table.is_foreign)
    return [_kept(row) for row in await session.execute(query.limit(limit))]


def _row(event: AccountEvent) -> dict[str, Any]:
    effect, account, cause = event.effect, event.account, event.cause
    deal = account.deal_id if cause is None else cause.deal_id
    return {
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "log_index": event.log_index,
        "tx_hash": event.tx_hash,
        "contract": event.contract,
        "kind": str(effect.kind),
        "giver": effect.giver,
        "taker": effect.taker,
        "token": effect.token,
        "amount": str(effect.amount),
        "account": account.address,
        "role": str(account.role),
        "deal_id": deal,
        "bank": account.bank_id if cause is None else cause.bank_id,
        "intent_id": None if cause is None else cause.intent_id,
        "leg_id": None if cause is None else cause.leg_id,
    }


def _kept(row: Row[Any]) -> KeptEvent:
    return KeptEvent(
        block_number=row.block_number,
        block_hash=row.block_hash,
        log_index=row.log_index,
        tx_hash=row.tx_hash,
        contract=row.contract,
        effect=Effect(EventKind(row.kind), row.giver, row.taker, row.token, int(row.amount)),
        account=row.account,
        role=Role(row.role),
        deal_id=row.deal_id,
        leg_id=row.leg_id,
        is_foreign=row.is_foreign,
        is_orphaned=row.orphaned_at is not None,
        seen_at=row.created_at,
    )
