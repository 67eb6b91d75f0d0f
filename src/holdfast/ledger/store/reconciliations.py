"""Reconciliations with all their lines, written in one statement each."""

from sqlalchemy import bindparam, text

from holdfast.common.db import Json, Session, Units
from holdfast.ledger.model import Book
from holdfast.ledger.reconciliation import Line, Reconciliation

_INSERT_RECONCILIATION = text(
    """
    WITH made AS (
      INSERT INTO ledger_reconciliations (
        deal_id, participant_bank_id, chain_id, block_number, block_hash, block_timestamp,
        mismatch_units)
      VALUES (:deal_id, :bank, :chain_id, :block_number, :block_hash, :block_timestamp, :mismatch)
      RETURNING reconciliation_id
    )
    INSERT INTO ledger_reconciliation_lines (
      reconciliation_id, account, symbol, ledger_units, chain_units, mismatch_units)
    SELECT made.reconciliation_id, l.account, l.symbol, l.ledger, l.chain, l.mismatch
    FROM made, jsonb_to_recordset(:lines) AS l(
      account text, symbol text, ledger numeric(78, 0), chain numeric(78, 0),
      mismatch numeric(78, 0))
    """
).bindparams(bindparam("lines", type_=Json), bindparam("mismatch", type_=Units))


async def insert_reconciliation(session: Session, book: Book, made: Reconciliation) -> None:
    """Write a reconciliation with all its lines."""
    await session.execute(
        _INSERT_RECONCILIATION,
        {
            "deal_id": book.deal_id,
            "bank": book.bank,
            "chain_id": book.chain_id,
            "block_number": made.at.number,
            "block_hash": made.at.hash,
            "block_timestamp": made.at.timestamp,
            "mismatch": made.mismatch_wei,
            "lines": [_line_row(line) for line in made.lines],
        },
    )


def _line_row(line: Line) -> dict[str, object]:
    return {
        "account": line.account,
        "symbol": line.ledger.token.symbol,
        "ledger": line.ledger.units,
        "chain": line.chain.units,
        "mismatch": line.mismatch,
    }
