"""Outcomes that a foreign transaction decides, and operators' resolutions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATUS = "ck_intents_status"
_BEFORE = "'ambiguous', 'cancelled', 'landed', 'mined', 'reverted', 'sent', 'signed', 'stuck'"
_AFTER = (
    "'ambiguous', 'cancelled', 'displaced', 'landed', 'mined', 'reverted', 'sent', 'signed', "
    "'stuck'"
)


def upgrade() -> None:
    """Let an intent end as displaced, which a person then acknowledges."""
    op.add_column("intents", sa.Column("acknowledged_at", sa.DateTime(timezone=True)))
    _states(_AFTER, final="'cancelled', 'displaced', 'landed', 'reverted'", lost="'displaced', ")
    op.create_index(
        "ix_intents_displaced",
        "intents",
        ["chain_id"],
        postgresql_where=sa.text("status = 'displaced'"),
    )


def downgrade() -> None:
    """Forget who used the nonce: for the older program its intent just had no effect."""
    op.drop_index("ix_intents_displaced", "intents")
    op.execute("UPDATE intents SET status = 'cancelled' WHERE status = 'displaced'")
    _states(_BEFORE, final="'cancelled', 'landed', 'reverted'", lost="")
    op.drop_column("intents", "acknowledged_at")


def _states(every: str, *, final: str, lost: str) -> None:
    for name in ("ix_intents_cancel", "ix_intents_live", "uq_intents_leg_id"):
        op.drop_index(name, "intents")
    op.drop_constraint(op.f(_STATUS), "intents")
    op.create_check_constraint(op.f(_STATUS), "intents", f"status IN ({every})")
    is_live = f"status NOT IN ({final})"
    _index("ix_intents_cancel", ["chain_id"], f"cancel_requested AND {is_live}")
    _index("ix_intents_live", ["chain_id", "sender", "nonce"], is_live)
    _index(
        "uq_intents_leg_id",
        ["leg_id"],
        f"status NOT IN ('cancelled', {lost}'reverted')",
        unique=True,
    )


def _index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, "intents", columns, unique=unique, postgresql_where=sa.text(where))
