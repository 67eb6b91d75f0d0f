"""Signers, intents, attempts and receipts, whose identity never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from datetime import datetime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TRIGGERS = (
    """
CREATE OR REPLACE FUNCTION refuse_identity_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'signed bytes exist: % of nonce or identity in % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$
""",
    """
CREATE OR REPLACE TRIGGER keep_identity
  BEFORE DELETE OR UPDATE OF intent_id, chain_id, participant_bank_id, deal_id, leg_id,
    group_id, sender, nonce, target, data, value_wei, gas_limit, expected, deadline, depth,
    fee_ceiling_wei, is_sweep, created_at ON intents
  FOR EACH ROW EXECUTE FUNCTION refuse_identity_change()
""",
    """
CREATE OR REPLACE TRIGGER keep_identity
  BEFORE DELETE OR UPDATE OF intent_id, attempt_no, chain_id, participant_bank_id, purpose,
    tx_hash, raw, cap_wei, tip_wei, is_legacy, created_at ON attempts
  FOR EACH ROW EXECUTE FUNCTION refuse_identity_change()
""",
)
_DROP = (
    "DROP TABLE receipts",
    "DROP TABLE attempts",
    "DROP TABLE signers",
    "DROP TABLE intents",
    "DROP TABLE chain_cursors",
    "DROP FUNCTION refuse_identity_change()",
)


def upgrade() -> None:
    """Create the tables and what guards them."""
    _create_chain_cursors()
    _create_intents()
    _index_intents()
    _create_signers()
    _create_attempts()
    _index_attempts()
    _create_receipts()
    _index_receipts()
    _execute(_TRIGGERS)


def downgrade() -> None:
    """Drop them."""
    _execute(_DROP)


def _create_chain_cursors() -> None:
    op.create_table(
        "chain_cursors",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_chain_cursors")),
    )


def _create_intents() -> None:
    op.create_table(
        "intents",
        sa.Column("intent_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("leg_id", sa.Uuid(), nullable=False),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("value_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("gas_limit", sa.BigInteger(), nullable=False),
        sa.Column("expected", postgresql.JSONB()),
        sa.Column("deadline", sa.BigInteger()),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("fee_ceiling_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("is_sweep", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        _now("created_at"),
        _now("updated_at"),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "status IN ('ambiguous', 'cancelled', 'landed', 'mined', 'reverted', 'sent', "
            "'signed', 'stuck')",
            name=op.f("ck_intents_status"),
        ),
        sa.CheckConstraint("depth > 0", name=op.f("ck_intents_depth")),
        sa.PrimaryKeyConstraint("intent_id", name=op.f("pk_intents")),
        sa.UniqueConstraint(
            "chain_id", "sender", "nonce", name=op.f("uq_intents_chain_id_sender_nonce")
        ),
    )


def _index_intents() -> None:
    op.create_index(
        "ix_intents_cancel",
        "intents",
        ["chain_id"],
        postgresql_where=sa.text(
            "cancel_requested AND status NOT IN ('cancelled', 'landed', 'reverted')"
        ),
    )
    op.create_index(op.f("ix_intents_deal_id"), "intents", ["deal_id"])
    op.create_index(op.f("ix_intents_group_id"), "intents", ["group_id"])
    op.create_index(
        "ix_intents_live",
        "intents",
        ["chain_id", "sender", "nonce"],
        postgresql_where=sa.text("status NOT IN ('cancelled', 'landed', 'reverted')"),
    )
    op.create_index(
        "uq_intents_leg_id",
        "intents",
        ["leg_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('cancelled', 'reverted')"),
    )


def _create_signers() -> None:
    op.create_table(
        "signers",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.Column("key_backend", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("key_not_after", sa.DateTime(timezone=True)),
        _now("created_at"),
        _now("updated_at"),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("next_nonce >= 0", name=op.f("ck_signers_next_nonce")),
        sa.PrimaryKeyConstraint("chain_id", "address", name=op.f("pk_signers")),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("intent_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_no", sa.SmallInteger(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("cap_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("tip_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("is_legacy", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sent_block", sa.BigInteger()),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("delivery", sa.Text()),
        _now("created_at"),
        _now("updated_at"),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("purpose IN ('call', 'cancel')", name=op.f("ck_attempts_purpose")),
        sa.CheckConstraint(
            "state IN ('sent', 'signed', 'superseded')", name=op.f("ck_attempts_state")
        ),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["intents.intent_id"], name=op.f("fk_attempts_intent_id")
        ),
        sa.PrimaryKeyConstraint("intent_id", "attempt_no", name=op.f("pk_attempts")),
        sa.UniqueConstraint("tx_hash", name=op.f("uq_attempts_tx_hash")),
    )


def _index_attempts() -> None:
    op.create_index(
        "ix_attempts_unsent", "attempts", ["chain_id"], postgresql_where=sa.text("state = 'signed'")
    )


def _create_receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("intent_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("gas_used", sa.BigInteger(), nullable=False),
        sa.Column("effective_gas_price_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("logs", postgresql.JSONB(), nullable=False),
        _now("created_at"),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["intents.intent_id"], name=op.f("fk_receipts_intent_id")
        ),
        sa.PrimaryKeyConstraint("intent_id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("tx_hash", name=op.f("uq_receipts_tx_hash")),
    )


def _index_receipts() -> None:
    op.create_index(
        op.f("ix_receipts_chain_id_block_number"), "receipts", ["chain_id", "block_number"]
    )


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)


def _execute(statements: tuple[str, ...]) -> None:
    for statement in statements:
        # Without parameters the driver leaves percent signs alone.
        options = {"no_parameters": True}
        op.get_bind().exec_driver_sql(statement, execution_options=options)
