"""Finding and taking back what blocks decided that a reorg removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import text

from holdfast.transactions.model import REORG, AttemptState, IntentStatus, Place
from holdfast.transactions.store.tables import IS_DISPLACED, in_shard
from holdfast.transactions.unmined import Orphan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.db import Session
    from holdfast.common.ids import ChainId
    from holdfast.transactions.shard import Shard

# A displaced intent has no receipt: its evidence names the block of the foreign transaction.
_DECIDED = f"""
    SELECT intent_id, tx_hash, block_number, block_hash FROM receipts
    WHERE chain_id = :chain_id AND block_number > :above AND {in_shard("sender")}
    UNION ALL
    SELECT intent_id, NULL, CAST(evidence->>'block' AS bigint), evidence->>'block_hash'
    FROM intents WHERE chain_id = :chain_id AND {IS_DISPLACED}
        AND CAST(evidence->>'block' AS bigint) > :above AND {in_shard("sender")}
"""  # noqa: S608 - constants only
MINED_ABOVE: Final = text(f"""
    SELECT DISTINCT block_number, block_hash FROM ({_DECIDED}) AS d ORDER BY 1
""")  # noqa: S608 - constants only
"""What `mined_above` reads."""
_ORPHANS = text(f"""
    SELECT i.intent_id, i.leg_id, i.deal_id, i.status, d.tx_hash, d.block_number, d.block_hash
    FROM ({_DECIDED}) AS d
    JOIN jsonb_to_recordset(CAST(:gone AS jsonb)) AS g (block_number bigint, block_hash text)
        USING (block_number, block_hash)
    JOIN intents AS i ON i.intent_id = d.intent_id
    ORDER BY i.sender, i.nonce FOR UPDATE OF i
""")  # noqa: S608 - constants only


async def mined_above(
    session: Session, chain_id: ChainId, number: int, shard: Shard
) -> list[Place]:
    """The blocks above `number` that decided about intents, lowest first."""
    found = await session.execute(
        MINED_ABOVE, {"chain_id": chain_id, "above": number, **_of(shard)}
    )
    return [Place(row.block_number, row.block_hash) for row in found]


async def orphans_of(
    session: Session, chain_id: ChainId, gone: Sequence[Place], shard: Shard
) -> list[Orphan]:
    """The shard's intents that those blocks decided about, locked, in nonce order per sender."""
    rows = [{"block_number": one.number, "block_hash": one.hash} for one in gone]
    above = min(one.number for one in gone) - 1
    values = {"chain_id": chain_id, "above": above, "gone": orjson.dumps(rows).decode()}
    asked = {**values, **_of(shard)}
    return [
        Orphan(
            intent_id=row.intent_id,
            leg_id=row.leg_id,
            deal_id=row.deal_id,
            status=IntentStatus(row.status),
            tx_hash=row.tx_hash,
            block=Place(row.block_number, row.block_hash),
        )
        for row in await session.execute(_ORPHANS, asked)
    ]


def _of(shard: Shard) -> dict[str, int]:
    return {"shards": shard.of, "shard": shard.number}


_TAKE_BACK = text(f"""
    WITH dropped AS (
        DELETE FROM receipts WHERE intent_id = ANY(CAST(:ids AS uuid[]))
    )
    UPDATE intents SET status = '{IntentStatus.SENT}', acknowledged_at = NULL,
        evidence = jsonb_build_object('reason', '{REORG}'),
        version = version + 1, updated_at = now()
    WHERE intent_id = ANY(CAST(:ids AS uuid[]))
""")  # noqa: S608 - constants only
# Given up when the intent became final; it may now be the attempt that has to be mined.
_REVIVE = text(f"""
    UPDATE attempts AS a SET state = '{AttemptState.SIGNED}', version = version + 1,
        updated_at = now()
    WHERE a.intent_id = ANY(CAST(:ids AS uuid[])) AND a.state = '{AttemptState.SUPERSEDED}'
        AND a.attempt_no = (SELECT max(b.attempt_no) FROM attempts AS b
            WHERE b.intent_id = a.intent_id)
""")  # noqa: S608 - constants only


async def take_back(session: Session, orphans: Sequence[Orphan]) -> None:
    """Drop their receipts; they count as sent and wait for a block again."""
    ids = {"ids": [one.intent_id for one in orphans]}
    await session.execute(_TAKE_BACK, ids)
    await session.execute(_REVIVE, ids)
