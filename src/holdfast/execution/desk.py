"""What people do with deals: preview, create, approve, hold, resume, close, cancel, look."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from holdfast.audit.model import Act
from holdfast.common.alerts import Ended, LoggedAlarm
from holdfast.common.boundary import unobserved
from holdfast.common.errors import Rejected
from holdfast.common.ids import new_deal_id
from holdfast.execution.script import Changed, change
from holdfast.execution.store.deals import NewDeal
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.model.plan import Accounts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from holdfast.audit.service import AuditTrail
    from holdfast.authorization.service import Authorization
    from holdfast.chain.profiles import ChainProfile
    from holdfast.common.alerts import Alarm
    from holdfast.common.boundary import Boundary
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import BankId, ChainId, DealId, PlanHash, PrincipalId
    from holdfast.execution.ports import (
        Admission,
        DealKeys,
        Groups,
        PlanMaker,
        TradingStates,
        Wakes,
    )
    from holdfast.execution.records import DealRecord
    from holdfast.execution.store.deals import DealStore
    from holdfast.model.deal import DealRequest
    from holdfast.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Treasury:
    """The standing addresses that every deal of a chain shares."""

    chain_id: ChainId
    core: Address
    float: Address
    treasury_return: Address

    @classmethod
    def of(cls, profile: ChainProfile) -> Self:
        """Those that the chain's profile pins; `profile.protocol_missing` without them."""
        own = profile.require_accounts()
        return cls(profile.chain_id, own.core, own.float_, own.treasury_return)


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator asks of a deal; an approval names the plan that was looked at."""

    event: DealEvent
    by: PrincipalId
    keep_claim: bool = False
    plan_hash: PlanHash | None = None


@dataclass(frozen=True, slots=True)
class DealDesk:
    """Everything a person may do; each change is one transaction with its audit entries."""

    db: Database
    deals: DealStore
    planner: PlanMaker
    keys: DealKeys
    authorization: Authorization
    trading: TradingStates
    audit: AuditTrail
    wakes: Wakes
    groups: Groups
    clock: Clock
    treasury: Treasury
    book: Admission
    at: Boundary = unobserved
    alarm: Alarm = field(default_factory=LoggedAlarm)

    async def preview(self, request: DealRequest) -> Plan:
        """The plan that `request` would get now; nothing is stored.

        Raises:
            Rejected: `plan.refused`; `desk.halted` or `desk.reducing` while no risk is taken on.
        """
        async with self.db.begin() as session:
            await self._require_trading(session, request)
            number = await self.deals.peek_number(session)
            booked = await self.deals.booked_core(session, self.treasury.chain_id)
        accounts = await self._accounts(new_deal_id(), number)
        return await self.planner.plan(request, accounts, booked)

    async def create(
        self, request: DealRequest, *, author: PrincipalId, approve_as: PrincipalId | None
    ) -> DealRecord:
        """A planned deal; approved and started when `approve_as` names who approves.

        Raises:
            Rejected: `plan.refused`, `desk.halted` or `desk.reducing`; nothing is stored.
        """
        deal_id = new_deal_id()
        async with self.db.begin() as session:
            await self._require_trading(session, request)
            number = await self.deals.next_number(session)
            booked = await self.deals.booked_core(session, self.treasury.chain_id)
        accounts = await self._accounts(deal_id, number)
        plan = await self.planner.plan(request, accounts, booked)
        async with self._writing() as session:
            await self.deals.insert(session, NewDeal(deal_id, author, DealStatus.PLANNED, plan))
            deal = await self.deals.load(session, deal_id)
            await self._record(session, deal, actor=author, action="deal.planned", detail={})
            deal = await self._submit(session, deal)
            if approve_as is not None:
                deal = await self._approve(session, deal, approve_as)
        return deal

    async def approve(
        self, deal_id: DealId, principal: PrincipalId, plan_hash: PlanHash
    ) -> DealRecord:
        """Approve the plan of that hash and start the deal.

        Raises:
            Rejected: `approval.other_plan` when it is not the deal's present one; `desk.halted`,
                `desk.reducing`, or `caps.` and the cap that the open book would break with it;
                nothing is approved.
        """
        async with self._writing() as session:
            deal = await self._locked(session, deal_id)
            _require_plan(deal, plan_hash)
            return await self._approve(session, deal, principal)

    async def check(self, deal_id: DealId, order: Order) -> Changed:
        """What `order` would change; nothing is written.

        Raises:
            Rejected: when the deal may not change so.
        """
        async with self.db.begin() as session:
            deal = await self.deals.load(session, deal_id)
            if order.event is DealEvent.APPROVE:
                await self._require_trading(session, deal.plan.envelope.request)
        changed = _ordered(deal, order)[1]
        if order.plan_hash is not None:
            _require_plan(deal, order.plan_hash)
        return changed

    async def give(self, deal_id: DealId, order: Order) -> DealRecord:
        """Carry out `order` and wake the deal.

        A hold gives up what is not mined yet: a group may end at any leg. What is mined meanwhile
        counts as it is.
        """
        async with self._writing() as session:
            deal = await self._locked(session, deal_id)
            changed_deal, changed = _ordered(deal, order)
            # The wake-up may fail where the deal's own time has none: the sweep then repeats it.
            values = {
                "keep_claim": order.keep_claim or deal.keep_claim,
                "wake_at": self.clock.now(),
                # A hold ends no alert: the next look does, by what the deal waited for.
                "waits_for": deal.waits_for if order.event is DealEvent.HOLD else None,
            }
            await self._save(session, changed_deal, changed, actor=order.by, values=values)
            if order.event is DealEvent.HOLD and deal.group_id is not None:
                await self.groups.cancel_group(session, deal.group_id)
            if order.event is not DealEvent.HOLD:  # whoever ordered it knows what stopped it
                await self.alarm.ended(session, Ended("deal.", str(deal_id)))
            await self.wakes.wake(session, deal_id)
            return await self.deals.load(session, deal_id)

    async def find(self, deal_id: DealId) -> DealRecord:
        """One deal with its plan and legs; `deal.not_found` when there is none."""
        async with self.db.begin() as session:
            return await self.deals.load(session, deal_id)

    async def recent(
        self, *, status: DealStatus | None = None, bank: BankId | None = None, limit: int = 50
    ) -> Sequence[DealRecord]:
        """The newest deals, without their legs."""
        async with self.db.begin() as session:
            return await self.deals.recent(session, status=status, bank=bank, limit=limit)

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[Session]:
        async with self.db.begin() as session:
            yield session
            self.at("desk.before_commit")
        self.at("desk.after_commit")

    async def _accounts(self, deal_id: DealId, number: int) -> Accounts:
        signer = await self.keys.open(await self.keys.create(deal_id, number))
        treasury = self.treasury
        return Accounts(
            core=treasury.core,
            float=treasury.float,
            deal=signer.address,
            treasury_return=treasury.treasury_return,
            deal_number=number,
        )

    async def _require_trading(self, session: Session, request: DealRequest) -> None:
        chain = self.treasury.chain_id
        (await self.trading.glance(session, request.bank, chain)).require_active()

    async def _locked(self, session: Session, deal_id: DealId) -> DealRecord:
        # Locked before it is read: what the deal does by itself meanwhile refuses nobody's order.
        await self.deals.lock_row(session, deal_id)
        return await self.deals.load(session, deal_id)

    async def _submit(self, session: Session, deal: DealRecord) -> DealRecord:
        submitted, changed = change(deal, DealEvent.SUBMIT, None, None)
        await self._save(session, submitted, changed, actor=deal.author, values={})
        return await self.deals.load(session, deal.deal_id)

    async def _approve(
        self, session: Session, deal: DealRecord, principal: PrincipalId
    ) -> DealRecord:
        approved, changed = change(deal, DealEvent.APPROVE, None, None)
        now = self.clock.now()
        (await self.trading.held(session, deal.bank, deal.chain_id)).require_active()
        await self.book.admit(session, deal)
        await self.authorization.approve(
            session, deal.deal_id, deal.plan, principal=principal, at=now
        )
        await self.authorization.authorize(session, deal.deal_id, deal.plan, author=deal.author)
        await self._save(session, approved, changed, actor=principal, values={"wake_at": now})
        await self.wakes.wake(session, deal.deal_id)
        return await self.deals.load(session, deal.deal_id)

    async def _save(
        self,
        session: Session,
        deal: DealRecord,
        changed: Changed,
        *,
        actor: str,
        values: Mapping[str, object],
    ) -> None:
        reason = str(deal.hold_reason) if deal.hold_reason else None
        row = {"status": str(deal.status), "hold_reason": reason, **values}
        await self.deals.change(session, deal, row)
        detail = {"before": str(changed.before), "after": str(changed.after), "reason": reason}
        await self._record(
            session, deal, actor=actor, action=f"deal.{changed.event}", detail=detail
        )

    async def _record(
        self,
        session: Session,
        deal: DealRecord,
        *,
        actor: str,
        action: str,
        detail: Mapping[str, str | None],
    ) -> None:
        detail = {**detail, "plan_hash": deal.plan.plan_hash}
        act = Act(deal.deal_id, deal.bank, deal.chain_id, actor, action, "deal", detail)
        await self.audit.record(session, act)


def _require_plan(deal: DealRecord, plan_hash: PlanHash) -> None:
    found = deal.plan.plan_hash
    if found != plan_hash:
        raise Rejected(
            "approval.other_plan",
            f"the deal's plan is {found}, not the one that was named: look at it anew",
            named=plan_hash,
            found=found,
        )


def _ordered(deal: DealRecord, order: Order) -> tuple[DealRecord, Changed]:
    if order.event is DealEvent.CLOSE and deal.exposure and not order.keep_claim:
        raise Rejected(
            "deal.claim_open",
            "this deal still holds tokens to redeem: wait for redemption, which continues by "
            "itself, or send the tokens to the treasury with --keep-claim",
            value=deal.exposure,
        )
    reason = HoldReason.OPERATOR if order.event is DealEvent.HOLD else None
    return change(deal, order.event, reason, None)
