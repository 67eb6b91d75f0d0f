"""Writing new intents: nonces, rows and the call that wakes the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from holdfast.transactions.errors import leg_has_intent
from holdfast.transactions.model import AttemptState, IntentStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId
    from holdfast.model.leg import ExpectedEvent
    from holdfast.signing.model import KeyRef
    from holdfast.transactions.model import Attempt, Intent, NewIntent

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


_ANNOUNCE = text(f"SELECT pg_notify('{CHANNEL}', CAST(:chain_id AS text))")

_LOCK_SIGNER = text("""
    SELECT next_nonce FROM signers WHERE chain_id = :chain_id AND address = :address FOR UPDATE
""")


async def lock_signer(session: Session, chain_id: ChainId, sender: Address) -> int | None:
    """The nonce that the signer's next intent gets, which stays until the transaction ends.

    None for an account that has not signed anything yet.
    """
    found = await session.execute(_LOCK_SIGNER, {"chain_id": chain_id, "address": sender})
    row = found.one_or_none()
    return None if row is None else int(row.next_nonce)


_SKIP_TO = text("""
    UPDATE signers SET next_nonce = :nonce, version = version + 1, updated_at = now()
    WHERE chain_id = :chain_id AND address = :address AND next_nonce < :nonce
""")


async def skip_to(session: Session, chain_id: ChainId, sender: Address, nonce: int) -> None:
    """Give the nonces below `nonce` to nobody."""
    await session.execute(_SKIP_TO, {"chain_id": chain_id, "address": sender, "nonce": nonce})


# One JSON value for all rows costs the client a third of what a parameter for each field does.
_INSERT = text(f"""
    WITH new AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
            intent_id uuid, chain_id bigint, bank text, deal_id uuid, leg_id uuid, group_id uuid,
            sender text, nonce bigint, target text, data text, value_wei numeric,
            gas_limit bigint, expected jsonb, deadline bigint, depth int, ceiling numeric,
            is_sweep bool, attempt_no smallint, purpose text, tx_hash text, raw text,
            cap_wei numeric, tip_wei numeric, is_legacy bool)
    ), made AS (
        INSERT INTO intents (intent_id, chain_id, participant_bank_id, deal_id, leg_id, group_id,
            sender, nonce, target, data, value_wei, gas_limit, expected, deadline, depth,
            fee_ceiling_wei, is_sweep, status)
        SELECT intent_id, chain_id, bank, deal_id, leg_id, group_id, sender, nonce, target,
            decode(data, 'hex'), value_wei, gas_limit, expected, deadline, depth, ceiling,
            is_sweep, '{IntentStatus.SIGNED}'
        FROM new
    )
    INSERT INTO attempts (intent_id, attempt_no, chain_id, participant_bank_id, purpose, tx_hash,
        raw, cap_wei, tip_wei, is_legacy, state)
    SELECT intent_id, attempt_no, chain_id, bank, purpose, tx_hash, decode(raw, 'hex'), cap_wei,
        tip_wei, is_legacy, '{AttemptState.SIGNED}'
    FROM new
""")  # noqa: S608 - constants only


async def insert_intents(
    session: Session, signed: Sequence[tuple[NewIntent, int, Attempt]]
) -> None:
    """Write intents with their nonce and first attempt.

    Raises:
        Rejected: `tx.leg_has_intent` when a leg has a live or landed intent.
    """
    rows = [{**_intent_row(new, nonce), **attempt_row(one)} for new, nonce, one in signed]
    try:
        await session.execute(_INSERT, {"rows": orjson.dumps(rows).decode()})
    except IntegrityError as error:
        if "uq_intents_leg_id" in str(error.orig):
            raise leg_has_intent() from error
        raise


_HOLDER = text("""
    SELECT 1 FROM intents WHERE chain_id = :chain_id AND sender = :sender AND nonce = :nonce
""")


async def fill(session: Session, intent: Intent) -> bool:
    """Write an intent at a nonce that is nobody's; False, and nothing, when it is somebody's."""
    new = intent.new
    await lock_signer(session, new.chain_id, new.sender)
    where = {"chain_id": new.chain_id, "sender": new.sender, "nonce": intent.nonce}
    if (await session.execute(_HOLDER, where)).one_or_none() is not None:
        return False
    await insert_intents(session, [(new, intent.nonce, intent.last)])
    await session.execute(_ANNOUNCE, {"chain_id": new.chain_id})
    return True


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    """An attempt's own fields as JSON values; amounts are text, as they may pass 64 bits."""
    return {
        "attempt_no": attempt.attempt_no,
        "purpose": attempt.purpose,
        "tx_hash": attempt.tx_hash,
        "raw": attempt.raw.hex(),
        "cap_wei": str(attempt.fees.cap_wei),
        "tip_wei": str(attempt.fees.tip_wei),
        "is_legacy": attempt.fees.is_legacy,
    }


def _intent_row(new: NewIntent, nonce: int) -> dict[str, Any]:
    return {
        "intent_id": new.intent_id,
        "chain_id": new.chain_id,
        "bank": new.participant_bank_id,
        "deal_id": new.deal_id,
        "leg_id": new.leg_id,
        "group_id": new.group_id,
        "sender": new.sender,
        "nonce": nonce,
        "target": new.call.target,
        "data": new.call.data.hex(),
        "value_wei": str(new.call.value_wei),
        "gas_limit": new.gas_limit,
        "expected": None if new.expected is None else _expected(new.expected),
        "deadline": new.deadline,
        "depth": new.depth,
        "ceiling": str(new.fee_ceiling_wei),
        "is_sweep": new.is_sweep,
    }


def _expected(event: ExpectedEvent) -> dict[str, Any]:
    topics = [None if topic is None else topic.hex() for topic in event.topics]
    return {"address": event.address, "topics": topics}
