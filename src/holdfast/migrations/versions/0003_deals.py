"""Deals with their plans, steps and legs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from datetime import datetime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DROP = (
    "DROP TABLE plans",
    "DROP TABLE legs",
    "DROP TABLE deal_steps",
    "DROP TABLE deals",
    "DROP SEQUENCE deal_numbers",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("deal_numbers", start=1)))
    _create_deals()
    _index_deals()
    _create_deal_steps()
    _create_legs()
    _index_legs()
    _create_plans()


def downgrade() -> None:
    """Drop them."""
    _execute(_DROP)


def _create_deals() -> None:
    op.create_table(
        "deals",
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("deal_number", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("module_id", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("hold_reason", sa.Text()),
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Uuid()),
        sa.Column("keep_claim", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("borrow_waived", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("trouble_kind", sa.Text()),
        sa.Column("trouble_times", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("trouble_text", sa.Text()),
        sa.Column("core_booked_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("total_eth_value_usd8", sa.Numeric(78, 0), nullable=False),
        sa.Column("current_ltv_bps", sa.Integer()),
        sa.Column("usdtz_exposure", sa.Numeric(78, 0)),
        sa.Column("profit_usd8", sa.Numeric(78, 0)),
        sa.Column("last_block", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("deal_id", name=op.f("pk_deals")),
        sa.UniqueConstraint("deal_number", name=op.f("uq_deals_deal_number")),
    )


def _index_deals() -> None:
    op.create_index(
        op.f("ix_deals_participant_bank_id_status"), "deals", ["participant_bank_id", "status"]
    )
    op.create_index(op.f("ix_deals_status_created_at"), "deals", ["status", "created_at"])
    op.create_index(
        "ix_deals_wake_at", "deals", ["wake_at"], postgresql_where=sa.text("wake_at IS NOT NULL")
    )


def _create_deal_steps() -> None:
    op.create_table(
        "deal_steps",
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("result", postgresql.JSONB()),
        sa.Column("error", sa.Text()),
        sa.Column("executed_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.deal_id"], name=op.f("fk_deal_steps_deal_id")),
        sa.PrimaryKeyConstraint("deal_id", "step", name=op.f("pk_deal_steps")),
    )


def _create_legs() -> None:
    op.create_table(
        "legs",
        sa.Column("leg_id", sa.Uuid(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("value_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("token", sa.Text()),
        sa.Column("amount", sa.Numeric(78, 0)),
        sa.Column("min_out_token", sa.Text()),
        sa.Column("min_out", sa.Numeric(78, 0)),
        sa.Column("gas_limit", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger()),
        sa.Column("tx_hash", sa.Text()),
        sa.Column("block_number", sa.BigInteger()),
        sa.Column("gas_used", sa.BigInteger()),
        sa.Column("fee_wei", sa.Numeric(78, 0)),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.deal_id"], name=op.f("fk_legs_deal_id")),
        sa.PrimaryKeyConstraint("leg_id", name=op.f("pk_legs")),
        sa.UniqueConstraint("deal_id", "seq", name=op.f("uq_legs_deal_id_seq")),
    )


def _index_legs() -> None:
    op.create_index(op.f("ix_legs_deal_id_step"), "legs", ["deal_id", "step"])
    op.create_index("ix_legs_group_id", "legs", ["group_id"])


def _create_plans() -> None:
    op.create_table(
        "plans",
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("participant_bank_id", sa.Text(), nullable=False),
        sa.Column("plan", postgresql.JSONB(), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=False),
        _now("created_at"),
        sa.ForeignKeyConstraint(
            ["deal_id"], ["deals.deal_id"], name=op.f("fk_plans_deal_id"), deferrable=True
        ),
        sa.PrimaryKeyConstraint("plan_hash", name=op.f("pk_plans")),
    )


def _now(name: str) -> sa.Column[datetime]:
    now = sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)


def _execute(statements: tuple[str, ...]) -> None:
    for statement in statements:
        # Without parameters the driver leaves percent signs alone.
        options = {"no_parameters": True}
        op.get_bind().exec_driver_sql(statement, execution_options=options)
