"""Alerts that outlive the process: recorded with what calls for them, delivered by a chore."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.model import Act
from holdfast.audit.service import DESK
from holdfast.common.errors import Rejected, Transient
from holdfast.common.ids import BankId, ChainId
from holdfast.monitoring.errors import AlertNotFound
from holdfast.monitoring.records import RANKS
from holdfast.monitoring.store import alerts as store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.alerts import Alert, Ended
    from holdfast.common.db import Database, Session
    from holdfast.common.ids import PrincipalId
    from holdfast.monitoring.chores import Chores
    from holdfast.monitoring.ports import AlertBook, AuditTail, DealRows, DeliveryBook, Target
    from holdfast.monitoring.records import KeptAlert


@dataclass(frozen=True, slots=True)
class Alerts:
    """The `Alarm` of the product, and what an operator does with alerts."""

    chores: Chores
    audit: AuditTail
    deals: DealRows
    book: AlertBook = store

    async def raised(self, session: Session, *alerts: Alert) -> None:
        """Record the alerts; they are delivered if and only if `session` commits.

        One that is open already is counted up; it is delivered again only when it became graver.
        """
        # Always in the same order, so that two transactions with the same alerts cannot deadlock.
        for alert in sorted(alerts, key=lambda one: (one.code, one.subject)):
            alert_id = await self.book.put(session, alert)
            if alert_id is not None:
                await self.chores.later(session, store.DELIVERY, str(alert_id))

    async def ended(self, session: Session, *ended: Ended) -> None:
        """Close the open alerts whose cause was seen to end; the next of the kind is a new one."""
        for one in sorted(ended, key=lambda one: (one.codes, one.subject)):
            await self.book.resolve(session, one)

    async def listed(
        self, session: Session, *, with_closed: bool = False, limit: int = 100
    ) -> list[KeptAlert]:
        """The alerts that came last and are open, or all."""
        return await self.book.recent(session, with_closed=with_closed, limit=limit)

    async def shown(self, session: Session, alert_id: int) -> KeptAlert:
        """One alert; `alert.not_found` when there is none."""
        found = await self.book.load(session, alert_id)
        if found is None:
            raise AlertNotFound(alert_id)
        return found

    async def acknowledge(
        self, session: Session, alert_id: int, by: PrincipalId, reason: str
    ) -> KeptAlert:
        """Close an alert, so that the next of its kind is a new one; closed twice changes nothing.

        Who did so and why goes into the audit: the deal's, or the desk's for what is about no deal.

        Raises:
            Rejected: `alert.not_found`, or `alert.reason` when none is given.
        """
        if not reason.strip():
            raise Rejected("alert.reason", "say what you found, in words: --reason TEXT")
        alert = await self.shown(session, alert_id)
        act = _acknowledged(alert, by, reason)
        if alert.deal_id is None:
            await self.audit.lock_desk(session)
        else:
            await self.deals.lock_row(session, alert.deal_id)
        if await self.book.acknowledge(session, alert_id, by):
            await self.audit.record(session, act)
        return await self.shown(session, alert_id)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Brings an alert to every target that wants it; a target that has it is left alone.

    At least once: a target that took an alert just before this process died gets it again.
    """

    db: Database
    targets: Sequence[Target]
    book: DeliveryBook = store

    async def __call__(self, subject: str) -> None:
        """Deliver the alert whose id is `subject`.

        Raises:
            Transient: `alert.undelivered` with the targets that do not have it yet.
        """
        async with self.db.begin() as session:
            alert = await self.book.load(session, int(subject))
        if alert is None:
            raise AlertNotFound(int(subject))
        wanted = [one for one in self.targets if _wants(one, alert)]
        missing = [one for one in wanted if one.name not in alert.reached]
        refusals = await asyncio.gather(*(_refusal(one, alert) for one in missing))
        errors = [error for error in refusals if error is not None]
        had = {one.name for one, error in zip(missing, refusals, strict=True) if error is None}
        async with self.db.begin() as session:
            await self.book.note_reached(session, alert, alert.reached | had, is_all=not errors)
        if errors:
            raise Transient("alert.undelivered", "; ".join(error.message for error in errors))


def _acknowledged(alert: KeptAlert, by: PrincipalId, reason: str) -> Act:
    return Act(
        deal_id=alert.deal_id or DESK,
        bank=alert.bank_id or BankId("-"),
        chain_id=alert.chain_id or ChainId(0),
        actor=by,
        action="alert.acknowledge",
        subject=f"alert {alert.alert_id}",
        detail={"code": alert.code, "subject": alert.subject, "reason": reason},
    )


def _wants(target: Target, alert: KeptAlert) -> bool:
    return RANKS[alert.severity] >= RANKS[target.least]


async def _refusal(target: Target, alert: KeptAlert) -> Transient | None:
    try:
        await target.send(alert)
    except Transient as error:
        return error
    return None
