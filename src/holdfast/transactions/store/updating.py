"""What the chain loop writes: sends, receipts, outcomes, replacements and its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from holdfast.transactions.model import FINAL, AttemptState, IntentStatus
from holdfast.transactions.store.recording import CHANNEL, attempt_row
from holdfast.transactions.store.rows import logs_json
from holdfast.transactions.store.tables import attempts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import Receipt
    from holdfast.common.ids import ChainId, DealId, GroupId, IntentId
    from holdfast.transactions.model import Attempt, Intent, Place, Send, StatusChange

_FINAL = sorted(FINAL)

_MARK_SENT = text(f"""
    WITH sent AS (
        UPDATE attempts AS a
        SET state = '{AttemptState.SENT}', sent_block = COALESCE(a.sent_block, v.block),
            sent_at = COALESCE(a.sent_at, to_timestamp(v.seconds)), delivery = v.delivery,
            version = a.version + 1, updated_at = now()
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:numbers AS smallint[]), CAST(:blocks AS bigint[]),
            CAST(:seconds AS float8[]), CAST(:deliveries AS text[])
        ) AS v (intent_id, attempt_no, block, seconds, delivery)
        WHERE a.intent_id = v.intent_id AND a.attempt_no = v.attempt_no
            AND a.state <> '{AttemptState.SUPERSEDED}'
    )
    UPDATE intents SET status = '{IntentStatus.SENT}', updated_at = now(), version = version + 1
    WHERE intent_id = ANY(CAST(:ids AS uuid[])) AND status = '{IntentStatus.SIGNED}'
""")  # noqa: S608 - constants only


async def mark_sent(session: Session, sends: Sequence[Send]) -> None:
    """Note when attempts were first broadcast, and what was answered last."""
    await session.execute(
        _MARK_SENT,
        {
            "ids": [one.intent_id for one in sends],
            "numbers": [one.attempt_no for one in sends],
            "blocks": [one.sent.block for one in sends],
            "seconds": [one.sent.at_seconds for one in sends],
            "deliveries": [str(one.sent.delivery) for one in sends],
        },
    )


_SAVE_RECEIPTS = text("""
    INSERT INTO receipts (intent_id, chain_id, participant_bank_id, tx_hash, block_number,
        block_hash, block_timestamp, sender, succeeded, gas_used, effective_gas_price_wei, logs)
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:chains AS bigint[]), CAST(:banks AS text[]),
        CAST(:hashes AS text[]), CAST(:numbers AS bigint[]), CAST(:block_hashes AS text[]),
        CAST(:timestamps AS bigint[]), CAST(:senders AS text[]), CAST(:succeeded AS bool[]),
        CAST(:gas AS bigint[]), CAST(:prices AS numeric[]), CAST(:logs AS jsonb[]))
    ON CONFLICT (intent_id) DO UPDATE SET
        tx_hash = EXCLUDED.tx_hash, block_number = EXCLUDED.block_number,
        block_hash = EXCLUDED.block_hash, block_timestamp = EXCLUDED.block_timestamp,
        succeeded = EXCLUDED.succeeded, gas_used = EXCLUDED.gas_used,
        effective_gas_price_wei = EXCLUDED.effective_gas_price_wei, logs = EXCLUDED.logs
""")


async def save_receipts(session: Session, seen: Sequence[tuple[Intent, Receipt]]) -> None:
    """Write receipts; one seen again after a reorg takes the place of the first."""
    wishes = [intent.new for intent, _ in seen]
    found = [receipt for _, receipt in seen]
    await session.execute(
        _SAVE_RECEIPTS,
        {
            "ids": [new.intent_id for new in wishes],
            "chains": [new.chain_id for new in wishes],
            "banks": [new.participant_bank_id for new in wishes],
            "hashes": [one.tx_hash for one in found],
            "numbers": [one.block.number for one in found],
            "block_hashes": [one.block.hash for one in found],
            "timestamps": [one.block.timestamp for one in found],
            "senders": [one.sender for one in found],
            "succeeded": [one.succeeded for one in found],
            "gas": [one.gas_used for one in found],
            "prices": [one.effective_gas_price_wei for one in found],
            "logs": [logs_json(one) for one in found],
        },
    )


_SET_STATUSES = text("""
    UPDATE intents AS i
    SET status = v.status, evidence = v.evidence, version = i.version + 1, updated_at = now()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:evidence AS jsonb[]))
        AS v (intent_id, status, evidence)
    WHERE i.intent_id = v.intent_id AND i.status <> ALL(CAST(:final AS text[]))
    RETURNING i.group_id
""")
_FINISHED_DEALS = text("""
    SELECT DISTINCT deal_id FROM intents WHERE group_id = ANY(CAST(:groups AS uuid[]))
    GROUP BY group_id, deal_id HAVING bool_and(status = ANY(CAST(:final AS text[])))
""")


async def set_statuses(session: Session, changes: Sequence[StatusChange]) -> list[GroupId]:
    """Write statuses, except over a final one; returns the groups that really changed."""
    changed = await session.execute(
        _SET_STATUSES,
        {
            "ids": [change.intent.intent_id for change in changes],
            "statuses": [str(change.status) for change in changes],
            "evidence": [orjson.dumps(change.evidence).decode() for change in changes],
            "final": _FINAL,
        },
    )
    return sorted({row.group_id for row in changed})


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


_REOPEN = text(f"""
    UPDATE intents SET status = '{IntentStatus.SIGNED}', version = version + 1, updated_at = now()
    WHERE intent_id = :intent_id AND status <> ALL(CAST(:final AS text[]))
    RETURNING intent_id
""")  # noqa: S608 - constants only


async def add_attempt(session: Session, intent: Intent, attempt: Attempt) -> bool:
    """Write a further attempt of a live intent; False when another loop was faster."""
    locked = await session.execute(_REOPEN, {"intent_id": intent.intent_id, "final": _FINAL})
    if locked.one_or_none() is None:
        return False
    await supersede(session, [intent.intent_id])
    row = insert(attempts).values(attempt_row(intent.new, attempt)).on_conflict_do_nothing()
    return (await session.execute(row.returning(attempts.c.attempt_no))).one_or_none() is not None


_REQUEST_CANCEL = text(f"""
    UPDATE intents SET cancel_requested = true, version = version + 1, updated_at = now()
    WHERE group_id = :group_id AND status <> ALL(CAST(:final AS text[]))
    RETURNING pg_notify('{CHANNEL}', CAST(chain_id AS text))
""")  # noqa: S608 - constants only


async def request_cancel(session: Session, group_id: GroupId) -> int:
    """Mark the group's live intents for cancellation; returns how many."""
    rows = await session.execute(_REQUEST_CANCEL, {"group_id": group_id, "final": _FINAL})
    return len(rows.all())


_DROP_RECEIPTS = text(f"""
    WITH dropped AS (
        DELETE FROM receipts AS r USING intents AS i
        WHERE i.intent_id = r.intent_id AND r.chain_id = :chain_id AND r.block_number > :fork
            AND i.status <> ALL(CAST(:final AS text[]))
        RETURNING r.intent_id
    )
    UPDATE intents AS i SET status = '{IntentStatus.SENT}', evidence = '{{}}',
        version = i.version + 1, updated_at = now()
    FROM dropped WHERE i.intent_id = dropped.intent_id
""")  # noqa: S608 - constants only
_FINAL_ABOVE = text("""
    SELECT r.intent_id FROM receipts AS r JOIN intents AS i ON i.intent_id = r.intent_id
    WHERE r.chain_id = :chain_id AND r.block_number > :fork
        AND i.status = ANY(CAST(:final AS text[]))
""")


async def drop_receipts(session: Session, chain_id: ChainId, fork: int) -> list[IntentId]:
    """Take back the receipts of live intents in blocks above `fork`, which are no longer there.

    Returns:
        Intents that were final and whose block is gone too: somebody has to look at them.
    """
    where = {"chain_id": chain_id, "fork": fork, "final": _FINAL}
    await session.execute(_DROP_RECEIPTS, where)
    return [row.intent_id for row in await session.execute(_FINAL_ABOVE, where)]


_MOVE = text("""
    INSERT INTO chain_cursors (chain_id, block_number, block_hash)
    VALUES (:chain_id, :number, :hash)
    ON CONFLICT (chain_id) DO UPDATE
    SET block_number = :number, block_hash = :hash, version = chain_cursors.version + 1,
        updated_at = now()
""")


async def move_to(session: Session, chain_id: ChainId, place: Place) -> None:
    """Note that every receipt up to `place` is written."""
    await session.execute(_MOVE, {"chain_id": chain_id, "number": place.number, "hash": place.hash})
