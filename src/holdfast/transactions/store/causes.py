"""Whose a mined transaction is: by the hashes of all signed bytes, sent or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, Text, any_, bindparam, select

from holdfast.transactions.model import Cause
from holdfast.transactions.store.tables import attempts, intents, signers

if TYPE_CHECKING:
    from collections.abc import Collection

    from holdfast.common.db import Session
    from holdfast.common.evm import Address, TxHash
    from holdfast.common.ids import ChainId

_CAUSES = (
    select(
        attempts.c.tx_hash,
        intents.c.intent_id,
        intents.c.leg_id,
        intents.c.deal_id,
        intents.c.participant_bank_id,
    )
    .join(intents, intents.c.intent_id == attempts.c.intent_id)
    .where(attempts.c.tx_hash == any_(bindparam("hashes", type_=ARRAY(Text))))
)
_NONCES = select(signers.c.address, signers.c.next_nonce).where(
    signers.c.chain_id == bindparam("chain"),
    signers.c.address == any_(bindparam("addresses", type_=ARRAY(Text))),
)


async def causes_of(session: Session, hashes: Collection[TxHash]) -> dict[TxHash, Cause]:
    """What those of the transactions were for that we signed."""
    found = await session.execute(_CAUSES, {"hashes": list(hashes)})
    return {
        row.tx_hash: Cause(row.intent_id, row.leg_id, row.deal_id, row.participant_bank_id)
        for row in found
    }


async def next_nonces(
    session: Session, chain_id: ChainId, addresses: Collection[Address]
) -> dict[Address, int]:
    """The nonce after the last one given out, of those addresses that we ever signed for."""
    found = await session.execute(_NONCES, {"chain": chain_id, "addresses": list(addresses)})
    return {row.address: row.next_nonce for row in found}
