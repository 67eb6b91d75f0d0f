"""Reading the entries that a reorg makes untrue, so that they can be taken back."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Row, text

from holdfast.common.db import Session
from holdfast.common.evm import BlockHash, BlockRef, TxHash
from holdfast.common.ids import ChainId, DealId, LegId
from holdfast.common.money import Token, TokenAmount
from holdfast.ledger.model import Account, EntryKind, JournalEntry, Posting

# Interest and claims are booked at whatever block a decision read, so by number alone.
_UNTRUE = text("""
    SELECT e.entry_id, e.kind, e.reference, e.label, e.leg_id, e.tx_hash, e.block_number,
      e.block_hash, e.block_timestamp, e.revision, p.account, p.chain_id, p.symbol, p.decimals,
      p.token_address, p.units, p.scaled
    FROM ledger_entries AS e JOIN ledger_postings AS p USING (entry_id)
    LEFT JOIN ledger_entries AS r ON r.reverses = e.entry_id
    WHERE e.deal_id = :deal_id AND r.entry_id IS NULL AND (
      e.kind <> 'reversal' AND e.tx_hash = ANY(CAST(:hashes AS text[]))
      OR e.kind IN ('accrual', 'claim_booked', 'claim_released', 'unsolicited')
        AND e.block_number >= :first)
    ORDER BY e.block_number, e.entry_id, p.position
""")


async def untrue_entries(
    session: Session, deal: DealId, hashes: Sequence[TxHash], first: int
) -> list[JournalEntry]:
    """The deal's entries made from those transactions, or from a decision at block `first` on."""
    asked = {"deal_id": deal, "hashes": list(hashes), "first": first}
    rows: Iterable[Row[Any]] = await session.execute(_UNTRUE, asked)
    return [_entry(deal, list(group)) for _, group in groupby(rows, key=lambda row: row.entry_id)]


def _entry(deal: DealId, rows: Sequence[Row[Any]]) -> JournalEntry:
    row = rows[0]
    return JournalEntry(
        deal_id=deal,
        kind=EntryKind(row.kind),
        reference=row.reference,
        label=row.label,
        block=BlockRef(row.block_number, BlockHash(row.block_hash), row.block_timestamp),
        postings=tuple(map(_posting, rows)),
        leg_id=None if row.leg_id is None else LegId(row.leg_id),
        tx_hash=row.tx_hash,
        revision=row.revision,
    )


def _posting(row: Row[Any]) -> Posting:
    token = Token(ChainId(row.chain_id), row.symbol, row.decimals, row.token_address)
    return Posting(Account(row.account), TokenAmount(token, int(row.units)), int(row.scaled))
