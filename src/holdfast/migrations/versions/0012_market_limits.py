"""Dynamic limits: what they are now and when they may recover; what each deal spends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from datetime import datetime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_APPEND_ONLY = (
    """
CREATE OR REPLACE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON risk_limit_changes
FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE OR REPLACE TRIGGER append_only_table BEFORE TRUNCATE ON risk_limit_changes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
)

# What open deals spend, from the plans that hold it; the debt currency counts as a dollar.
_SPENT = """
UPDATE deals SET spend_usd8 = trunc(
  (plan #>> '{envelope,terms,spend,units}')::numeric
  * power(10::numeric, 8 - (plan #>> '{envelope,terms,spend,token,decimals}')::integer))
FROM plans WHERE plans.plan_hash = deals.plan_hash
"""


def upgrade() -> None:
    """Create the tables, and say of each deal what it spends."""
    _create_limits()
    _create_changes()
    for statement in _APPEND_ONLY:
        op.execute(statement)
    op.add_column("deals", sa.Column("spend_usd8", sa.Numeric(78, 0)))
    op.execute(_SPENT)


def downgrade() -> None:
    """Drop them."""
    op.drop_column("deals", "spend_usd8")
    op.drop_table("risk_limit_changes")
    op.drop_table("risk_limits")


def _create_limits() -> None:
    op.create_table(
        "risk_limits",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scale_bps", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("variance_wad", sa.Numeric(78, 0), nullable=False),
        sa.Column("price_day", sa.Integer(), nullable=False),
        sa.Column("base_usd8", sa.Numeric(78, 0), nullable=False),
        sa.Column("last_usd8", sa.Numeric(78, 0), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("better_since", sa.BigInteger()),
        sa.Column("least_bps", sa.Integer(), nullable=False),
        sa.Column("settings", JSONB(), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("scale_bps BETWEEN 0 AND 10000", name=op.f("ck_risk_limits_scale")),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_risk_limits")),
    )


def _create_changes() -> None:
    op.create_table(
        "risk_limit_changes",
        sa.Column("change_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("before_bps", sa.Integer(), nullable=False),
        sa.Column("after_bps", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("volatility_bps", sa.Integer(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_risk_limit_changes")),
    )
    op.create_index(
        op.f("ix_risk_limit_changes_chain_id_change_id"),
        "risk_limit_changes",
        ["chain_id", "change_id"],
    )


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
