"""What the chain loop writes: sends, receipts, outcomes, replacements and its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from holdfast.transactions.model import FINAL, AttemptState, IntentStatus
from holdfast.transactions.store.recording import CHANNEL, attempt_row
from holdfast.transactions.store.rows import receipt_row
from holdfast.transactions.store.tables import attempts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import Receipt
    from holdfast.common.ids import ChainId, DealId, GroupId, IntentId
    from holdfast.transactions.model import Attempt, Intent, Place, Send, StatusChange
    from holdfast.transactions.shard import Shard

_FINAL = sorted(FINAL)

# Beside the rows stand their ids: they tell the planner that there are few, so that it looks them
# up by the index and does not read the tables.
_MARK_SENT = text(f"""
    WITH sends AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS sends (
            intent_id uuid, attempt_no smallint, block bigint, seconds float8, delivery text)
    ), noted AS (
        UPDATE attempts AS a
        SET state = '{AttemptState.SENT}', sent_block = COALESCE(a.sent_block, s.block),
            sent_at = COALESCE(a.sent_at, to_timestamp(s.seconds)), delivery = s.delivery,
            version = a.version + 1, updated_at = now()
        FROM sends AS s
        WHERE a.intent_id = s.intent_id AND a.attempt_no = s.attempt_no
            AND a.intent_id = ANY(CAST(:ids AS uuid[])) AND a.state <> '{AttemptState.SUPERSEDED}'
    )
    UPDATE intents SET status = '{IntentStatus.SENT}', updated_at = now(), version = version + 1
    WHERE intent_id = ANY(CAST(:ids AS uuid[])) AND status = '{IntentStatus.SIGNED}'
""")  # noqa: S608 - constants only


async def mark_sent(session: Session, sends: Sequence[Send]) -> None:
    """Note when attempts were first broadcast, and what was answered last."""
    rows = [
        {
            "intent_id": one.intent_id,
            "attempt_no": one.attempt_no,
            "block": one.sent.block,
            "seconds": one.sent.at_seconds,
            "delivery": one.sent.delivery,
        }
        for one in sends
    ]
    ids = [one.intent_id for one in sends]
    await session.execute(_MARK_SENT, {"rows": _json(rows), "ids": ids})


_SAVE_RECEIPTS = text("""
    INSERT INTO receipts (intent_id, chain_id, participant_bank_id, tx_hash, block_number,
        block_hash, block_timestamp, sender, succeeded, gas_used, effective_gas_price_wei, logs)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS seen (
        intent_id uuid, chain_id bigint, bank text, tx_hash text, block_number bigint,
        block_hash text, block_timestamp bigint, sender text, succeeded bool, gas_used bigint,
        price_wei numeric, logs jsonb)
    ON CONFLICT (intent_id) DO UPDATE SET
        tx_hash = EXCLUDED.tx_hash, block_number = EXCLUDED.block_number,
        block_hash = EXCLUDED.block_hash, block_timestamp = EXCLUDED.block_timestamp,
        succeeded = EXCLUDED.succeeded, gas_used = EXCLUDED.gas_used,
        effective_gas_price_wei = EXCLUDED.effective_gas_price_wei, logs = EXCLUDED.logs
""")


async def save_receipts(session: Session, seen: Sequence[tuple[Intent, Receipt]]) -> None:
    """Write receipts; one seen again after a reorg takes the place of the first."""
    rows = [receipt_row(intent.new, receipt) for intent, receipt in seen]
    await session.execute(_SAVE_RECEIPTS, {"rows": _json(rows)})


_SET_STATUSES = text("""
    UPDATE intents AS i
    SET status = v.status, evidence = v.evidence, version = i.version + 1, updated_at = now()
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v (intent_id uuid, status text, evidence jsonb)
    WHERE i.intent_id = v.intent_id AND i.intent_id = ANY(CAST(:ids AS uuid[]))
        AND i.status <> ALL(CAST(:final AS text[]))
    RETURNING i.intent_id
""")


async def set_statuses(session: Session, changes: Sequence[StatusChange]) -> set[IntentId]:
    """Write statuses, except over a final one; returns the intents that really changed."""
    rows = [
        {
            "intent_id": change.intent.intent_id,
            "status": change.status,
            "evidence": change.evidence,
        }
        for change in changes
    ]
    ids = [change.intent.intent_id for change in changes]
    values = {"rows": _json(rows), "ids": ids, "final": _FINAL}
    changed = await session.execute(_SET_STATUSES, values)
    return {row.intent_id for row in changed}


_FINISHED_DEALS = text("""
    SELECT DISTINCT deal_id FROM intents WHERE group_id = ANY(CAST(:groups AS uuid[]))
    GROUP BY group_id, deal_id HAVING bool_and(status = ANY(CAST(:final AS text[])))
""")


async def finished_deals(session: Session, groups: Collection[GroupId]) -> list[DealId]:
    """The deals of those groups whose intents are all final."""
    rows = await session.execute(_FINISHED_DEALS, {"groups": list(groups), "final": _FINAL})
    return [row.deal_id for row in rows]


_SUPERSEDE = text(f"""
    UPDATE attempts SET state = '{AttemptState.SUPERSEDED}', version = version + 1,
        updated_at = now()
    WHERE intent_id = ANY(CAST(:ids AS uuid[])) AND state = '{AttemptState.SIGNED}'
""")  # noqa: S608 - constants only


async def supersede(session: Session, intents: Sequence[IntentId]) -> None:
    """Give up the unsent attempts of intents that are final or get a newer attempt."""
    await session.execute(_SUPERSEDE, {"ids": list(intents)})


_LOCK_LIVE = text("""
    SELECT intent_id FROM intents
    WHERE intent_id = :intent_id AND status <> ALL(CAST(:final AS text[])) FOR UPDATE
""")
_REOPEN = text(f"""
    WITH older AS (
        UPDATE attempts SET state = '{AttemptState.SUPERSEDED}', version = version + 1,
            updated_at = now()
        WHERE intent_id = :intent_id AND attempt_no < :attempt_no
            AND state = '{AttemptState.SIGNED}'
    )
    UPDATE intents SET status = '{IntentStatus.SIGNED}', version = version + 1, updated_at = now()
    WHERE intent_id = :intent_id
""")  # noqa: S608 - constants only


async def add_attempt(session: Session, intent: Intent, attempt: Attempt) -> bool:
    """Write a further attempt of a live intent; False, and nothing, when another was faster."""
    locked = await session.execute(_LOCK_LIVE, {"intent_id": intent.intent_id, "final": _FINAL})
    if locked.one_or_none() is None:
        return False
    row = {
        **attempt_row(attempt),
        "raw": attempt.raw,
        "intent_id": intent.intent_id,
        "chain_id": intent.new.chain_id,
        "participant_bank_id": intent.new.participant_bank_id,
        "state": AttemptState.SIGNED,
    }
    written = insert(attempts).values(row).on_conflict_do_nothing().returning(attempts.c.tx_hash)
    if (await session.execute(written)).one_or_none() is None:
        return False
    which = {"intent_id": intent.intent_id, "attempt_no": attempt.attempt_no}
    await session.execute(_REOPEN, which)
    return True


_REQUEST_CANCEL = text(f"""
    UPDATE intents SET cancel_requested = true, version = version + 1, updated_at = now()
    WHERE group_id = :group_id AND status <> ALL(CAST(:final AS text[]))
    RETURNING pg_notify('{CHANNEL}', CAST(chain_id AS text))
""")  # noqa: S608 - constants only


async def request_cancel(session: Session, group_id: GroupId) -> int:
    """Mark the group's live intents for cancellation; returns how many."""
    rows = await session.execute(_REQUEST_CANCEL, {"group_id": group_id, "final": _FINAL})
    return len(rows.all())


_MOVE = text("""
    INSERT INTO chain_cursors (chain_id, block_number, block_hash)
    VALUES (:chain_id, :number, :hash)
    ON CONFLICT (chain_id) DO UPDATE
    SET block_number = :number, block_hash = :hash, version = chain_cursors.version + 1,
        updated_at = now()
""")


_MOVE_SHARD = text("""
    INSERT INTO shard_places (chain_id, shards, shard, block_number, block_hash)
    VALUES (:chain_id, :shards, :shard, :number, :hash)
    ON CONFLICT (chain_id, shards, shard) DO UPDATE
    SET block_number = :number, block_hash = :hash, version = shard_places.version + 1,
        updated_at = now()
""")


async def move_to(session: Session, chain_id: ChainId, shard: Shard, place: Place) -> None:
    """Note that every receipt of the shard up to `place` is written."""
    values = {"chain_id": chain_id, "number": place.number, "hash": place.hash}
    if shard.of == 1:
        await session.execute(_MOVE, values)
    else:
        await session.execute(_MOVE_SHARD, {**values, **_of(shard)})


def _of(shard: Shard) -> dict[str, int]:
    return {"shards": shard.of, "shard": shard.number}


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    return orjson.dumps(rows).decode()
