"""The double-entry ledger and its reconciliations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from datetime import datetime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TRIGGERS = (
    """
CREATE OR REPLACE TRIGGER append_only_rows
  BEFORE UPDATE OR DELETE ON ledger_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table
  BEFORE TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_rows
  BEFORE UPDATE OR DELETE ON ledger_postings
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table
  BEFORE TRUNCATE ON ledger_postings
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_rows
  BEFORE UPDATE OR DELETE ON ledger_reconciliations
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table
  BEFORE TRUNCATE ON ledger_reconciliations
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_rows
  BEFORE UPDATE OR DELETE ON ledger_reconciliation_lines
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table
  BEFORE TRUNCATE ON ledger_reconciliation_lines
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    """
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
""",
    """
CREATE OR REPLACE TRIGGER balanced AFTER INSERT ON ledger_postings REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_unbalanced()
""",
)
_DROP = (
    "DROP TABLE ledger_reconciliation_lines",
    "DROP TABLE ledger_postings",
    "DROP TABLE ledger_reconciliations",
    "DROP TABLE ledger_entries",
    "DROP FUNCTION ledger_refuse_unbalanced()",
)


def upgrade() -> None:
    """Create the tables and what guards them."""
    _create_ledger_entries()
    _create_ledger_reconciliations()
    _index_ledger_reconciliations()
    _create_ledger_postings()
    _index_ledger_postings()
    _create_ledger_reconciliation_lines()
    _execute(_TRIGGERS)


def downgrade() -> None:
    """Drop them."""
    _execute(_DROP)


def _create_ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("leg_id", sa.Uuid()),
        sa.Column("tx_hash", sa.Text()),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "deal_id", "reference", name=op.f("uq_ledger_entries_deal_id_reference")
        ),
    )


def _create_ledger_reconciliations() -> None:
    op.create_table(
        "ledger_reconciliations",
        sa.Column("reconciliation_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("mismatch_units", sa.Numeric(78, 0), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("reconciliation_id", name=op.f("pk_ledger_reconciliations")),
    )


def _index_ledger_reconciliations() -> None:
    op.create_index(
        op.f("ix_ledger_reconciliations_deal_id_block_number"),
        "ledger_reconciliations",
        ["deal_id", "block_number"],
    )


def _create_ledger_postings() -> None:
    op.create_table(
        "ledger_postings",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("decimals", sa.SmallInteger(), nullable=False),
        sa.Column("token_address", sa.Text()),
        sa.Column("holder", sa.Text()),
        sa.Column("units", sa.Numeric(78, 0), nullable=False),
        sa.Column("scaled", sa.Numeric(78, 0), nullable=False),
        _now("created_at"),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entries.entry_id"], name=op.f("fk_ledger_postings_entry_id")
        ),
        sa.PrimaryKeyConstraint("entry_id", "position", name=op.f("pk_ledger_postings")),
    )


def _index_ledger_postings() -> None:
    op.create_index(
        "ix_ledger_postings_core",
        "ledger_postings",
        ["chain_id", "holder"],
        postgresql_include=["units"],
        postgresql_where=sa.text("account = 'asset/core'"),
    )
    op.create_index(op.f("ix_ledger_postings_deal_id"), "ledger_postings", ["deal_id"])


def _create_ledger_reconciliation_lines() -> None:
    op.create_table(
        "ledger_reconciliation_lines",
        sa.Column("reconciliation_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("ledger_units", sa.Numeric(78, 0), nullable=False),
        sa.Column("chain_units", sa.Numeric(78, 0), nullable=False),
        sa.Column("mismatch_units", sa.Numeric(78, 0), nullable=False),
        _now("created_at"),
        sa.ForeignKeyConstraint(
            ["reconciliation_id"],
            ["ledger_reconciliations.reconciliation_id"],
            name=op.f("fk_ledger_reconciliation_lines_reconciliation_id"),
        ),
        sa.PrimaryKeyConstraint(
            "reconciliation_id", "account", "symbol", name=op.f("pk_ledger_reconciliation_lines")
        ),
    )


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)


def _execute(statements: tuple[str, ...]) -> None:
    for statement in statements:
        # Without parameters the driver leaves percent signs alone.
        options = {"no_parameters": True}
        op.get_bind().exec_driver_sql(statement, execution_options=options)
