"""What each group of legs was decided on: written with it, read when the chain shows less."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, select, text

from holdfast.execution.store.tables import snapshots

if TYPE_CHECKING:
    from holdfast.common.db import Session
    from holdfast.common.ids import DealId, GroupId
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord

_RECORD = text("""
    INSERT INTO deal_snapshots (group_id, deal_id, chain_id, participant_bank_id, block_number,
        block_hash, block_timestamp, deal_nonce, float_nonce, position, venues)
    VALUES (:group_id, :deal_id, :chain_id, :bank, :number, :hash, :timestamp, :deal_nonce,
        :float_nonce, CAST(:position AS jsonb), CAST(:venues AS jsonb))
""")
_LAST = (
    select(snapshots)
    .where(snapshots.c.deal_id == bindparam("deal"))
    .order_by(snapshots.c.block_number.desc(), snapshots.c.deal_nonce.desc())
    .limit(1)
)


async def record_snapshot(
    session: Session, deal: DealRecord, group_id: GroupId, seen: Seen
) -> None:
    """Store what `deal` was seen to be when the group was decided on."""
    at = seen.head.ref
    row = {
        "group_id": group_id,
        "deal_id": deal.deal_id,
        "chain_id": deal.chain_id,
        "bank": deal.bank,
        "number": at.number,
        "hash": at.hash,
        "timestamp": at.timestamp,
        "deal_nonce": seen.deal_nonce,
        "float_nonce": seen.float_nonce,
        "position": _json(seen.position.told),
        "venues": _json(_venues(seen)),
    }
    await session.execute(_RECORD, row)


async def last_snapshot(session: Session, deal_id: DealId) -> dict[str, Any]:
    """The deal's newest snapshot, JSON-able; empty when it never sent anything."""
    row = (await session.execute(_LAST, {"deal": deal_id})).mappings().one_or_none()
    if row is None:
        return {}
    told = ("block_number", "block_hash", "deal_nonce", "position")
    return {"group_id": str(row["group_id"]), **{name: row[name] for name in told}}


def _venues(seen: Seen) -> dict[str, str]:
    """What was seen beside the deal; with ETH's price, by which a sale's cost is told later."""
    told = {name: str(value) for name, value in asdict(seen.venues).items()}
    return {**told, "eth_price_usd8": str(seen.eth_price)}


def _json(value: dict[str, str]) -> str:
    return orjson.dumps(value).decode()
