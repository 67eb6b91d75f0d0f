"""What open deals book on each core address, kept as a sum instead of added up each time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Kept by a trigger: workers of the version before, which know nothing of the sum, go on posting.
_TRIGGERS = (
    """
CREATE OR REPLACE FUNCTION ledger_add_up_core() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger_core AS kept (chain_id, holder, units)
  SELECT chain_id, holder, sum(units) FROM added WHERE account = 'asset/core'
  GROUP BY chain_id, holder
  ON CONFLICT (chain_id, holder)
  DO UPDATE SET units = kept.units + EXCLUDED.units, updated_at = now();
  RETURN NULL;
END $$
""",
    """
CREATE OR REPLACE TRIGGER core_added_up AFTER INSERT ON ledger_postings
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_add_up_core()
""",
)


def upgrade() -> None:
    """Keep the sums, starting with what is booked."""
    op.create_table(
        "ledger_core",
        sa.Column("chain_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text(), primary_key=True),
        sa.Column("units", sa.Numeric(78, 0), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    # Whoever is posting now commits first and is added up; whoever posts later meets the trigger.
    op.execute("LOCK TABLE ledger_postings")
    op.execute("""
        INSERT INTO ledger_core (chain_id, holder, units)
        SELECT chain_id, holder, sum(units) FROM ledger_postings WHERE account = 'asset/core'
        GROUP BY chain_id, holder
    """)
    for statement in _TRIGGERS:
        op.execute(statement)
    op.drop_index("ix_ledger_postings_core", "ledger_postings")


def downgrade() -> None:
    """Add them up each time again."""
    op.create_index(
        "ix_ledger_postings_core",
        "ledger_postings",
        ["chain_id", "holder"],
        postgresql_include=["units"],
        postgresql_where=sa.text("account = 'asset/core'"),
    )
    op.execute("DROP TRIGGER core_added_up ON ledger_postings")
    op.execute("DROP FUNCTION ledger_add_up_core()")
    op.drop_table("ledger_core")
