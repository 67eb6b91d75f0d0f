"""Statements over legs and steps: written in batches, settled in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import and_, bindparam, func, or_, select, text

from holdfast.common.evm import Address, TxHash
from holdfast.execution.model import HOMEWARD
from holdfast.execution.records import OF_CURES, DealRecord, LegRecord
from holdfast.execution.store.tables import legs, steps
from holdfast.execution.store.words import Reader, known
from holdfast.model.deal import Step
from holdfast.model.leg import Call, Leg, LegKind, LegStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Row

    from holdfast.common.db import Session
    from holdfast.common.evm import Receipt
    from holdfast.common.ids import DealId, GroupId, LegId

_READ = [
    *("leg_id", "group_id", "step", "seq", "kind", "label", "status", "sender", "recipient"),
    *("target", "data", "value_wei", "token", "amount", "min_out_token", "min_out", "gas_limit"),
    *("deadline", "tx_hash", "block_number", "gas_used", "fee_wei"),
]
_LOAD_LEGS = (
    select(*(legs.c[name] for name in _READ))
    .where(legs.c.deal_id == bindparam("deal_id"))
    .order_by(legs.c.seq)
)
_EVERY_LEG = select(legs.c.deal_id, *(legs.c[name] for name in _READ)).order_by(legs.c.seq)


async def load_legs(
    session: Session, deal_id: DealId, read: Reader = known
) -> tuple[LegRecord, ...]:
    """The legs of a deal in the order they were sent."""
    found = await session.execute(_LOAD_LEGS, {"deal_id": deal_id})
    return tuple([_record(row, read) for row in found])


async def load_legs_of(
    session: Session, deals: Collection[DealId], read: Reader
) -> dict[DealId, tuple[LegRecord, ...]]:
    """The legs of each of the deals in the order they were sent; none for one without."""
    found: dict[DealId, list[LegRecord]] = {deal: [] for deal in deals}
    wanted = _EVERY_LEG.where(legs.c.deal_id.in_(deals))
    for row in await session.execute(wanted):
        found[row.deal_id].append(_record(row, read))
    return {deal: tuple(its) for deal, its in found.items()}


_step, _kind = legs.c.step, legs.c.kind
_is_purchase = and_(
    _step == int(Step.PURCHASE),
    _kind == str(LegKind.SWAP),
    legs.c.min_out_token == bindparam("token"),
)
_is_the_end = or_(
    _kind.in_([str(one) for one in HOMEWARD]),
    and_(_step == int(Step.LIQUIDITY), _kind.in_([str(one) for one in OF_CURES])),
)
_PURCHASES = (
    select(legs.c.deal_id, func.count().filter(_is_purchase), func.bool_or(_is_the_end))
    .where(legs.c.deal_id.in_(bindparam("deals", expanding=True)))
    .where(legs.c.status == str(LegStatus.LANDED))
    .group_by(legs.c.deal_id)
)


async def purchases_made(
    session: Session, deals: Collection[DealId], token: str
) -> dict[DealId, int | None]:
    """How often each deal has bought `token`; None for one that will not buy again.

    A deal of which no leg has landed is not in it.
    """
    if not deals:
        return {}
    found = await session.execute(_PURCHASES, {"deals": list(deals), "token": token})
    return {deal: None if is_over else count for deal, count, is_over in found}


# Rows travel as one JSON value: one statement and one parameter however many there are.
_RECORD_LEGS = text("""
    INSERT INTO legs (leg_id, deal_id, chain_id, participant_bank_id, group_id, step, seq, kind,
        label, status, sender, recipient, target, data, value_wei, token, amount, min_out_token,
        min_out, gas_limit, deadline)
    SELECT leg_id, :deal_id, :chain_id, :bank, :group_id, step, seq, kind, label, status, sender,
        recipient, target, decode(data, 'hex'), value_wei, token, amount, min_out_token, min_out,
        gas_limit, deadline
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        leg_id uuid, step smallint, seq int, kind text, label text, status text, sender text,
        recipient text, target text, data text, value_wei numeric, token text, amount numeric,
        min_out_token text, min_out numeric, gas_limit bigint, deadline bigint)
""")


async def record_legs(
    session: Session, deal: DealRecord, group_id: GroupId, sent: Sequence[Leg]
) -> None:
    """Store the legs of one group as sent, numbered after those the deal already has."""
    start = len(deal.legs)
    owner = {
        "deal_id": deal.deal_id,
        "chain_id": deal.chain_id,
        "bank": deal.bank,
        "group_id": group_id,
    }
    rows = [_row(start + offset, leg) for offset, leg in enumerate(sent)]
    await session.execute(_RECORD_LEGS, {**owner, "rows": _json(rows)})


# The ids beside the rows tell the planner that there are few, so it looks them up by the index.
_SETTLE_LEGS = text("""
    UPDATE legs AS l
    SET status = v.status, tx_hash = v.tx_hash, block_number = v.block_number,
        gas_used = v.gas_used, fee_wei = v.fee_wei, version = l.version + 1, updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v (
        leg_id uuid, status text, tx_hash text, block_number bigint, gas_used bigint,
        fee_wei numeric)
    WHERE l.leg_id = v.leg_id AND l.leg_id = ANY(CAST(:ids AS uuid[]))
""")


async def settle_legs(
    session: Session, settled: Mapping[LegId, tuple[LegStatus, Receipt | None]]
) -> None:
    """Write what became of legs, in one statement for all of them."""
    rows = [_settled(leg_id, status, receipt) for leg_id, (status, receipt) in settled.items()]
    await session.execute(_SETTLE_LEGS, {"rows": _json(rows), "ids": list(settled)})


_REOPEN_LEGS = text(f"""
    UPDATE legs SET status = '{LegStatus.SENT}', tx_hash = NULL, block_number = NULL,
        gas_used = NULL, fee_wei = NULL, version = version + 1, updated_at = now()
    WHERE leg_id = ANY(CAST(:ids AS uuid[]))
""")  # noqa: S608 - a constant


async def reopen_legs(session: Session, gone: Sequence[LegId]) -> None:
    """Write that those legs are under way again."""
    await session.execute(_REOPEN_LEGS, {"ids": list(gone)})


_RECORD_STEPS = text("""
    INSERT INTO deal_steps AS old (
        deal_id, step, chain_id, participant_bank_id, status, result, error, executed_at)
    SELECT :deal_id, step, :chain_id, :bank, status, result, error, executed_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        step smallint, status text, result jsonb, error text, executed_at timestamptz)
    ON CONFLICT (deal_id, step) DO UPDATE SET
        status = EXCLUDED.status, result = COALESCE(EXCLUDED.result, old.result),
        error = EXCLUDED.error, executed_at = COALESCE(EXCLUDED.executed_at, old.executed_at),
        version = old.version + 1, updated_at = now()
""")


async def record_steps(
    session: Session, deal: DealRecord, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert or update steps of a deal; each row names `step`, `status` and what is known."""
    owner = {"deal_id": deal.deal_id, "chain_id": deal.chain_id, "bank": deal.bank}
    await session.execute(_RECORD_STEPS, {**owner, "rows": _json(rows)})


async def load_steps(session: Session, deal_id: DealId) -> list[dict[str, Any]]:
    """The steps of a deal in order, as JSON-able rows."""
    found = await session.execute(
        select(steps.c.step, steps.c.status, steps.c.result, steps.c.error, steps.c.executed_at)
        .where(steps.c.deal_id == deal_id)
        .order_by(steps.c.step)
    )
    return [dict(row) for row in found.mappings()]


def _row(seq: int, leg: Leg) -> dict[str, Any]:
    """The leg's own fields as JSON values; amounts are text, as they may pass 64 bits."""
    return {
        "leg_id": leg.leg_id,
        "step": int(leg.step),
        "seq": seq,
        "kind": leg.kind,
        "label": leg.label,
        "status": LegStatus.SENT,
        "sender": leg.sender,
        "recipient": leg.recipient,
        "target": leg.call.target,
        "data": leg.call.data.hex(),
        "value_wei": str(leg.call.value_wei),
        "token": leg.amount.token.symbol if leg.amount else None,
        "amount": str(leg.amount.units) if leg.amount else None,
        "min_out_token": leg.min_out.token.symbol if leg.min_out else None,
        "min_out": str(leg.min_out.units) if leg.min_out else None,
        "gas_limit": leg.gas_limit,
        "deadline": leg.deadline,
    }


def _settled(leg_id: LegId, status: LegStatus, receipt: Receipt | None) -> dict[str, Any]:
    return {
        "leg_id": leg_id,
        "status": status,
        "tx_hash": receipt.tx_hash if receipt else None,
        "block_number": receipt.block.number if receipt else None,
        "gas_used": receipt.gas_used if receipt else None,
        "fee_wei": str(receipt.fee_wei) if receipt else None,
    }


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    return orjson.dumps(rows).decode()


def _record(row: Row[Any], read: Reader) -> LegRecord:
    return LegRecord(
        leg_id=row.leg_id,
        group_id=row.group_id,
        step=read(Step, row.step),
        seq=row.seq,
        kind=read(LegKind, row.kind),
        label=row.label,
        status=read(LegStatus, row.status),
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
