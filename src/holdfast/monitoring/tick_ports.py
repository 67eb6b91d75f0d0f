"""What the risk monitor needs: the book, the market and its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from holdfast.chain.receipts import Head
    from holdfast.common.alerts import Severity
    from holdfast.common.db import Session
    from holdfast.common.ids import ChainId
    from holdfast.common.store import Lead
    from holdfast.execution.book import Book
    from holdfast.monitoring.ticks import Tick
    from holdfast.risk.market import RiskMarket


class BookSource(Protocol):
    """Where all open deals are read."""

    async def read(self) -> Book:
        """The book at the newest block; `Transient` when database or chain do not answer."""
        ...


class MarketSource(Protocol):
    """Where the market is read."""

    async def read(self, head: Head) -> RiskMarket:
        """The market at `head`; `Transient` when the chain does not answer."""
        ...


class MovingLimits(Protocol):
    """The limits of new deals, which follow the market."""

    async def observe(self, session: Session, market: RiskMarket) -> object:
        """Take the reading in: tighten at once, or rise when it is time."""
        ...


class Fence(Protocol):
    """The lead that a write is made under."""

    async def fence(self, session: Session) -> None:
        """Let `session` write only if no newer leader has begun; else `Transient`."""
        ...


class Switch(Protocol):
    """What stops a whole chain from adding risk."""

    async def watch(self, session: Session, chain: ChainId, breaches: Sequence[str]) -> None:
        """Reduce the chain while there are such breaches, and for a while afterwards."""
        ...


class TickBook(Protocol):
    """The history of ticks, written in the caller's transaction."""

    async def write(self, session: Session, tick: Tick, *, is_kept: bool) -> None:
        """Add a tick; one that `is_kept` stays when those around it are thinned out."""
        ...

    async def thin(
        self, session: Session, chain_id: ChainId, *, all_since: datetime, kept_since: datetime
    ) -> int:
        """Delete old ticks; how many that was."""
        ...


class TickAges(Protocol):
    """How far the ticks are."""

    async def age_seconds(self, session: Session, chain_id: ChainId) -> float | None:
        """How long ago the newest tick was written; None without any."""
        ...


class Leads(Protocol):
    """Who leads what."""

    async def lead_of(self, session: Session, name: str) -> Lead | None:
        """The lease of that name, led or not; None when nobody ever had it."""
        ...


class OpenAlerts(Protocol):
    """Which alerts are open."""

    async def open_of(
        self, session: Session, chain_id: ChainId, beginnings: Collection[str]
    ) -> Mapping[tuple[str, str], Severity]:
        """The open alerts of a chain whose codes begin so: by code and subject, how grave."""
        ...
