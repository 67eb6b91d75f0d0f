"""What the desk stands at when a deal would join: the limits in force and the open book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from holdfast.common.errors import Rejected
from holdfast.common.money import Bps
from holdfast.execution.store.sums import book_sums, lock_book, lot_of, spend_of
from holdfast.risk.caps import Wanted, caps, shares

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.execution.records import DealRecord
    from holdfast.model.deal import DealRequest
    from holdfast.model.plan import Envelope
    from holdfast.risk.caps import BookSums
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.model import Check
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
        never both let in. Its loan and its share of the token were held to the limits of its plan;
        where the market has tightened those since, they are held to what is left.

        Raises:
            Rejected: `caps.deal`, `caps.bank`, `caps.module`, `caps.asset` or `caps.day`; `I6.ltv`
                or `I4.freeze_exposure`.
        """
        await lock_book(session)
        book = await book_sums(session, deal.plan.envelope.request, self._day())
        in_force = await self.limits.in_force(session)
        is_tight = in_force.limits != in_force.published
        found, usual = (
            _checks(deal.plan.envelope, book, one, is_tight=is_tight)
            for one in (in_force.limits, in_force.published)
        )
        for check in in_force.told(found, usual):
            if check.is_violation:
                raise Rejected(
                    check.code,
                    f"{check.text}: {_instead(check)}",
                    limit=check.limit,
                    value=check.value,
                )

    def _day(self) -> datetime:
        return self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)


def _checks(
    envelope: Envelope, book: BookSums, limits: RiskLimits, *, is_tight: bool
) -> Sequence[Check]:
    terms = envelope.terms
    wanted = Wanted(envelope.request.total_eth_value, spend_of(terms))
    found = caps(wanted, book, limits)
    if not is_tight:
        return found
    ltv = envelope.opening_ltv if terms.borrow.units else Bps(0)
    return (*found, *shares(ltv, lot_of(terms), wanted, limits))


def _instead(check: Check) -> str:
    if check.code.startswith("caps."):
        return "wait until open deals end, or ask for a smaller deal"
    return "wait until the market is calmer, or plan the deal anew with less"
