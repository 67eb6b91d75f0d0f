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

_TABLES = (
    *("account_events", "watched_accounts", "event_blocks", "event_cursors"),
    *("chores", "alerts"),
)


def upgrade() -> None:
    """Create the tables."""
    _create_alerts()
    _create_chores()
    _create_event_cursors()
    _create_watched_accounts()
    _create_account_events()


def downgrade() -> None:
    """Drop them."""
    for table in _TABLES:
        op.drop_table(table)


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
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
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
        postgresql_where=sa.text("acknowledged_at IS NULL AND resolved_at IS NULL"),
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


def _create_event_cursors() -> None:
    op.create_table(
        "event_cursors",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_event_cursors")),
    )
    op.create_table(
        "event_blocks",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "block_number", name=op.f("pk_event_blocks")),
    )


def _create_watched_accounts() -> None:
    op.create_table(
        "watched_accounts",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("since_block", sa.BigInteger(), nullable=False),
        sa.Column("deal_id", sa.Uuid()),
        sa.Column("participant_bank_id", sa.Text()),
        sa.Column("native_wei", sa.Numeric(78, 0)),
        _now("created_at"),
        sa.PrimaryKeyConstraint("chain_id", "address", name=op.f("pk_watched_accounts")),
    )


def _create_account_events() -> None:
    op.create_table(
        "account_events",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("giver", sa.Text()),
        sa.Column("taker", sa.Text()),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Uuid()),
        sa.Column("participant_bank_id", sa.Text()),
        sa.Column("intent_id", sa.Uuid()),
        sa.Column("leg_id", sa.Uuid()),
        sa.Column("is_foreign", sa.Boolean(), nullable=False),
        sa.Column("orphaned_at", sa.DateTime(timezone=True)),
        _now("created_at"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_account_events")),
        sa.UniqueConstraint(
            "chain_id",
            "block_hash",
            "log_index",
            name=op.f("uq_account_events_chain_id_block_hash_log_index"),
        ),
    )
    _index_account_events()


def _index_account_events() -> None:
    table = "account_events"
    op.create_index(
        op.f("ix_account_events_chain_id_block_number"), table, ["chain_id", "block_number"]
    )
    op.create_index(op.f("ix_account_events_deal_id"), table, ["deal_id"])
    op.create_index(
        "ix_account_events_foreign",
        table,
        ["chain_id"],
        postgresql_where=sa.text("is_foreign"),
    )


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)
