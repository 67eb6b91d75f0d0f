"""Reading intents: the live ones for the chain loop, the outcomes for execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
)

from holdfast.transactions.model import EVENT_MISSING, IntentOutcome, IntentStatus, Place
from holdfast.transactions.shard import Shard
from holdfast.transactions.store.rows import intents_of, receipt_of
from holdfast.transactions.store.tables import (
    IS_LIVE,
    IS_UNSENT,
    attempts,
    in_shard,
    intents,
    receipts,
    signers,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId, DealId, LegId
    from holdfast.transactions.model import Intent

# Literally as in the partial indexes: with a bound value, a prepared statement could not use them.
_IS_LIVE = text(IS_LIVE)
_IS_UNSENT = text(IS_UNSENT)
_ALL: Final = Shard()
_NOT_READ = {"evidence", "acknowledged_at", "created_at", "updated_at", "version"}
_INTENT = [column for column in intents.c if column.name not in _NOT_READ]
_REASON = literal_column("coalesce(intents.evidence->>'reason', '')", Text)
_RECEIPT = (
    receipts.c.tx_hash.label("receipt_hash"),
    receipts.c.sender.label("receipt_sender"),
    *(
        receipts.c[name]
        for name in (
            "block_number",
            "block_hash",
            "block_timestamp",
            "succeeded",
            "gas_used",
            "effective_gas_price_wei",
            "logs",
        )
    ),
)
_ATTEMPT = (
    attempts.c.tx_hash.label("attempt_hash"),
    *(
        attempts.c[name]
        for name in (
            "attempt_no",
            "purpose",
            "raw",
            "cap_wei",
            "tip_wei",
            "is_legacy",
            "state",
            "sent_block",
            "sent_at",
            "delivery",
        )
    ),
)
_KEY = tuple(signers.c[f"key_{name}"] for name in ("backend", "id", "version", "not_after"))
_ORDER = (intents.c.sender, intents.c.nonce, attempts.c.attempt_no)


_IN_SHARD = text(in_shard("intents.sender")).bindparams(shards=1, shard=0)
_CHAIN = bindparam("chain", type_=BigInteger)
_UNSENT = select(attempts.c.intent_id).where(attempts.c.chain_id == _CHAIN, _IS_UNSENT)
_UNWANTED = select(intents.c.intent_id).where(
    intents.c.chain_id == _CHAIN, intents.c.cancel_requested, _IS_LIVE
)
_LAST_HASH = (
    select(attempts.c.tx_hash)
    .where(attempts.c.intent_id == intents.c.intent_id)
    .order_by(attempts.c.attempt_no.desc())
    .limit(literal_column("1"))
    .scalar_subquery()
)

# Statements are made once: putting one together costs more than running it.
WHOLE: Final = (
    select(*_INTENT, _REASON.label("reason"), *_KEY, *_ATTEMPT, *_RECEIPT)
    .join(attempts, attempts.c.intent_id == intents.c.intent_id)
    .join(
        signers,
        and_(signers.c.chain_id == intents.c.chain_id, signers.c.address == intents.c.sender),
    )
    .outerjoin(receipts, receipts.c.intent_id == intents.c.intent_id)
    .order_by(*_ORDER)
)
"""Intents with their keys, attempts and receipts; what reads them adds what it looks for."""
LIVE: Final = WHOLE.where(intents.c.chain_id == _CHAIN, _IS_LIVE, _IN_SHARD)
"""What `live_intents` reads."""
TO_ACT_ON: Final = WHOLE.where(
    intents.c.intent_id.in_(_UNSENT.union_all(_UNWANTED)), _IS_LIVE, _IN_SHARD
)
"""What `intents_to_act_on` reads."""
OUTCOMES: Final = (
    select(
        *(intents.c[name] for name in ("intent_id", "leg_id", "group_id", "deal_id", "nonce")),
        intents.c.status,
        intents.c.evidence,
        func.coalesce(receipts.c.tx_hash, _LAST_HASH).label("deciding_hash"),
        *_RECEIPT,
    )
    .outerjoin(receipts, receipts.c.intent_id == intents.c.intent_id)
    .where(intents.c.deal_id == bindparam("deal"))
    .order_by(intents.c.sender, intents.c.nonce)
)
"""What `outcomes_of` reads."""
# What fills a gap calls its own sender, which no leg does.
_OUTCOMES_OF_LEGS = OUTCOMES.where(
    or_(
        intents.c.leg_id == any_(bindparam("legs", type_=ARRAY(Uuid))),
        intents.c.target == intents.c.sender,
    )
)


async def live_intents(session: Session, chain_id: ChainId, shard: Shard = _ALL) -> list[Intent]:
    """Every intent of the shard that is not final, in nonce order per sender."""
    return intents_of(await session.execute(LIVE, _values(chain_id, shard)))


async def intents_to_act_on(
    session: Session, chain_id: ChainId, shard: Shard = _ALL
) -> list[Intent]:
    """The live intents with unsent bytes or a cancellation asked for, in nonce order per sender."""
    return intents_of(await session.execute(TO_ACT_ON, _values(chain_id, shard)))


async def outcomes_of(
    session: Session, deal_id: DealId, legs: Collection[LegId] | None
) -> list[IntentOutcome]:
    """How the deal's intents stand, of all legs or of some and of no leg, oldest nonce first."""
    if legs is None:
        found = await session.execute(OUTCOMES, {"deal": deal_id})
    else:
        found = await session.execute(_OUTCOMES_OF_LEGS, {"deal": deal_id, "legs": list(legs)})
    return [_outcome(row) for row in found]


async def last_block_of(session: Session, deal_id: DealId) -> Place | None:
    """The newest block that holds a transaction of the deal; None before the first."""
    query = (
        select(receipts.c.block_number, receipts.c.block_hash)
        .join(intents, intents.c.intent_id == receipts.c.intent_id)
        .where(intents.c.deal_id == deal_id)
        .order_by(receipts.c.block_number.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Place(row.block_number, row.block_hash)


async def count_unsettled_below(
    session: Session, chain_id: ChainId, sender: Address, nonce: int
) -> int:
    """How many of the sender's intents below `nonce` may not be what used their nonces.

    One that lacks only its event is not among them: its receipt at depth says that it was, and
    only a person can tell the rest.
    """
    query = select(func.count()).where(
        intents.c.chain_id == chain_id,
        intents.c.sender == sender,
        intents.c.nonce < nonce,
        _IS_LIVE,
        ~and_(intents.c.status == str(IntentStatus.AMBIGUOUS), _REASON == EVENT_MISSING),
    )
    return (await session.execute(query)).scalar_one()


async def live_value_of(session: Session, chain_id: ChainId, sender: Address) -> int:
    """The native token, in wei, that the sender's intents that are not final send along."""
    total = func.coalesce(func.sum(intents.c.value_wei), 0)
    query = select(total).where(
        intents.c.chain_id == chain_id, intents.c.sender == sender, _IS_LIVE
    )
    return int((await session.execute(query)).scalar_one())


# A loop's own place is good however old it is: what lies above is read again. A new division of
# the senders begins at the lowest place of the old one, whose loops together had all of them; the
# places of a division that was left long ago are behind by more than a day, and do not count.
_PLACE = text("""
    WITH places AS (
        SELECT 1 AS shards, 0 AS shard, block_number, block_hash, updated_at
        FROM chain_cursors WHERE chain_id = :chain
        UNION ALL
        SELECT shards, shard, block_number, block_hash, updated_at
        FROM shard_places WHERE chain_id = :chain
    )
    SELECT block_number, block_hash FROM places
    WHERE (shards = :shards AND shard = :shard)
        OR updated_at > (SELECT max(updated_at) FROM places) - interval '1 day'
    ORDER BY (shards = :shards AND shard = :shard) DESC, block_number
    LIMIT 1
""")


async def place_of(session: Session, chain_id: ChainId, shard: Shard = _ALL) -> Place | None:
    """The last block whose receipts of the shard are all written; None before the first."""
    row = (await session.execute(_PLACE, _values(chain_id, shard))).one_or_none()
    return None if row is None else Place(row.block_number, row.block_hash)


_FOLLOWED = text("""
    SELECT coalesce(max(block_number), 0) FROM (
        SELECT block_number FROM chain_cursors WHERE chain_id = :chain
        UNION ALL SELECT block_number FROM shard_places WHERE chain_id = :chain
    ) AS places
""")


async def followed_to(session: Session, chain_id: ChainId) -> int:
    """The newest block that a loop of the chain has reached; 0 before the first."""
    return int((await session.execute(_FOLLOWED, {"chain": chain_id})).scalar_one())


def _values(chain_id: ChainId, shard: Shard) -> dict[str, int]:
    return {"chain": chain_id, "shards": shard.of, "shard": shard.number}


def _outcome(row: Any) -> IntentOutcome:  # noqa: ANN401 - a database row
    return IntentOutcome(
        intent_id=row.intent_id,
        leg_id=row.leg_id,
        group_id=row.group_id,
        deal_id=row.deal_id,
        status=IntentStatus(row.status),
        nonce=row.nonce,
        tx_hash=row.deciding_hash,
        receipt=receipt_of(row),
        evidence=row.evidence,
    )
