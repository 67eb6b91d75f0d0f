"""Alerts, chores, the events of our accounts and the monitor's ticks, as Postgres keeps them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from holdfast.common.alerts import Severity
from holdfast.common.db import Json, Units, block_columns, listed, metadata, stamp
from holdfast.monitoring.model import ChoreState

IS_OPEN = "acknowledged_at IS NULL AND resolved_at IS NULL"

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", BigInteger, Identity(), primary_key=True),
    Column("code", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("fields", Json, nullable=False),
    Column("chain_id", BigInteger),
    Column("deal_id", Uuid),
    Column("participant_bank_id", Text),
    Column("raised", Integer, nullable=False, server_default=text("1")),
    stamp("opened_at"),
    stamp("last_seen_at"),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("resolved_at", DateTime(timezone=True)),
    # The severity that was last put for delivery: a graver one is delivered again.
    Column("told_severity", Text),
    Column("reached", Json, nullable=False, server_default=text("'[]'")),
    Column("delivered_at", DateTime(timezone=True)),
    CheckConstraint(f"severity IN ({listed(Severity)})", "severity"),
    Index("uq_alerts_open", "code", "subject", unique=True, postgresql_where=text(IS_OPEN)),
    Index(None, "opened_at"),
    Index(None, "deal_id"),
)

chores = Table(
    "chores",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    stamp("next_at"),
    Column("error", Text),
    stamp("created_at"),
    stamp("updated_at"),
    CheckConstraint(f"state IN ({listed(ChoreState)})", "state"),
    Index("ix_chores_next_at", "next_at", postgresql_where=text("state = 'pending'")),
)

event_cursors = Table(
    "event_cursors",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", Text, nullable=False),
    stamp("updated_at"),
)

event_blocks = Table(
    "event_blocks",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("block_hash", Text, nullable=False),
)

watched_accounts = Table(
    "watched_accounts",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("since_block", BigInteger, nullable=False),
    Column("deal_id", Uuid),
    Column("participant_bank_id", Text),
    Column("native_wei", Units),
    stamp("created_at"),
)

account_events = Table(
    "account_events",
    metadata,
    Column("event_id", BigInteger, Identity(), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", Text, nullable=False),
    Column("log_index", Integer, nullable=False),
    Column("tx_hash", Text, nullable=False),
    Column("contract", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("giver", Text),
    Column("taker", Text),
    Column("token", Text, nullable=False),
    Column("amount", Units, nullable=False),
    Column("account", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("deal_id", Uuid),
    Column("participant_bank_id", Text),
    Column("intent_id", Uuid),
    Column("leg_id", Uuid),
    Column("is_foreign", Boolean, nullable=False),
    Column("orphaned_at", DateTime(timezone=True)),
    stamp("created_at"),
    # The same log is the same event, however often its block is read.
    UniqueConstraint("chain_id", "block_hash", "log_index"),
    Index(None, "chain_id", "block_number"),
    Index(None, "deal_id"),
    Index("ix_account_events_foreign", "chain_id", postgresql_where=text("is_foreign")),
)

risk_ticks = Table(
    "risk_ticks",
    metadata,
    Column("tick_id", BigInteger, Identity(), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    *block_columns(),
    Column("taken_at", DateTime(timezone=True), nullable=False),
    Column("took_micros", BigInteger, nullable=False),
    Column("is_kept", Boolean, nullable=False),
    Column("market", Json, nullable=False),
    Column("deals", Integer, nullable=False),
    Column("format", SmallInteger, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    stamp("created_at"),
    Index(None, "chain_id", "created_at"),
    Index(None, "chain_id", "taken_at"),
)
