"""From database rows to intents, attempts, receipts and back."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from holdfast.common.evm import BlockRef, EventLog, Receipt
from holdfast.model.leg import Call, ExpectedEvent
from holdfast.signing.model import Fees, KeyRef
from holdfast.transactions.model import (
    Attempt,
    AttemptState,
    Delivery,
    Intent,
    IntentStatus,
    NewIntent,
    Purpose,
    Sent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def intents_of(rows: Iterable[Any]) -> list[Intent]:
    """Intents from rows of intent, key, attempt and receipt, ordered by intent and attempt."""
    return [_intent(list(group)) for _, group in groupby(rows, key=lambda row: row.intent_id)]


def _intent(rows: list[Any]) -> Intent:
    row = rows[0]
    return Intent(
        new=_new_intent(row),
        nonce=row.nonce,
        status=IntentStatus(row.status),
        cancel_requested=row.cancel_requested,
        attempts=tuple(_attempt(one) for one in rows),
        receipt=receipt_of(row),
        reason=row.reason,
    )


def _new_intent(row: Any) -> NewIntent:  # noqa: ANN401 - a database row
    return NewIntent(
        intent_id=row.intent_id,
        leg_id=row.leg_id,
        deal_id=row.deal_id,
        group_id=row.group_id,
        chain_id=row.chain_id,
        participant_bank_id=row.participant_bank_id,
        sender=row.sender,
        key=KeyRef(row.key_backend, row.key_id, row.key_version, row.key_not_after),
        call=Call(row.target, row.data, row.value_wei),
        gas_limit=row.gas_limit,
        expected=None if row.expected is None else _event(row.expected),
        deadline=row.deadline,
        depth=row.depth,
        fee_ceiling_wei=row.fee_ceiling_wei,
        is_sweep=row.is_sweep,
    )


def _attempt(row: Any) -> Attempt:  # noqa: ANN401 - a database row
    sent = None
    if row.sent_at is not None:
        sent = Sent(row.sent_block, row.sent_at.timestamp(), Delivery(row.delivery))
    return Attempt(
        attempt_no=row.attempt_no,
        purpose=Purpose(row.purpose),
        tx_hash=row.attempt_hash,
        raw=row.raw,
        fees=Fees(row.cap_wei, row.tip_wei, is_legacy=row.is_legacy),
        state=AttemptState(row.state),
        sent=sent,
    )


def _event(stored: dict[str, Any]) -> ExpectedEvent:
    topics = tuple(None if one is None else bytes.fromhex(one) for one in stored["topics"])
    return ExpectedEvent(stored["address"], topics)


def receipt_of(row: Any) -> Receipt | None:  # noqa: ANN401 - a database row
    """The receipt in a row that was joined with receipts; None where there is none."""
    if row.receipt_hash is None:
        return None
    return Receipt(
        tx_hash=row.receipt_hash,
        block=BlockRef(row.block_number, row.block_hash, row.block_timestamp),
        sender=row.receipt_sender,
        succeeded=row.succeeded,
        gas_used=row.gas_used,
        effective_gas_price_wei=int(row.effective_gas_price_wei),
        logs=tuple(_log(one) for one in row.logs),
    )


def receipt_row(new: NewIntent, receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON values; each log as its address, topics, data and index."""
    return {
        "intent_id": new.intent_id,
        "chain_id": new.chain_id,
        "bank": new.participant_bank_id,
        "tx_hash": receipt.tx_hash,
        "block_number": receipt.block.number,
        "block_hash": receipt.block.hash,
        "block_timestamp": receipt.block.timestamp,
        "sender": receipt.sender,
        "succeeded": receipt.succeeded,
        "gas_used": receipt.gas_used,
        "price_wei": str(receipt.effective_gas_price_wei),
        "logs": [
            (log.address, [topic.hex() for topic in log.topics], log.data.hex(), log.log_index)
            for log in receipt.logs
        ],
    }


def _log(stored: list[Any]) -> EventLog:
    address, topics, data, index = stored
    return EventLog(
        address, tuple(bytes.fromhex(one) for one in topics), bytes.fromhex(data), index
    )
