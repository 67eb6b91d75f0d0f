"""Alerts and chores as Postgres keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from holdfast.common.alerts import Severity
from holdfast.common.db import Json, metadata
from holdfast.monitoring.model import ChoreState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum


def _listed(values: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def _now(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


IS_OPEN = "acknowledged_at IS NULL"

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
    _now("opened_at"),
    _now("last_seen_at"),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", DateTime(timezone=True)),
    # The severity that was last put for delivery: a graver one is delivered again.
    Column("told_severity", Text),
    Column("reached", Json, nullable=False, server_default=text("'[]'")),
    Column("delivered_at", DateTime(timezone=True)),
    CheckConstraint(f"severity IN ({_listed(Severity)})", "severity"),
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
    _now("next_at"),
    Column("error", Text),
    _now("created_at"),
    _now("updated_at"),
    CheckConstraint(f"state IN ({_listed(ChoreState)})", "state"),
    Index("ix_chores_next_at", "next_at", postgresql_where=text("state = 'pending'")),
)
