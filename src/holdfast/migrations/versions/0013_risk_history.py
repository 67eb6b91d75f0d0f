"""The monitor's ticks: what every open deal looked like, stored compactly."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "risk_ticks",
        sa.Column("tick_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("took_micros", sa.BigInteger(), nullable=False),
        sa.Column("is_kept", sa.Boolean(), nullable=False),
        sa.Column("market", JSONB(), nullable=False),
        sa.Column("deals", sa.Integer(), nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("columns", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    op.create_index("ix_risk_ticks_chain_id_created_at", "risk_ticks", ["chain_id", "created_at"])
    op.create_index("ix_risk_ticks_chain_id_taken_at", "risk_ticks", ["chain_id", "taken_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("risk_ticks")
