"""One tick: look at every open deal, say what it means, and write all that follows at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.monitoring.assessment import anchors, assess, failures, price_facts
from holdfast.monitoring.edges import edges
from holdfast.monitoring.risk_alerts import (
    CODES,
    Watchpoints,
    deal_alerts,
    market_alerts,
    shared_alerts,
    unreadable_alerts,
)
from holdfast.monitoring.risk_metrics import RiskMetrics
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import history
from holdfast.monitoring.ticks import Tick, columns
from holdfast.risk.invariants import Facts, Moment, Reaction, reaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from holdfast.common.alerts import Alarm, Alert
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId, DealId
    from holdfast.execution.book import Book
    from holdfast.execution.ports import Wakes
    from holdfast.monitoring.assessment import Assessed
    from holdfast.monitoring.edges import Edges, On
    from holdfast.monitoring.tick_ports import (
        BookSource,
        Fence,
        MarketSource,
        MovingLimits,
        OpenAlerts,
        Switch,
        TickBook,
    )
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.market import RiskMarket
    from holdfast.risk.model import Check

AT_ONCE: Final = 200
"""Alerts begun, alerts ended, and deals woken in one tick, the gravest first: a tick in which all
deals of a large book fall into trouble together is still written within the next one's time."""

WAKE_AGAIN_SECONDS: Final = 30.0
"""After which a deal that is still due is woken once more; meanwhile it looks for itself."""

MARK_SECONDS: Final = 300
"""One tick of every five minutes is kept when the others are thinned out."""
ALL_KEPT: Final = timedelta(days=2)
MARKS_KEPT: Final = timedelta(days=400)

_SLICE: Final = 100  # deals assessed before other tasks of the process get their turn
_MARKS_AN_HOUR: Final = 12

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the monitor of one chain works with."""

    chain_id: ChainId
    db: Database
    books: BookSource
    markets: MarketSource
    limits: RiskLimits
    dynamic: MovingLimits
    alarm: Alarm
    wakes: Wakes
    switch: Switch
    clock: Clock
    fence: Fence
    ticks: TickBook = history
    open_alerts: OpenAlerts = alert_store
    points: Watchpoints = field(default_factory=Watchpoints)
    metrics: RiskMetrics = field(default_factory=RiskMetrics.unread)


@dataclass(frozen=True, slots=True)
class Look:
    """What one tick found; `shared` are failing checks beside what they are about."""

    book: Book
    market: RiskMarket
    deals: tuple[Assessed, ...]
    shared: tuple[tuple[str, Check], ...]


class Ticker:
    """Ticks under one lead; `on` is what was told before and may still be so."""

    def __init__(self, parts: Parts, on: On) -> None:
        self._parts = parts
        self._on = on
        self._mark = 0
        self._woken: dict[DealId, float] = {}

    @classmethod
    async def begun(cls, parts: Parts) -> Ticker:
        """With the alerts that are open, whoever raised them before."""
        async with parts.db.begin() as session:
            return cls(parts, await parts.open_alerts.open_of(session, parts.chain_id, CODES))

    async def once(self) -> Tick:
        """Look now, and write the tick with the alerts and wake-ups that follow from it.

        Raises:
            HoldfastError: what reading or writing came to; then nothing was written.
        """
        parts = self._parts
        taken_at, start = parts.clock.now(), parts.clock.monotonic_seconds()
        look = await self._look()
        tick = _tick(look, taken_at, parts.chain_id, parts.clock.monotonic_seconds() - start)
        await self._write(tick, look)
        parts.metrics.ticked(tick, parts.clock.monotonic_seconds() - start)
        return tick

    async def _look(self) -> Look:
        parts = self._parts
        book = await parts.books.read()
        market = await parts.markets.read(book.head)
        by_core = {
            core: failures(Facts(anchor=anchor), parts.limits)
            for core, anchor in anchors(book).items()
        }
        prices = failures(price_facts(market), parts.limits)
        shared: list[tuple[str, Check]] = [
            (core, check) for core, checks in by_core.items() for check in checks
        ]
        shared += [(f"chain:{parts.chain_id}", check) for check in prices]
        return Look(book, market, await self._assessed(book, by_core), tuple(shared))

    async def _assessed(
        self, book: Book, by_core: dict[Address, tuple[Check, ...]]
    ) -> tuple[Assessed, ...]:
        market, limits = book.market, self._parts.limits
        found: list[Assessed] = []
        for start in range(0, len(book.rows), _SLICE):
            found += [
                assess(row, market, limits, by_core[row.deal.plan.accounts.core])
                for row in book.rows[start : start + _SLICE]
            ]
            await asyncio.sleep(0)
        return tuple(found)

    async def _write(self, tick: Tick, look: Look) -> None:
        parts, mark = self._parts, int(tick.taken_at.timestamp()) // MARK_SECONDS
        told = edges(self._on, list(self._alerts(look)), most=AT_ONCE)
        now = parts.clock.monotonic_seconds()
        due = [one for one in look.deals if one.is_to_be_woken]
        woken = to_be_woken(due, self._woken, now)
        async with parts.db.begin() as session:
            await parts.fence.fence(session)
            await parts.ticks.write(session, tick, is_kept=mark != self._mark)
            await parts.alarm.ended(session, *told.ended)
            await parts.alarm.raised(session, *told.begun)
            await parts.wakes.wake(session, *woken)
            await parts.switch.watch(session, parts.chain_id, to_reduce(look.shared))
            await parts.dynamic.observe(session, look.market)
            await self._thin(session, tick, mark)
        self._on, self._mark = told.after, mark
        still = {one.row.deal.deal_id for one in due}
        before = {deal: at for deal, at in self._woken.items() if deal in still}
        self._woken = before | dict.fromkeys(woken, now)
        _tell(told, woken)

    async def _thin(self, session: Session, tick: Tick, mark: int) -> None:
        """Once an hour, and when the lead was taken."""
        if mark == self._mark or (self._mark and mark % _MARKS_AN_HOUR):
            return
        await self._parts.ticks.thin(
            session,
            tick.chain_id,
            all_since=tick.taken_at - ALL_KEPT,
            kept_since=tick.taken_at - MARKS_KEPT,
        )

    def _alerts(self, look: Look) -> Iterator[Alert]:
        chain_id, block = self._parts.chain_id, look.book.at.number
        yield from shared_alerts(look.shared, chain_id, block)
        yield from market_alerts(look.market, self._parts.points, chain_id)
        yield from unreadable_alerts(look.book.unreadable, chain_id)
        for one in look.deals:
            yield from deal_alerts(one)


def to_be_woken(
    due: Sequence[Assessed], woken_at: Mapping[DealId, float], now: float
) -> list[DealId]:
    """Those of the deals with something to do that were not woken lately, the least cover first."""
    slept = [
        one
        for one in due
        if now - woken_at.get(one.row.deal.deal_id, -WAKE_AGAIN_SECONDS) >= WAKE_AGAIN_SECONDS
    ]
    slept.sort(key=lambda one: one.cover)
    return [one.row.deal.deal_id for one in slept[:AT_ONCE]]


def to_reduce(shared: Sequence[tuple[str, Check]]) -> list[str]:
    """The codes of what forbids every deal of the chain to add risk."""
    return [one.code for _, one in shared if reaction(one, Moment.TICK) is Reaction.REDUCE]


def _tick(look: Look, taken_at: datetime, chain_id: ChainId, seconds: float) -> Tick:
    market = look.market
    return Tick(
        chain_id=chain_id,
        at=look.book.at,
        taken_at=taken_at,
        seconds=seconds,
        market={
            "eth_price": look.book.market.eth_price,
            "cash_price": look.book.market.cash_price,
            "token_price": look.book.market.token_price,
            "eth_pool_price": market.eth_pool.held,
            "oracle_age_seconds": market.sources.eth_age_seconds,
            "cash_oracle_age_seconds": market.sources.cash_age_seconds,
            "deviation_bps": market.sources.deviation,
            "off_peg_bps": market.off_peg,
            "loan_utilisation_bps": market.loan.utilisation,
            "collateral_utilisation_bps": market.collateral.utilisation,
            "threshold_bps": market.collateral.configuration.liquidation_threshold,
            "base_fee_wei": market.base_fee_wei,
            "is_frozen": market.desk.is_frozen,
            "lag_seconds": market.lag_seconds,
        },
        deals=columns(one.column_values() for one in look.deals),
    )


def _tell(told: Edges, woken: Sequence[DealId]) -> None:
    if told.begun or told.ended or woken:
        _log.info(
            "risk.tick",
            begun=[one.code for one in told.begun],
            ended=[one.codes for one in told.ended],
            woken=len(woken),
        )
