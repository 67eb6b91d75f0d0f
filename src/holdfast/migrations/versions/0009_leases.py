"""The leader's lease, what refuses an older leader's writes, places of loops that share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_MAY_WRITE = """
CREATE OR REPLACE FUNCTION may_write(lease text, held_epoch bigint, write_key bigint)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(write_key);
  RETURN EXISTS (SELECT FROM leases WHERE name = lease AND epoch = held_epoch);
END $$
"""


def upgrade() -> None:
    """Add to the schema; what older code uses stays as it is."""
    now = sa.text("now()")
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("holder", sa.Text()),
        sa.Column("acquired_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.execute(_MAY_WRITE)
    op.create_table(
        "shard_places",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("shards", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("shard >= 0 AND shard < shards", name=op.f("ck_shard_places_shard")),
        sa.PrimaryKeyConstraint("chain_id", "shards", "shard", name=op.f("pk_shard_places")),
    )


def downgrade() -> None:
    """Drop them; whoever leads leads on by its lock alone."""
    op.drop_table("shard_places")
    op.execute("DROP FUNCTION may_write(text, bigint, bigint)")
    op.drop_table("leases")
