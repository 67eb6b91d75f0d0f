"""The trading state of the desk, each bank and each chain; what a deal waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# The row that whoever adds risk holds: it must be there before anybody does.
_DESK = """
INSERT INTO trading_states (scope, source, state, reason, set_by, since, seen_at)
VALUES ('desk', 'person', 'active', 'as installed', 'migration', now(), now())
"""


def upgrade() -> None:
    """Add to the schema; what older code uses stays as it is."""
    op.create_table(
        "trading_states",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'halted', 'reducing')", name=op.f("ck_trading_states_state")
        ),
        sa.CheckConstraint(
            "source IN ('monitor', 'person')", name=op.f("ck_trading_states_source")
        ),
        sa.PrimaryKeyConstraint("scope", "source", name=op.f("pk_trading_states")),
    )
    op.execute(_DESK)
    op.add_column("deals", sa.Column("waits_for", sa.Text()))


def downgrade() -> None:
    """Drop them; older code knows no trading state: halt by stopping its workers."""
    op.drop_column("deals", "waits_for")
    op.drop_table("trading_states")
