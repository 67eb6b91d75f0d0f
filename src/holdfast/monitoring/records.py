"""An alert as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from holdfast.common.alerts import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from holdfast.common.ids import BankId, ChainId, DealId

RANKS: Mapping[Severity, int] = {each: rank for rank, each in enumerate(Severity)}
"""Severities from the least to the gravest."""


class DeliveryState(StrEnum):
    """Whether an alert reached everybody whom it is for."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class KeptAlert:
    """An alert with its history.

    `count` is how often it was raised while open; it is open until somebody acknowledges it or its
    cause is seen to have ended.
    `reached` names the targets that have it, `error` is what the last of them said that did not
    take it.
    """

    alert_id: int
    code: str
    severity: Severity
    subject: str
    text: str
    fields: Mapping[str, object]
    chain_id: ChainId | None
    deal_id: DealId | None
    bank_id: BankId | None
    count: int
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    reached: frozenset[str]
    delivery: DeliveryState
    error: str | None
