"""The ledger's tables, and the statements that keep them append-only and balanced."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from holdfast.common.append_only import append_only
from holdfast.common.db import Units, block_columns, metadata, stamp

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    Column("deal_id", Uuid, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("leg_id", Uuid, nullable=True),
    Column("tx_hash", Text, nullable=True),
    *block_columns(),
    Column("digest", LargeBinary, nullable=False),
    Column("revision", SmallInteger, nullable=False, server_default=text("1")),
    Column("reverses", Uuid, ForeignKey("ledger_entries.entry_id")),
    stamp("created_at"),
    # One booking per transaction and deal, whatever is posted again after a crash; a further one
    # only after a reorg took the deal's entries back.
    UniqueConstraint("deal_id", "reference", "revision"),
    # What was taken back stays so: a second reversal would take back something else.
    UniqueConstraint("reverses"),
)

ledger_postings = Table(
    "ledger_postings",
    metadata,
    Column("entry_id", Uuid, ForeignKey("ledger_entries.entry_id"), primary_key=True),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    Column("deal_id", Uuid, nullable=False, index=True),
    Column("participant_bank_id", Text, nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("decimals", SmallInteger, nullable=False),
    Column("token_address", Text, nullable=True),
    Column("holder", Text, nullable=True),
    Column("units", Units, nullable=False),
    Column("scaled", Units, nullable=False),
    stamp("created_at"),
)

ledger_core = Table(
    "ledger_core",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("units", Units, nullable=False),
    stamp("created_at"),
    stamp("updated_at"),
)
"""What open deals book on each core address: the sum of its postings, kept by a trigger on
them, whichever version writes. Its row is also the lock under which deals book on the same address
in turns."""

ledger_reconciliations = Table(
    "ledger_reconciliations",
    metadata,
    Column("reconciliation_id", BigInteger, Identity(), primary_key=True),
    Column("deal_id", Uuid, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    *block_columns(),
    Column("mismatch_units", Units, nullable=False),
    stamp("created_at"),
    Index(None, "deal_id", "block_number"),
)

ledger_reconciliation_lines = Table(
    "ledger_reconciliation_lines",
    metadata,
    Column(
        "reconciliation_id",
        BigInteger,
        ForeignKey("ledger_reconciliations.reconciliation_id"),
        primary_key=True,
    ),
    Column("account", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("ledger_units", Units, nullable=False),
    Column("chain_units", Units, nullable=False),
    Column("mismatch_units", Units, nullable=False),
    stamp("created_at"),
)

_REFUSE_UNBALANCED = """
CREATE OR REPLACE FUNCTION ledger_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM added GROUP BY entry_id, symbol, token_address HAVING sum(units) <> 0
  ) THEN
    RAISE EXCEPTION 'a journal entry does not sum to zero'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$
""".strip()

_BALANCED = """
CREATE OR REPLACE TRIGGER balanced AFTER INSERT ON ledger_postings REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_unbalanced()
""".strip()

_ADD_UP_CORE = """
CREATE OR REPLACE FUNCTION ledger_add_up_core() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger_core AS kept (chain_id, holder, units)
  SELECT chain_id, holder, sum(units) FROM added WHERE account = 'asset/core'
  GROUP BY chain_id, holder
  ON CONFLICT (chain_id, holder)
  DO UPDATE SET units = kept.units + EXCLUDED.units, updated_at = now();
  RETURN NULL;
END $$
""".strip()

_CORE_ADDED_UP = """
CREATE OR REPLACE TRIGGER core_added_up AFTER INSERT ON ledger_postings
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_add_up_core()
""".strip()

TRIGGERS: tuple[str, ...] = (
    *append_only("ledger_entries"),
    *append_only("ledger_postings"),
    *append_only("ledger_reconciliations"),
    *append_only("ledger_reconciliation_lines"),
    _REFUSE_UNBALANCED,
    _BALANCED,
    _ADD_UP_CORE,
    _CORE_ADDED_UP,
)
"""Statements for the migration that creates the tables, in order.

An entry's postings are written in one statement, so that a statement's rows must sum to zero.
"""
