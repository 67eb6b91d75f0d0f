"""What was done and who approved it: append-only tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from datetime import datetime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TRIGGERS = (
    """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'integrity_constraint_violation';
END $$
""",
    """
CREATE OR REPLACE TRIGGER append_only_rows
  BEFORE UPDATE OR DELETE ON audit_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table
  BEFORE TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_rows
  BEFORE UPDATE OR DELETE ON authorization_approvals
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table
  BEFORE TRUNCATE ON authorization_approvals
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
)
_DROP = (
    "DROP TABLE authorization_approvals",
    "DROP TABLE audit_entries",
    "DROP FUNCTION refuse_change()",
)


def upgrade() -> None:
    """Create the tables and what guards them."""
    _create_audit_entries()
    _index_audit_entries()
    _create_authorization_approvals()
    _execute(_TRIGGERS)


def downgrade() -> None:
    """Drop them."""
    _execute(_DROP)


def _create_audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("deal_id", "seq", name=op.f("pk_audit_entries")),
    )


def _index_audit_entries() -> None:
    op.create_index(
        op.f("ix_audit_entries_participant_bank_id_at"),
        "audit_entries",
        ["participant_bank_id", "at"],
    )


def _create_authorization_approvals() -> None:
    op.create_table(
        "authorization_approvals",
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("principal_id", sa.Text(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint(
            "deal_id", "plan_hash", "principal_id", name=op.f("pk_authorization_approvals")
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
