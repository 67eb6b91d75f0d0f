"""Re-opened legs, reversed ledger entries and the snapshot before each step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TRIGGERS = (
    """
CREATE OR REPLACE TRIGGER append_only_rows
  BEFORE UPDATE OR DELETE ON deal_snapshots
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table
  BEFORE TRUNCATE ON deal_snapshots
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
)


def upgrade() -> None:
    """Let an entry be taken back and booked again; keep what each decision saw."""
    _revise_entries()
    op.create_table(
        "deal_snapshots",
        sa.Column("group_id", sa.Uuid(), primary_key=True),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("deal_nonce", sa.BigInteger(), nullable=False),
        sa.Column("float_nonce", sa.BigInteger(), nullable=False),
        sa.Column("position", postgresql.JSONB(), nullable=False),
        sa.Column("venues", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    op.create_index("ix_deal_snapshots_deal_id", "deal_snapshots", ["deal_id"])
    for statement in _TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    """Drop it; refused by PostgreSQL while an entry was booked a second time."""
    op.execute("DROP TABLE deal_snapshots")
    op.drop_constraint("uq_ledger_entries_deal_id_reference_revision", "ledger_entries")
    op.create_unique_constraint(
        "uq_ledger_entries_deal_id_reference", "ledger_entries", ["deal_id", "reference"]
    )
    op.drop_constraint("uq_ledger_entries_reverses", "ledger_entries")
    op.drop_column("ledger_entries", "reverses")
    op.drop_column("ledger_entries", "revision")


def _revise_entries() -> None:
    op.add_column(
        "ledger_entries",
        sa.Column("revision", sa.SmallInteger(), nullable=False, server_default=sa.text("1")),
    )
    op.add_column("ledger_entries", sa.Column("reverses", sa.Uuid()))
    op.create_foreign_key(
        "fk_ledger_entries_reverses", "ledger_entries", "ledger_entries", ["reverses"], ["entry_id"]
    )
    op.drop_constraint("uq_ledger_entries_deal_id_reference", "ledger_entries")
    op.create_unique_constraint(
        "uq_ledger_entries_deal_id_reference_revision",
        "ledger_entries",
        ["deal_id", "reference", "revision"],
    )
    op.create_unique_constraint("uq_ledger_entries_reverses", "ledger_entries", ["reverses"])
