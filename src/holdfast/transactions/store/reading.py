"""Reading intents: the live ones for the chain loop, the outcomes for execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, select, text

from holdfast.transactions.model import IntentOutcome, IntentStatus, Place
from holdfast.transactions.store.rows import intents_of, receipt_of
from holdfast.transactions.store.tables import (
    IS_LIVE,
    IS_UNSENT,
    attempts,
    cursors,
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


def _whole() -> Select[Any]:
    """Intents with key, attempts and receipt, in nonce order per sender."""
    return (
        select(intents, *_KEY, *_ATTEMPT, *_RECEIPT)
        .join(attempts, attempts.c.intent_id == intents.c.intent_id)
        .join(
            signers,
            and_(signers.c.chain_id == intents.c.chain_id, signers.c.address == intents.c.sender),
        )
        .outerjoin(receipts, receipts.c.intent_id == intents.c.intent_id)
        .order_by(*_ORDER)
    )


async def live_intents(session: Session, chain_id: ChainId) -> list[Intent]:
    """Every intent of the chain that is not final, in nonce order per sender."""
    return intents_of(await session.execute(live_query(chain_id)))


async def intents_to_act_on(session: Session, chain_id: ChainId) -> list[Intent]:
    """The live intents with unsent bytes or a cancellation asked for, in nonce order per sender."""
    return intents_of(await session.execute(query_to_act_on(chain_id)))


def live_query(chain_id: ChainId) -> Select[Any]:
    """What `live_intents` reads."""
    return _whole().where(intents.c.chain_id == chain_id, _IS_LIVE)


def query_to_act_on(chain_id: ChainId) -> Select[Any]:
    """What `intents_to_act_on` reads."""
    unsent = select(attempts.c.intent_id).where(attempts.c.chain_id == chain_id, _IS_UNSENT)
    unwanted = select(intents.c.intent_id).where(
        intents.c.chain_id == chain_id, intents.c.cancel_requested, _IS_LIVE
    )
    return _whole().where(intents.c.intent_id.in_(unsent.union_all(unwanted)), _IS_LIVE)


async def outcomes_of(
    session: Session, deal_id: DealId, legs: Collection[LegId] | None
) -> list[IntentOutcome]:
    """How the deal's intents stand, of all legs or of some, oldest nonce first."""
    return [_outcome(row) for row in await session.execute(outcomes_query(deal_id, legs))]


def outcomes_query(deal_id: DealId, legs: Collection[LegId] | None) -> Select[Any]:
    """What `outcomes_of` reads."""
    last = (
        select(attempts.c.tx_hash)
        .where(attempts.c.intent_id == intents.c.intent_id)
        .order_by(attempts.c.attempt_no.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(intents, func.coalesce(receipts.c.tx_hash, last).label("deciding_hash"), *_RECEIPT)
        .outerjoin(receipts, receipts.c.intent_id == intents.c.intent_id)
        .where(intents.c.deal_id == deal_id)
        .order_by(intents.c.sender, intents.c.nonce)
    )
    return query if legs is None else query.where(intents.c.leg_id.in_(legs))


async def count_live(session: Session, deal_id: DealId) -> int:
    """How many of the deal's intents are not final."""
    query = select(func.count()).where(intents.c.deal_id == deal_id, _IS_LIVE)
    return (await session.execute(query)).scalar_one()


async def live_value_of(session: Session, chain_id: ChainId, sender: Address) -> int:
    """The native token, in wei, that the sender's intents that are not final send along."""
    total = func.coalesce(func.sum(intents.c.value_wei), 0)
    query = select(total).where(
        intents.c.chain_id == chain_id, intents.c.sender == sender, _IS_LIVE
    )
    return int((await session.execute(query)).scalar_one())


async def place_of(session: Session, chain_id: ChainId) -> Place | None:
    """The last block of the chain whose receipts are all written; None before the first."""
    query = select(cursors.c.block_number, cursors.c.block_hash).where(
        cursors.c.chain_id == chain_id
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Place(row.block_number, row.block_hash)


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
