"""Advance one deal: look, decide, and write what follows in one short transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from holdfast.audit.model import Act
from holdfast.common.boundary import Boundary, unobserved
from holdfast.common.errors import Transient
from holdfast.common.ids import new_group_id
from holdfast.execution.errors import CoreShort, MoveRefused
from holdfast.execution.model import Send, Wait, WaitFor
from holdfast.execution.script import Changed, Script, change, play
from holdfast.execution.settlement import Settlement, is_ambiguous, refused, settle
from holdfast.model.deal import TERMINAL, DealEvent, DealStatus, HoldReason
from holdfast.model.leg import LegStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from holdfast.audit.service import AuditTrail
    from holdfast.authorization.service import Authorization
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.common.ids import DealId
    from holdfast.execution.bookkeeping import Bookkeeping
    from holdfast.execution.observation import Seen
    from holdfast.execution.packaging import EoaAccount
    from holdfast.execution.ports import Builder, Observer
    from holdfast.execution.records import DealRecord
    from holdfast.execution.store.deals import DealStore
    from holdfast.model.leg import Leg
    from holdfast.transactions.service import Transactions

_log = structlog.stdlib.get_logger(__name__)

_IDLE = TERMINAL | {DealStatus.DRAFT, DealStatus.PLANNED, DealStatus.AWAITING_APPROVAL}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a deal waits before it looks again by itself, in seconds.

    `under_way` only guards against a lost wake-up: the chain loop wakes the deal when its group
    ends. `block` is about the chain's block time.
    """

    under_way: float = 30.0
    block: float = 1.0
    holding: float = 15.0
    most: float = 300.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one look led to, ready to be written."""

    settlement: Settlement
    script: Script
    deal: DealRecord
    legs: Sequence[Leg]
    seen: Seen


@dataclass(frozen=True, slots=True)
class Advance:
    """The whole of `advance`; safe to run twice, at once, or after a crash at any point."""

    db: Database
    deals: DealStore
    transactions: Transactions
    account: EoaAccount
    observer: Observer
    builder: Builder
    books: Bookkeeping
    authorization: Authorization
    audit: AuditTrail
    clock: Clock
    patience: Patience = Patience()
    at: Boundary = unobserved

    async def __call__(self, deal_id: DealId) -> None:
        """Take the deal one step further, if there is one to take.

        Raises:
            Transient: the chain did not answer or the deal changed meanwhile; nothing was done.
            Rejected: `authorization.missing` when nobody approved the plan that would start.
        """
        async with self.db.begin() as session:
            deal = await self.deals.load(session, deal_id)
            sent = [leg.leg_id for leg in deal.legs if leg.status is LegStatus.SENT]
            outcomes = await self.transactions.outcomes(session, deal_id, sent) if sent else []
        with structlog.contextvars.bound_contextvars(bank=deal.bank, deal=str(deal_id)):
            if deal.status in _IDLE:
                await self._end_cancelled(deal)
                return
            if is_ambiguous(outcomes):
                await self._hold_ambiguous(deal)
            elif all(outcome.is_final for outcome in outcomes):
                prepared = await self._prepare(settle(deal, outcomes))
                await self._write_or_void(prepared)

    async def _prepare(self, settlement: Settlement) -> Prepared:
        """Look at the chain and decide; nothing is written and no row is locked."""
        seen = await self.observer.observe(settlement.deal)
        if seen.position.at.number < settlement.deal.last_block:
            raise Transient("chain.behind", "the node has not seen the deal's own blocks yet")
        script = play(settlement.deal, seen.position, seen.venues)
        if isinstance(script.outcome, Send) and seen.gas_is_too_dear:
            script = replace(script, outcome=Wait(WaitFor.GAS))
        deal = script.deal
        legs: Sequence[Leg] = ()
        if isinstance(script.outcome, Send):
            try:
                legs = await self.builder.build(deal, script.outcome.move, seen)
            except MoveRefused as error:
                _log.warning("deal.move_refused", leg=error.kind, reason=error.message)
                deal = refused(deal, error.kind, error.message)
        return Prepared(settlement, script, deal, legs, seen)

    async def _write_or_void(self, prepared: Prepared) -> None:
        try:
            await self._write(prepared)
        except CoreShort as error:
            await self._change(prepared.settlement.deal, DealEvent.DRIFT, None, why=error.message)
            _log.warning("deal.voided", reason=error.message)

    async def _write(self, prepared: Prepared) -> None:
        before = prepared.settlement.deal
        group_id = new_group_id() if prepared.legs else None
        deal = replace(prepared.deal, group_id=group_id)
        ended = frozenset(leg.step for leg in prepared.settlement.legs)
        touched = ended | frozenset(leg.step for leg in prepared.legs)
        async with self.db.begin() as session:
            await self.deals.lock(session, before)
            if any(changed.event is DealEvent.START for changed in prepared.script.changes):
                await self.authorization.authorize(
                    session, deal.deal_id, deal.plan, author=deal.author
                )
            balances = await self.books.settle(
                session,
                prepared.settlement,
                prepared.script.changes,
                after=deal,
                seen=prepared.seen,
            )
            await self._record_changes(session, prepared)
            if group_id is not None:
                await self.account.send(session, deal, group_id, prepared.legs, seen=prepared.seen)
            await self.books.save(
                session,
                deal,
                prepared.seen,
                wake_at=self._wake_at(prepared, deal),
                balances=balances,
                touched=touched,
            )
            self.at("advance.before_commit")
        self.at("advance.after_commit")
        self._tell(prepared)

    async def _record_changes(self, session: Session, prepared: Prepared) -> None:
        block = prepared.seen.head.ref.number
        acts = [_act(prepared.deal, one, block=block) for one in prepared.script.changes]
        if acts:
            await self.audit.record(session, *acts)

    async def _end_cancelled(self, deal: DealRecord) -> None:
        """A deal may be cancelled after it started, when nothing was sent: core is free again."""
        if deal.status is not DealStatus.CANCELLED or deal.wake_at is None:
            return
        seen = await self.observer.observe(deal)
        async with self.db.begin() as session:
            await self.deals.lock(session, deal)
            await self.books.release(session, deal, seen)
            await self.deals.change(session, deal, {"wake_at": None})

    async def _hold_ambiguous(self, deal: DealRecord) -> None:
        """Signals disagree about a leg: stand still until they do not."""
        if deal.status is not DealStatus.HOLDING:
            why = "the chain's signals about a leg disagree"
            await self._change(deal, DealEvent.HOLD, HoldReason.AMBIGUITY, why=why)
            _log.error("deal.ambiguous", group=str(deal.group_id))

    async def _change(
        self, deal: DealRecord, event: DealEvent, reason: HoldReason | None, *, why: str
    ) -> None:
        """One change of status that nothing else goes with."""
        changed_deal, changed = change(deal, event, reason, None)
        changed = replace(changed, why=(why,))
        async with self.db.begin() as session:
            await self.deals.lock(session, deal)
            await self.audit.record(session, _act(deal, changed, block=None))
            hold = changed_deal.hold_reason
            row = {
                "status": str(changed_deal.status),
                "hold_reason": str(hold) if hold else None,
                "wake_at": self._after_alone(changed_deal),
            }
            await self.deals.change(session, deal, row)

    def _after_alone(self, deal: DealRecord) -> datetime | None:
        """When to look again after a change that came alone; the group may still be under way."""
        if deal.status is not DealStatus.HOLDING:
            return None
        return self.clock.now() + timedelta(seconds=self.patience.under_way)

    def _wake_at(self, prepared: Prepared, deal: DealRecord) -> datetime | None:
        seconds = self._pause(prepared, deal)
        return None if seconds is None else self.clock.now() + timedelta(seconds=seconds)

    def _pause(self, prepared: Prepared, deal: DealRecord) -> float | None:
        """Seconds until the deal looks again by itself; None when only a person can go on."""
        patience = self.patience
        if deal.group_id is not None:
            return patience.under_way
        if deal.trouble is not None:
            return min(patience.block * float(1 << min(deal.trouble.times - 1, 10)), patience.most)
        match prepared.script.outcome:
            case Wait(WaitFor.APPROVAL | WaitFor.NOTHING):
                return None
            case Wait(WaitFor.THAW | WaitFor.QUEUE | WaitFor.RESERVE | WaitFor.OPERATOR):
                return patience.holding
            case _:
                return patience.block

    def _tell(self, prepared: Prepared) -> None:
        for changed in prepared.script.changes:
            _log.info(
                "deal.changed",
                before=changed.before,
                after=changed.after,
                reason=changed.reason,
                why=changed.why,
            )
        if prepared.legs:
            _log.info(
                "deal.legs_signed",
                step=int(prepared.legs[0].step),
                legs=[leg.label for leg in prepared.legs],
                block=prepared.seen.head.ref.number,
            )


def _act(deal: DealRecord, changed: Changed, *, block: int | None) -> Act:
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
