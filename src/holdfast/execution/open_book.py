"""What the desk stands at when a deal would join: the limits in force and the open book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from holdfast.common.errors import Rejected
from holdfast.execution.store.sums import book_sums, lock_book, spend_of
from holdfast.risk.caps import Wanted, caps

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.execution.records import DealRecord
    from holdfast.model.deal import DealRequest
    from holdfast.risk.caps import BookSums
    from holdfast.risk.tightening import InForce


class Limits(Protocol):
    """The limits that hold now."""

    async def in_force(self, session: Session) -> InForce:
        """The published limits, and what tightens them."""
        ...


@dataclass(frozen=True, slots=True)
class OpenBook:
    """Reads limits and book, for planning and for the moment when a deal joins."""

    db: Database
    limits: Limits
    clock: Clock

    async def in_force(self) -> InForce:
        """The limits that a deal planned now is held to."""
        async with self.db.begin() as session:
            return await self.limits.in_force(session)

    async def sums(self, request: DealRequest) -> BookSums:
        """What is open beside the deal that is asked for."""
        async with self.db.begin() as session:
            return await book_sums(session, request, self._day())

    async def admit(self, session: Session, deal: DealRecord) -> None:
        """Check once more that the book has room for a deal that is not open yet.

        No other deal joins before the transaction ends, so two that fit each but not both are
        never both let in.

        Raises:
            Rejected: `caps.deal`, `caps.bank`, `caps.module`, `caps.asset` or `caps.day`.
        """
        await lock_book(session)
        envelope = deal.plan.envelope
        wanted = Wanted(envelope.request.total_eth_value, spend_of(envelope.terms))
        book = await book_sums(session, envelope.request, self._day())
        in_force = await self.limits.in_force(session)
        found, usual = (caps(wanted, book, one) for one in (in_force.limits, in_force.published))
        for check in in_force.told(found, usual):
            if check.is_violation:
                raise Rejected(
                    check.code,
                    f"{check.text}: wait until open deals end, or ask for a smaller deal",
                    limit=check.limit,
                    value=check.value,
                )

    def _day(self) -> datetime:
        return self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
