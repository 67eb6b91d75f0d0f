"""Reconciliations with all their lines, alone or with the entries that led to them."""

from collections.abc import Sequence

import orjson
from sqlalchemy import text

from holdfast.common.db import Session
from holdfast.common.ids import DealId
from holdfast.ledger.model import Book, JournalEntry
from holdfast.ledger.reconciliation import Line, Reconciliation
from holdfast.ledger.store.journal import BOOK_ENTRIES, entry_values

_MADE = """
    made AS (
      INSERT INTO ledger_reconciliations (
        deal_id, participant_bank_id, chain_id, block_number, block_hash, block_timestamp,
        mismatch_units)
      VALUES (:deal_id, :bank, :chain_id, :block_number, :block_hash, :block_timestamp,
        CAST(:mismatch AS numeric))
      RETURNING reconciliation_id
    ), compared AS (
      INSERT INTO ledger_reconciliation_lines (
        reconciliation_id, account, symbol, ledger_units, chain_units, mismatch_units)
      SELECT made.reconciliation_id, l.account, l.symbol, l.ledger, l.chain, l.mismatch
      FROM made, jsonb_to_recordset(CAST(:lines AS jsonb)) AS l(
        account text, symbol text, ledger numeric(78, 0), chain numeric(78, 0),
        mismatch numeric(78, 0))
    )
"""
_INSERT = text(f"WITH {_MADE} SELECT reconciliation_id FROM made")  # noqa: S608 - constants only
_INSERT_BOTH = text(f"WITH {BOOK_ENTRIES}, {_MADE} SELECT entry_id FROM booked")  # noqa: S608


async def insert_reconciliation(session: Session, book: Book, made: Reconciliation) -> None:
    """Write a reconciliation with all its lines."""
    owner = {"deal_id": book.deal_id, "bank": book.bank, "chain_id": book.chain_id}
    await session.execute(_INSERT, {**owner, **_values(made)})


async def insert_settlement(
    session: Session, book: Book, entries: Sequence[JournalEntry], made: Reconciliation
) -> int:
    """Write `entries` and the reconciliation after them; return how many entries were new."""
    values = {**entry_values(book, entries), **_values(made)}
    return len((await session.execute(_INSERT_BOTH, values)).all())


_LAST_MISSING = text("""
    SELECT account, symbol, ledger_units - chain_units AS missing
    FROM ledger_reconciliation_lines
    WHERE ledger_units > chain_units AND reconciliation_id = (
      SELECT max(reconciliation_id) FROM ledger_reconciliations WHERE deal_id = :deal_id)
""")


async def last_missing(session: Session, deal: DealId) -> dict[tuple[str, str], int]:
    """By how much the chain showed less than the ledger at the deal's last reconciliation."""
    rows = await session.execute(_LAST_MISSING, {"deal_id": deal})
    return {(row.account, row.symbol): int(row.missing) for row in rows}


def _values(made: Reconciliation) -> dict[str, object]:
    return {
        "block_number": made.at.number,
        "block_hash": made.at.hash,
        "block_timestamp": made.at.timestamp,
        "mismatch": str(made.mismatch_wei),
        "lines": orjson.dumps([_line_row(line) for line in made.lines]).decode(),
    }


def _line_row(line: Line) -> dict[str, object]:
    return {
        "account": line.account,
        "symbol": line.ledger.token.symbol,
        "ledger": str(line.ledger.units),
        "chain": str(line.chain.units),
        "mismatch": str(line.mismatch),
    }
