"""Changes of a deal's status that nothing else goes with: it stops, or waits for a person."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.audit.model import Act
from holdfast.common.alerts import Alert, Severity
from holdfast.common.boundary import Boundary, unobserved
from holdfast.execution.alerts import about
from holdfast.execution.script import change, held
from holdfast.model.deal import DealEvent, DealStatus, HoldReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from holdfast.audit.service import AuditTrail
    from holdfast.common.alerts import Alarm
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.common.errors import HoldfastError
    from holdfast.common.ids import DealId
    from holdfast.execution.records import DealRecord
    from holdfast.execution.script import Changed
    from holdfast.execution.store.deals import DealStore
    from holdfast.transactions.errors import ForeignNonce
    from holdfast.transactions.service import Transactions

_log = structlog.stdlib.get_logger(__name__)

_AMBIGUOUS: Final = "the chain's signals about a leg disagree"


@dataclass(frozen=True, slots=True)
class StandStill:
    """Writes such a change in a transaction of its own.

    `look_seconds` is when a deal that holds looks again by itself, `retry_seconds` when one that
    cannot go on tries again.
    """

    db: Database
    deals: DealStore
    transactions: Transactions
    audit: AuditTrail
    clock: Clock
    alarm: Alarm
    look_seconds: float
    retry_seconds: float
    at: Boundary = unobserved

    async def void(self, deal: DealRecord, why: str) -> None:
        """Take the deal's approval back: its plan does not hold any more."""
        voided, changed = change(deal, DealEvent.DRIFT, None, None)
        async with self._writing() as session:
            await self._write(session, deal, voided, [replace(changed, why=(why,))])
        _log.warning("deal.voided", reason=why)

    async def hold_ambiguous(self, deal: DealRecord) -> None:
        """Stand still until the signals about a leg agree.

        A deal that holds or closes sends nothing meanwhile either, and stays what a person made of
        it: from a hold for ambiguity it would go on to build up again.
        """
        if deal.status is not DealStatus.EXECUTING:
            return
        stopped, changes = held(deal, HoldReason.AMBIGUITY, None)
        changes = [replace(one, why=(_AMBIGUOUS,)) for one in changes]
        async with self._writing() as session:
            await self._write(session, deal, stopped, changes)
        _log.error("deal.ambiguous", group=str(deal.group_id))

    async def take_note(self, deal: DealRecord, error: ForeignNonce) -> bool:
        """Number on after transactions that others sent; whether the deal stood still for them.

        The float serves all deals and is only ever drained by what they have approved, so its
        foreign use stops none of them; that of the deal's own key stops the deal.

        Raises:
            Transient: `tx.nonces_unsettled`; nothing was done.
        """
        is_own = error.sender == deal.plan.accounts.deal
        async with self._writing() as session:
            if is_own:
                stopped, changes = held(deal, HoldReason.FOREIGN_USE, None)
                changes = [replace(one, why=(error.message,)) for one in changes]
                await self._write(session, deal, stopped, changes)
            await self.transactions.catch_up(session, deal.chain_id, error.sender, error.on_chain)
        return is_own

    async def tell(self, deal: DealRecord, error: HoldfastError) -> None:
        """Have a person told of what will go wrong again, and try again only after a while."""
        alert = about(
            deal,
            error.code,
            Severity.CRITICAL,
            text=f"the deal cannot go on: {error.message}",
            fields={name: str(value) for name, value in error.fields.items()},
        )
        async with self._writing() as session:
            await self.deals.lock(session, deal)
            await self.alarm.raised(session, alert)
            later = self.clock.now() + timedelta(seconds=self.retry_seconds)
            await self.deals.change(session, deal, {"wake_at": later})

    async def tell_unforeseen(self, deal_id: DealId, error: Exception) -> None:
        """The same for an error of no family, which may be why the deal cannot even be read."""
        alert = Alert(
            code="deal.unforeseen",
            severity=Severity.CRITICAL,
            subject=str(deal_id),
            text=f"the deal cannot go on, by a bug of Holdfast ({type(error).__name__}): the "
            "worker's log has where. It is tried again from time to time",
            deal_id=deal_id,
            fields={"error": type(error).__name__},  # its text may hold a URL
        )
        async with self._writing() as session:
            await self.alarm.raised(session, alert)
            later = self.clock.now() + timedelta(seconds=self.retry_seconds)
            await self.deals.put_off(session, deal_id, later)

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[Session]:
        async with self.db.begin() as session:
            yield session
            self.at("still.before_commit")
        self.at("still.after_commit")

    async def _write(
        self, session: Session, deal: DealRecord, after: DealRecord, changes: Sequence[Changed]
    ) -> None:
        await self.deals.lock(session, deal)
        await self.audit.record(session, *[act_of(deal, one, block=None) for one in changes])
        reason = after.hold_reason
        looks_again = after.status is DealStatus.HOLDING  # its group may still be under way
        pause = timedelta(seconds=self.look_seconds)
        row = {
            "status": str(after.status),
            "hold_reason": str(reason) if reason else None,
            "wake_at": self.clock.now() + pause if looks_again else None,
            "waits_for": deal.waits_for if looks_again else None,
        }
        await self.deals.change(session, deal, row)


def act_of(deal: DealRecord, changed: Changed, *, block: int | None) -> Act:
    """A change of status as the worker's entry in the deal's record."""
    detail = {
        "before": str(changed.before),
        "after": str(changed.after),
        "reason": str(changed.reason) if changed.reason else None,
        "why": list(changed.why),
        "block": block,
    }
    return Act(
        deal_id=deal.deal_id,
        bank=deal.bank,
        chain_id=deal.chain_id,
        actor="worker",
        action=f"deal.{changed.event}",
        subject="deal",
        detail=detail,
    )
