"""Statements over legs and steps: written in batches, settled in batches."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from holdfast.common.evm import Address, TxHash
from holdfast.execution.records import DealRecord, LegRecord
from holdfast.execution.store.tables import legs, steps
from holdfast.model.deal import Step
from holdfast.model.leg import Call, Leg, LegKind, LegStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from holdfast.common.db import Session
    from holdfast.common.evm import Receipt
    from holdfast.common.ids import DealId, GroupId, LegId


async def load_legs(
    session: Session, deal_ids: Sequence[DealId]
) -> dict[DealId, tuple[LegRecord, ...]]:
    """The legs of some deals in the order they were sent."""
    found = await session.execute(
        select(legs).where(legs.c.deal_id.in_(deal_ids)).order_by(legs.c.deal_id, legs.c.seq)
    )
    by_deal: defaultdict[DealId, list[LegRecord]] = defaultdict(list)
    for row in found:
        by_deal[row.deal_id].append(_record(row))
    return {deal_id: tuple(records) for deal_id, records in by_deal.items()}


async def record_legs(
    session: Session, deal: DealRecord, group_id: GroupId, sent: Sequence[Leg]
) -> None:
    """Store the legs of one group as sent, numbered after those the deal already has."""
    start = len(deal.legs)
    rows = [_row(deal, group_id, start + offset, leg) for offset, leg in enumerate(sent)]
    await session.execute(insert(legs), rows)


async def settle_legs(
    session: Session, settled: Mapping[LegId, tuple[LegStatus, Receipt | None]]
) -> None:
    """Write what became of legs, in one statement for all of them."""
    statement = (
        update(legs)
        .where(legs.c.leg_id == bindparam("b_leg_id"))
        .values(
            status=bindparam("b_status"),
            tx_hash=bindparam("b_tx_hash"),
            block_number=bindparam("b_block_number"),
            gas_used=bindparam("b_gas_used"),
            fee_wei=bindparam("b_fee_wei"),
            updated_at=func.now(),
        )
    )
    await session.execute(statement, [_settled(i, s, r) for i, (s, r) in settled.items()])


async def record_steps(
    session: Session, deal_id: DealId, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert or update steps of a deal; each row names `step`, `status` and what is known."""
    full = [{"error": None, "result": None, "executed_at": None, **row} for row in rows]
    statement = upsert(steps).values([{"deal_id": deal_id, **row} for row in full])
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[steps.c.deal_id, steps.c.step],
            set_={
                "status": new.status,
                "result": func.coalesce(new.result, steps.c.result),
                "error": new.error,
                "executed_at": func.coalesce(new.executed_at, steps.c.executed_at),
                "updated_at": func.now(),
            },
        )
    )


async def load_steps(session: Session, deal_id: DealId) -> list[dict[str, Any]]:
    """The steps of a deal in order, as JSON-able rows."""
    found = await session.execute(
        select(steps.c.step, steps.c.status, steps.c.result, steps.c.error, steps.c.executed_at)
        .where(steps.c.deal_id == deal_id)
        .order_by(steps.c.step)
    )
    return [dict(row) for row in found.mappings()]


def _row(deal: DealRecord, group_id: GroupId, seq: int, leg: Leg) -> dict[str, Any]:
    return {
        "leg_id": leg.leg_id,
        "deal_id": deal.deal_id,
        "chain_id": deal.chain_id,
        "participant_bank_id": deal.bank,
        "group_id": group_id,
        "step": int(leg.step),
        "seq": seq,
        "kind": str(leg.kind),
        "label": leg.label,
        "status": str(LegStatus.SENT),
        "sender": leg.sender,
        "recipient": leg.recipient,
        "target": leg.call.target,
        "data": leg.call.data,
        "value_wei": leg.call.value_wei,
        "token": leg.amount.token.symbol if leg.amount else None,
        "amount": leg.amount.units if leg.amount else None,
        "min_out_token": leg.min_out.token.symbol if leg.min_out else None,
        "min_out": leg.min_out.units if leg.min_out else None,
        "gas_limit": leg.gas_limit,
        "deadline": leg.deadline,
    }


def _settled(leg_id: LegId, status: LegStatus, receipt: Receipt | None) -> dict[str, Any]:
    return {
        "b_leg_id": leg_id,
        "b_status": str(status),
        "b_tx_hash": receipt.tx_hash if receipt else None,
        "b_block_number": receipt.block.number if receipt else None,
        "b_gas_used": receipt.gas_used if receipt else None,
        "b_fee_wei": receipt.fee_wei if receipt else None,
    }


def _record(row: Row[Any]) -> LegRecord:
    return LegRecord(
        leg_id=row.leg_id,
        group_id=row.group_id,
        step=Step(row.step),
        seq=row.seq,
        kind=LegKind(row.kind),
        label=row.label,
        status=LegStatus(row.status),
        sender=Address(row.sender),
        recipient=Address(row.recipient),
        call=Call(Address(row.target), row.data, row.value_wei),
        token=row.token,
        amount=row.amount,
        min_out_token=row.min_out_token,
        min_out=row.min_out,
        gas_limit=row.gas_limit,
        deadline=row.deadline,
        tx_hash=TxHash(row.tx_hash) if row.tx_hash else None,
        block_number=row.block_number,
        gas_used=row.gas_used,
        fee_wei=row.fee_wei,
    )
