"""Signers, intents, attempts, receipts and the chain loop's place, as Postgres keeps them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
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

from holdfast.common.db import Json, Units, block_columns, listed, metadata, stamp, stamps
from holdfast.transactions.model import FINAL, AttemptState, IntentStatus, Purpose

IS_LIVE: Final = f"status NOT IN ({listed(FINAL)})"
IS_UNSENT: Final = "state = 'signed'"
IS_DISPLACED: Final = f"status = '{IntentStatus.DISPLACED}'"
IS_UNREAD: Final = f"{IS_DISPLACED} AND acknowledged_at IS NULL"
_LEG_IS_TAKEN: Final = "status NOT IN ('cancelled', 'displaced', 'reverted')"

signers = Table(
    "signers",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("next_nonce", BigInteger, nullable=False),
    Column("key_backend", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("key_not_after", DateTime(timezone=True)),
    *stamps(),
    CheckConstraint("next_nonce >= 0", "next_nonce"),
)

intents = Table(
    "intents",
    metadata,
    Column("intent_id", Uuid, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("deal_id", Uuid, nullable=False),
    Column("leg_id", Uuid, nullable=False),
    Column("group_id", Uuid, nullable=False),
    Column("sender", Text, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("target", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("value_wei", Units, nullable=False),
    Column("gas_limit", BigInteger, nullable=False),
    Column("expected", Json(none_as_null=True)),
    Column("deadline", BigInteger),
    Column("depth", Integer, nullable=False),
    Column("fee_ceiling_wei", Units, nullable=False),
    Column("is_sweep", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("evidence", Json, nullable=False, server_default=text("'{}'")),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("acknowledged_at", DateTime(timezone=True)),
    *stamps(),
    UniqueConstraint("chain_id", "sender", "nonce"),
    CheckConstraint(f"status IN ({listed(IntentStatus)})", "status"),
    CheckConstraint("depth > 0", "depth"),
    # A leg gets a new intent only when the old one is final without effect.
    Index("uq_intents_leg_id", "leg_id", unique=True, postgresql_where=text(_LEG_IS_TAKEN)),
    Index("ix_intents_live", "chain_id", "sender", "nonce", postgresql_where=text(IS_LIVE)),
    Index(
        "ix_intents_cancel",
        "chain_id",
        postgresql_where=text(f"cancel_requested AND {IS_LIVE}"),
    ),
    Index("ix_intents_displaced", "chain_id", postgresql_where=text(IS_DISPLACED)),
    Index(None, "deal_id"),
    Index(None, "group_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("intent_id", Uuid, ForeignKey("intents.intent_id"), primary_key=True),
    Column("attempt_no", SmallInteger, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("tx_hash", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("cap_wei", Units, nullable=False),
    Column("tip_wei", Units, nullable=False),
    Column("is_legacy", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("sent_block", BigInteger),
    Column("sent_at", DateTime(timezone=True)),
    Column("delivery", Text),
    *stamps(),
    UniqueConstraint("tx_hash"),
    CheckConstraint(f"state IN ({listed(AttemptState)})", "state"),
    CheckConstraint(f"purpose IN ({listed(Purpose)})", "purpose"),
    Index("ix_attempts_unsent", "chain_id", postgresql_where=text(IS_UNSENT)),
)

receipts = Table(
    "receipts",
    metadata,
    # One nonce is mined once, so an intent has at most one receipt, whichever attempt it is of.
    Column("intent_id", Uuid, ForeignKey("intents.intent_id"), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("tx_hash", Text, nullable=False),
    *block_columns(),
    Column("sender", Text, nullable=False),
    Column("succeeded", Boolean, nullable=False),
    Column("gas_used", BigInteger, nullable=False),
    Column("effective_gas_price_wei", Units, nullable=False),
    Column("logs", Json, nullable=False),
    stamp("created_at"),
    UniqueConstraint("tx_hash"),
    Index(None, "chain_id", "block_number"),
)

cursors = Table(
    "chain_cursors",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", Text, nullable=False),
    *stamps(),
)

# Beside `chain_cursors`, which older code knows: the places of loops that share a chain.
shard_places = Table(
    "shard_places",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("shards", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", Text, nullable=False),
    *stamps(),
    CheckConstraint("shard >= 0 AND shard < shards", "shard"),
)

_MAY_CHANGE: Final = {
    intents: {
        "status",
        "evidence",
        "cancel_requested",
        "acknowledged_at",
        "updated_at",
        "version",
    },
    attempts: {"state", "sent_block", "sent_at", "delivery", "updated_at", "version"},
}

_REFUSE: Final = """
CREATE OR REPLACE FUNCTION refuse_identity_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'signed bytes exist: % of nonce or identity in % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$
""".strip()


def _frozen(table: Table, free: set[str]) -> str:
    # Fires when the statement names a frozen column, so ordinary updates pay nothing for it.
    columns = ", ".join(column.name for column in table.columns if column.name not in free)
    return (
        f"CREATE OR REPLACE TRIGGER keep_identity BEFORE DELETE OR UPDATE OF {columns} "
        f"ON {table.name} FOR EACH ROW EXECUTE FUNCTION refuse_identity_change()"
    )


def in_shard(sender: str) -> str:
    """Whether the address in the column `sender` belongs to shard `:shard` of `:shards`."""
    # The end of an address is as good as random; the first condition spares a sole loop the rest.
    number = f"('x' || right({sender}, 7))::bit(28)::int"
    return f"(CAST(:shards AS int) = 1 OR mod({number}, CAST(:shards AS int)) = :shard)"


TRIGGERS: Final[tuple[str, ...]] = (
    _REFUSE,
    *(_frozen(table, free) for table, free in _MAY_CHANGE.items()),
)
"""Statements for the migration that creates the tables, in order, safe to run again.

An intent exists together with its first signed bytes, in one transaction; so from its first
moment the schema refuses to change its nonce, or anything else that the bytes commit to.
"""
