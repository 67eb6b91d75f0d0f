"""Deals, plans, steps and legs as Postgres keeps them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from holdfast.common.append_only import append_only
from holdfast.common.db import Json, Units, block_columns, metadata, stamp, stamps

deal_numbers = Sequence("deal_numbers", start=1, metadata=metadata)
"""The index of each deal's own key; 0 is the funding key's."""


deals = Table(
    "deals",
    metadata,
    Column("deal_id", Uuid, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("deal_number", BigInteger, nullable=False, unique=True),
    Column("participant_bank_id", Text, nullable=False),
    Column("module_id", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("hold_reason", Text),
    Column("plan_hash", Text, nullable=False),
    Column("group_id", Uuid),
    Column("keep_claim", Boolean, nullable=False, server_default=text("false")),
    Column("borrow_waived", Boolean, nullable=False, server_default=text("false")),
    Column("trouble_kind", Text),
    Column("trouble_times", SmallInteger, nullable=False, server_default=text("0")),
    Column("trouble_text", Text),
    Column("core_booked_wei", Units, nullable=False),
    Column("total_eth_value_usd8", Units, nullable=False),
    Column("current_ltv_bps", Integer),
    Column("usdtz_exposure", Units),
    Column("profit_usd8", Units),
    Column("last_block", BigInteger, nullable=False, server_default=text("0")),
    Column("wake_at", DateTime(timezone=True)),
    Column("waits_for", Text),
    Column("spend_usd8", Units),
    *stamps(),
    Index(None, "status", "created_at"),
    Index(None, "participant_bank_id", "status"),
    Index("ix_deals_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
)

plans = Table(
    "plans",
    metadata,
    Column("plan_hash", Text, primary_key=True),
    Column("deal_id", Uuid, ForeignKey("deals.deal_id", deferrable=True), nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("plan", Json, nullable=False),
    Column("report", Json, nullable=False),
    stamp("created_at"),
)

steps = Table(
    "deal_steps",
    metadata,
    Column("deal_id", Uuid, ForeignKey("deals.deal_id"), primary_key=True),
    Column("step", SmallInteger, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("result", Json(none_as_null=True)),
    Column("error", Text),
    Column("executed_at", DateTime(timezone=True)),
    *stamps(),
)

legs = Table(
    "legs",
    metadata,
    Column("leg_id", Uuid, primary_key=True),
    Column("deal_id", Uuid, ForeignKey("deals.deal_id"), nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("group_id", Uuid, nullable=False),
    Column("step", SmallInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("value_wei", Units, nullable=False),
    Column("token", Text),
    Column("amount", Units),
    Column("min_out_token", Text),
    Column("min_out", Units),
    Column("gas_limit", BigInteger, nullable=False),
    Column("deadline", BigInteger),
    Column("tx_hash", Text),
    Column("block_number", BigInteger),
    Column("gas_used", BigInteger),
    Column("fee_wei", Units),
    *stamps(),
    UniqueConstraint("deal_id", "seq"),
    Index(None, "deal_id", "step"),
    Index("ix_legs_group_id", "group_id"),
)

snapshots = Table(
    "deal_snapshots",
    metadata,
    Column("group_id", Uuid, primary_key=True),
    Column("deal_id", Uuid, nullable=False, index=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    *block_columns(),
    Column("deal_nonce", BigInteger, nullable=False),
    Column("float_nonce", BigInteger, nullable=False),
    Column("position", Json, nullable=False),
    Column("venues", Json, nullable=False),
    stamp("created_at"),
)

TRIGGERS: tuple[str, ...] = append_only("deal_snapshots")
"""Statements for the migration that creates the snapshots."""
