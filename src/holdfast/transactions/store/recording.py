"""Writing new intents: nonces, rows and the call that wakes the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from holdfast.transactions.errors import leg_has_intent
from holdfast.transactions.model import AttemptState, IntentStatus
from holdfast.transactions.store.tables import attempts, intents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId
    from holdfast.model.leg import ExpectedEvent
    from holdfast.signing.model import KeyRef
    from holdfast.transactions.model import Attempt, NewIntent

CHANNEL = "holdfast_intents"
"""The NOTIFY channel on which recorded intents are announced; the payload is the chain id."""


# One statement locks the signer's row until the end of the transaction, makes it on first use,
# takes the nonces, and announces them (Postgres delivers that only once the transaction commits).
_ALLOCATE = text(f"""
    INSERT INTO signers
        (chain_id, address, next_nonce, key_backend, key_id, key_version, key_not_after)
    VALUES (:chain_id, :address, :on_chain + :count, :backend, :key_id, :key_version, :not_after)
    ON CONFLICT (chain_id, address) DO UPDATE
    SET next_nonce = signers.next_nonce + :count, version = signers.version + 1, updated_at = now()
    RETURNING next_nonce - :count AS first_nonce, pg_notify('{CHANNEL}', CAST(:chain_id AS text))
""")  # noqa: S608 - the channel is a constant


async def allocate(
    session: Session, chain_id: ChainId, sender: Address, key: KeyRef, *, on_chain: int, count: int
) -> int:
    """The first of `count` nonces reserved; a signer's first use starts at `on_chain`."""
    row = (
        await session.execute(
            _ALLOCATE,
            {
                "chain_id": chain_id,
                "address": sender,
                "on_chain": on_chain,
                "count": count,
                "backend": key.backend,
                "key_id": key.key_id,
                "key_version": key.version,
                "not_after": key.not_after,
            },
        )
    ).one()
    return int(row.first_nonce)


async def insert_intents(
    session: Session, signed: Sequence[tuple[NewIntent, int, Attempt]]
) -> None:
    """Write intents with their nonce and first attempt.

    Raises:
        Rejected: `tx.leg_has_intent` when a leg has a live or landed intent.
    """
    try:
        await session.execute(intents.insert(), [_intent_row(new, no) for new, no, _ in signed])
    except IntegrityError as error:
        if "uq_intents_leg_id" in str(error.orig):
            raise leg_has_intent() from error
        raise
    await session.execute(attempts.insert(), [attempt_row(new, one) for new, _, one in signed])


def attempt_row(new: NewIntent, attempt: Attempt) -> dict[str, Any]:
    """The row of an unsent attempt."""
    return {
        "intent_id": new.intent_id,
        "attempt_no": attempt.attempt_no,
        "chain_id": new.chain_id,
        "participant_bank_id": new.participant_bank_id,
        "purpose": attempt.purpose,
        "tx_hash": attempt.tx_hash,
        "raw": attempt.raw,
        "cap_wei": attempt.fees.cap_wei,
        "tip_wei": attempt.fees.tip_wei,
        "is_legacy": attempt.fees.is_legacy,
        "state": AttemptState.SIGNED,
    }


def _intent_row(new: NewIntent, nonce: int) -> dict[str, Any]:
    return {
        "intent_id": new.intent_id,
        "chain_id": new.chain_id,
        "participant_bank_id": new.participant_bank_id,
        "deal_id": new.deal_id,
        "leg_id": new.leg_id,
        "group_id": new.group_id,
        "sender": new.sender,
        "nonce": nonce,
        "target": new.call.target,
        "data": new.call.data,
        "value_wei": new.call.value_wei,
        "gas_limit": new.gas_limit,
        "expected": None if new.expected is None else _expected(new.expected),
        "deadline": new.deadline,
        "depth": new.depth,
        "fee_ceiling_wei": new.fee_ceiling_wei,
        "is_sweep": new.is_sweep,
        "status": IntentStatus.SIGNED,
    }


def _expected(event: ExpectedEvent) -> dict[str, Any]:
    topics = [None if topic is None else topic.hex() for topic in event.topics]
    return {"address": event.address, "topics": topics}
