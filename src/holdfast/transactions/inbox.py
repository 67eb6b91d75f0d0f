"""Lists what needs a person, shows the evidence, and carries out repairs that are safe now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

import structlog

from holdfast.audit.model import Act
from holdfast.common.alerts import Ended, LoggedAlarm
from holdfast.common.errors import Rejected, Transient
from holdfast.transactions.attempts import filler
from holdfast.transactions.foreign import find_use
from holdfast.transactions.model import ACCEPTED, IntentStatus, StatusChange
from holdfast.transactions.repair_plans import no_op_fees, offered, plan_of
from holdfast.transactions.repairs import Facts, Repair, RepairOrder, Stated
from holdfast.transactions.send_state import foreign_use
from holdfast.transactions.store import inbox as store
from holdfast.transactions.store import recording

if TYPE_CHECKING:
    from holdfast.audit.service import AuditTrail
    from holdfast.chain.profiles import FeeModel
    from holdfast.chain.receipts import Head, MinedTransaction
    from holdfast.common.alerts import Alarm
    from holdfast.common.db import Database, Session
    from holdfast.common.evm import Receipt
    from holdfast.common.ids import ChainId, IntentId, PrincipalId
    from holdfast.signing.ports import KeyProvider
    from holdfast.transactions.model import Intent
    from holdfast.transactions.ports import DealRows, Network, Outcomes
    from holdfast.transactions.repairs import Case, RepairPlan

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """One case with what is observed of it and the repairs that it is offered."""

    case: Case
    facts: Facts
    plans: tuple[RepairPlan, ...]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A repair whose preconditions hold; `no_op` is signed where one has to be."""

    order: RepairOrder
    case: Case
    facts: Facts
    no_op: Intent | None


@dataclass(frozen=True, slots=True)
class Inbox:
    """The cases of one chain.

    A repair is one short transaction over one intent: none waits for another to be finished.
    `finality` is how many blocks must hold what a person accepts as the outcome.
    """

    db: Database
    chain_id: ChainId
    finality: int
    fee_model: FeeModel
    network: Network
    keys: KeyProvider
    deals: DealRows
    outcomes: Outcomes
    audit: AuditTrail
    alarm: Alarm = field(default_factory=LoggedAlarm)

    async def cases(self) -> list[Case]:
        """Everything that needs a person, in nonce order per sender."""
        async with self.db.begin() as session:
            return await store.open_cases(session, self.chain_id)

    async def show(self, intent_id: IntentId, by: PrincipalId) -> Shown:
        """One intent as it is recorded and as the chain shows it now.

        Raises:
            Rejected: `tx.not_found`.
            Transient: when the chain does not answer or changed meanwhile.
        """
        case = await self._case(intent_id)
        facts = await self._facts(case)
        orders = [RepairOrder(repair, by, "", Stated.LANDED) for repair in offered(case)]
        return Shown(case, facts, tuple(plan_of(order, case, facts) for order in orders))

    async def plan(self, intent_id: IntentId, order: RepairOrder) -> RepairPlan:
        """The repair and its preconditions, checked now; nothing is done; raises as `show`."""
        case = await self._case(intent_id)
        return plan_of(order, case, await self._facts(case))

    async def carry_out(self, intent_id: IntentId, order: RepairOrder) -> RepairPlan:
        """Do what `order` asks for, if every precondition holds.

        They are checked at one block before anything is signed, and again with the intent's row
        locked in the transaction that writes.

        Raises:
            Rejected: the code of the first precondition that does not hold; nothing was done.
            Transient: `tx.repair_moved` when the intent changed meanwhile; nothing was done.
        """
        case = await self._case(intent_id)
        facts = await self._facts(case)
        plan = plan_of(order, case, facts)
        plan.require_ready()
        no_op = await self._no_op(case, facts) if order.repair is Repair.FILL_GAP else None
        async with self.db.begin() as session:
            await self.deals.lock_row(session, case.intent.new.deal_id)
            again = await store.locked_case(session, intent_id)
            nonces = await self._nonces(session, case, facts.account_nonce)
            facts = replace(facts, first_live_nonce=nonces[0], gap_holder=nonces[1])
            plan_of(order, again, facts).require_ready()
            if again.version != case.version:
                raise Transient("tx.repair_moved", "the intent changed meanwhile: look again")
            await self._write(session, _Ready(order, again, facts, no_op))
            await self.audit.record(session, _act(order, again, plan))
        log.warning("tx.repaired", **case.intent.new.log_ids, repair=order.repair, by=order.by)
        return plan

    async def _case(self, intent_id: IntentId) -> Case:
        async with self.db.begin() as session:
            return await store.case_of(session, intent_id)

    async def _facts(self, case: Case) -> Facts:
        head = await self.network.head()
        sender = case.intent.new.sender
        count = (await self.network.nonces([sender], head.ref))[sender]
        receipt = await self._receipt(case.intent, head)
        use = await self._use(case.intent, head) if receipt is None else None
        tip = await self.network.suggest_tip_wei()
        async with self.db.begin() as session:
            first, holder = await self._nonces(session, case, count)
        if (await self.network.block(head.ref.number)).ref != head.ref:
            raise Transient("chain.reorged", "the chain changed while it was read: look again")
        return Facts(
            at=head.ref,
            finality=self.finality,
            account_nonce=count,
            base_fee_wei=head.base_fee_wei,
            tip_wei=tip,
            fee_model=self.fee_model,
            receipt=receipt,
            use=use,
            first_live_nonce=first,
            gap_holder=holder,
        )

    async def _receipt(self, intent: Intent, head: Head) -> Receipt | None:
        found = await self.network.find_receipts(intent.hashes)
        mined = [one for one in found if one.block.number <= head.ref.number]
        return mined[0] if mined else None

    async def _use(self, intent: Intent, head: Head) -> MinedTransaction | None:
        try:
            use = await find_use(self.network, intent.new.sender, intent.nonce, head.ref)
        except Transient as error:  # a node without old states still shows everything else
            log.warning("tx.unproved", **intent.new.log_ids, **error.as_dict())
            return None
        return None if use is None or use.tx_hash in intent.hashes else use

    async def _nonces(
        self, session: Session, case: Case, count: int
    ) -> tuple[int | None, IntentId | None]:
        return await store.nonces_of(session, self.chain_id, case.intent.new.sender, count)

    async def _no_op(self, case: Case, facts: Facts) -> Intent:
        fees = no_op_fees(case, facts, replaces=False)
        return await filler(self.keys, case.intent, facts.account_nonce, fees)

    async def _write(self, session: Session, ready: _Ready) -> None:
        intent = ready.case.intent
        match ready.order.repair:
            case Repair.REBROADCAST:
                await store.send_again(session, ready.case)
            case Repair.CANCEL:
                await store.ask_to_cancel(session, intent.intent_id)
            case Repair.ACCEPT_DISPLACED | Repair.ACCEPT_OUTCOME:
                await self.outcomes.change(session, [_accepted(ready)])
            case Repair.FILL_GAP:
                if ready.no_op is None or not await recording.fill(session, ready.no_op):
                    raise Rejected("tx.repair_gap_ours", "the nonce was taken meanwhile")
            case Repair.ACKNOWLEDGE:
                await store.acknowledge(session, intent.intent_id)
                await self.alarm.ended(session, Ended("tx.displaced", str(intent.intent_id)))
            case _:
                assert_never(ready.order.repair)


def _accepted(ready: _Ready) -> StatusChange:
    """The outcome that a person accepts; the plan's checks hold."""
    order, case, use = ready.order, ready.case, ready.facts.use
    if order.repair is Repair.ACCEPT_DISPLACED and use is not None:
        return StatusChange(case.intent, IntentStatus.DISPLACED, foreign_use(case.intent, use))
    landed = order.stated is Stated.LANDED
    status = IntentStatus.LANDED if landed else IntentStatus.CANCELLED
    evidence = {**case.evidence, "reason": ACCEPTED, "stated": order.stated, "by": order.by}
    return StatusChange(case.intent, status, evidence)


def _act(order: RepairOrder, case: Case, plan: RepairPlan) -> Act:
    new = case.intent.new
    return Act(
        deal_id=new.deal_id,
        bank=new.participant_bank_id,
        chain_id=new.chain_id,
        actor=order.by,
        action=f"tx.{order.repair}",
        subject=f"intent {new.intent_id}",
        detail={
            "reason": order.reason,
            "stated": order.stated,
            "status": str(case.intent.status),
            "nonce": case.intent.nonce,
            "block": plan.at.number,
            "block_hash": plan.at.hash,
            "checks": [f"{check.code}: {check.found}" for check in plan.checks],
        },
    )
