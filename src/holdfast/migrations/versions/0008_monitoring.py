"""Alerts and chores, and the events of our accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from datetime import datetime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_alerts()
    _create_chores()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("chores")
    op.drop_table("alerts")


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fields", JSONB(), nullable=False),
        sa.Column("chain_id", sa.BigInteger()),
        sa.Column("deal_id", sa.Uuid()),
        sa.Column("participant_bank_id", sa.Text()),
        sa.Column("raised", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _now("opened_at"),
        _now("last_seen_at"),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True)),
        sa.Column("told_severity", sa.Text()),
        sa.Column("reached", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "severity IN ('critical', 'info', 'warning')", name=op.f("ck_alerts_severity")
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["code", "subject"],
        unique=True,
        postgresql_where=sa.text("acknowledged_at IS NULL"),
    )
    op.create_index(op.f("ix_alerts_opened_at"), "alerts", ["opened_at"])
    op.create_index(op.f("ix_alerts_deal_id"), "alerts", ["deal_id"])


def _create_chores() -> None:
    op.create_table(
        "chores",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _now("next_at"),
        sa.Column("error", sa.Text()),
        _now("created_at"),
        _now("updated_at"),
        sa.CheckConstraint("state IN ('failed', 'pending')", name=op.f("ck_chores_state")),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("pk_chores")),
    )
    op.create_index(
        "ix_chores_next_at",
        "chores",
        ["next_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)
