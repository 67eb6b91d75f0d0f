"""What a report is made from: the desk's records over a stretch of time, as plain rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from holdfast.common.money import Usd8


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` on and before `until`, in UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class DealRow:
    """A deal as it stands when the report is made; `token_cost` is dollars for one whole token."""

    deal_id: UUID
    number: int
    chain_id: int
    bank: str
    module: str
    author: str
    status: str
    hold_reason: str | None
    committed: Usd8
    ltv_bps: int | None
    profit: Usd8 | None
    token_cost: Usd8
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """What one account of a deal's ledger held at the end of the span; debt is negative."""

    deal_id: UUID
    chain_id: int
    bank: str
    account: str
    symbol: str
    decimals: int
    units: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert that was open, raised or closed in the span."""

    code: str
    severity: str
    subject: str
    text: str
    deal_id: UUID | None
    count: int
    opened_at: datetime
    delivered_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class ActRow:
    """An entry of the audit in the span; without a deal it is in the desk's own record."""

    at: datetime
    deal_id: UUID | None
    bank: str | None
    actor: str
    action: str
    subject: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReconciliationRow:
    """How a deal's ledger last agreed with the chain, and how often it was compared in the span."""

    deal_id: UUID
    times: int
    last_at: datetime
    mismatch_units: int


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A chain's newest prices in dollars: of the monitor's last tick, else of its newest plan.

    `token` is what a whole discounted token trades at; plans do not tell.
    """

    chain_id: int
    at: datetime
    eth: Usd8
    usdt: Usd8
    token: Usd8 | None = None


@dataclass(frozen=True, slots=True)
class TickRow:
    """How often the monitor looked at a chain in the span, and its longest pause in seconds.

    The span counts from the chain's first look ever. `marks` are the whole five minutes of it in
    which there was a look, of `marks_wanted`; the pause counts from begin to end.
    """

    chain_id: int
    ticks: int
    longest_pause: float
    marks: int
    marks_wanted: int


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A change of the share of the published limits that new deals are held to."""

    chain_id: int
    at: datetime
    before_bps: int
    after_bps: int
    cause: str
    score: int
    volatility_bps: int


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst value of some deals and the number of the deal that has it."""

    value: float
    deal: int


@dataclass(frozen=True, slots=True)
class Point:
    """What the looks from `at` on, for the width of the path, saw of a chain's open deals.

    `deals` is the most that were open at a look. `ltv` is in bps, `cover` and `health` are ratios;
    None where no deal owes anything or, of `health`, where the looks did not tell the threshold.
    """

    chain_id: int
    at: datetime
    looks: int
    deals: int
    ltv: Worst | None
    health: Worst | None
    cover: Worst | None


@dataclass(frozen=True, slots=True)
class RiskPath:
    """The points of each chain, oldest first; `every` is how far apart the looks read are."""

    width: timedelta = timedelta(0)
    every: timedelta = timedelta(0)
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read, in one transaction.

    `limit_changes` are those of the span, `scales` the last of each chain up to its end.
    """

    span: Span
    made_at: datetime
    deals: tuple[DealRow, ...]
    holdings: tuple[Holding, ...]
    alerts: tuple[AlertRow, ...]
    acts: tuple[ActRow, ...]
    reconciliations: tuple[ReconciliationRow, ...]
    prices: tuple[PriceRow, ...]
    ticks: tuple[TickRow, ...] = ()
    limit_changes: tuple[LimitChange, ...] = ()
    scales: tuple[LimitChange, ...] = ()
    daily_closes: tuple[float, ...] = ()
    path: RiskPath = field(default_factory=RiskPath)
