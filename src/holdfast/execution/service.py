"""Advance one deal: look, decide, and write what follows in one short transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from holdfast.common.alerts import Alarm, LoggedAlarm
from holdfast.common.boundary import Boundary, unobserved
from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.ids import new_group_id
from holdfast.execution import notices
from holdfast.execution.alerts import unexplained
from holdfast.execution.cure_records import cure_act
from holdfast.execution.errors import CoreShort, Differs, TradingChanged, Unexplained
from holdfast.execution.patience import Patience
from holdfast.execution.preparation import Preparation
from holdfast.execution.records import is_cure
from holdfast.execution.restraint import restrained
from holdfast.execution.saga import is_urgent
from holdfast.execution.script import play
from holdfast.execution.settlement import is_ambiguous, is_priced_out, settle
from holdfast.execution.standstill import StandStill, act_of
from holdfast.execution.store.snapshots import last_snapshot
from holdfast.model.deal import TERMINAL, DealStatus, HoldReason
from holdfast.model.leg import LegStatus
from holdfast.transactions.errors import ForeignNonce

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from holdfast.audit.service import AuditTrail
    from holdfast.authorization.service import Authorization
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.common.ids import DealId
    from holdfast.execution.bookkeeping import Bookkeeping
    from holdfast.execution.foresight import Foresight
    from holdfast.execution.packaging import EoaAccount
    from holdfast.execution.ports import Builder, Observer, TradingStates
    from holdfast.execution.prepared import Prepared
    from holdfast.execution.records import DealRecord
    from holdfast.execution.store.deals import DealStore
    from holdfast.risk.trading import Trading
    from holdfast.transactions.model import IntentOutcome
    from holdfast.transactions.service import Transactions

_log = structlog.stdlib.get_logger(__name__)

_IDLE = TERMINAL | {DealStatus.DRAFT, DealStatus.PLANNED, DealStatus.AWAITING_APPROVAL}


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
    trading: TradingStates
    audit: AuditTrail
    clock: Clock
    foresight: Foresight
    patience: Patience = field(default_factory=Patience)
    at: Boundary = unobserved
    alarm: Alarm = field(default_factory=LoggedAlarm)

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
            trading = await self.trading.glance(session, deal.bank, deal.chain_id)
        with structlog.contextvars.bound_contextvars(bank=deal.bank, deal=str(deal_id)):
            try:
                await self._go_on(deal, outcomes, trading)
            except (Rejected, Broken) as error:  # it would go wrong again and again, in silence
                await self.stand_still.tell(deal, error)
                raise

    async def _go_on(
        self, deal: DealRecord, outcomes: Sequence[IntentOutcome], trading: Trading
    ) -> None:
        if deal.status in _IDLE:
            await self._end_cancelled(deal)
        elif is_ambiguous(outcomes):
            await self.stand_still.hold_ambiguous(deal)
        elif all(outcome.is_final for outcome in outcomes):
            await self._write_or_stop(await self.preparation(settle(deal, outcomes), trading))
        elif is_priced_out(deal, outcomes):
            await self._make_way(deal)

    async def _make_way(self, deal: DealRecord) -> None:
        """Give up what gas keeps from being mined, once the deal has something more urgent to do.

        Else a redemption that waits for cheaper gas would keep a cure from being sent.
        """
        seen = await self.observer.observe(deal)
        if deal.group_id is None or not is_urgent(seen.venues):
            return
        async with self.db.begin() as session:
            given_up = await self.transactions.cancel_group(session, deal.group_id)
        _log.warning("deal.gives_way", group=str(deal.group_id), intents=given_up)

    @property
    def preparation(self) -> Preparation:
        """What looks at the chain and decides."""
        return Preparation(self.observer, self.builder, self.foresight, self.at)

    @property
    def stand_still(self) -> StandStill:
        """What writes that a deal stops, or tells why it cannot go on."""
        patience = self.patience
        return StandStill(
            self.db,
            self.deals,
            self.transactions,
            self.audit,
            self.clock,
            self.alarm,
            look_seconds=patience.under_way,
            retry_seconds=patience.most,
            at=self.at,
        )

    async def _write_or_stop(self, prepared: Prepared) -> None:
        deal = prepared.settlement.deal
        try:
            await self._write(prepared)
        except CoreShort as error:
            await self.stand_still.void(deal, error.message)
        except ForeignNonce as error:
            if not await self.stand_still.take_note(deal, error):
                await self._write(prepared)
        except Differs:
            await self._require_blocks(deal)
            await self._write_or_stop(replace(prepared, is_certain=True))
        except Unexplained as error:
            await self._write_or_stop(await self._doubted(prepared, error))

    async def _require_blocks(self, deal: DealRecord) -> None:
        """Have a reorg seen to before anything is made of what it took or brought back.

        Raises:
            Transient: `chain.reorged` when the deal's blocks are gone: the chain loop sees to that
                once it comes there. Not for blocks that it passed as deep as finality: those it
                leaves to a person.
        """
        async with self.db.begin() as session:
            last = await self.transactions.last_block(session, deal.deal_id)
            followed = await self.transactions.followed(session, deal.chain_id)
        if last is not None and await self.observer.has_lost(last, followed):
            raise Transient("chain.reorged", "the deal's own blocks are gone: not seen to yet")

    async def _doubted(self, prepared: Prepared, error: Unexplained) -> Prepared:
        """What to write instead: a deal that builds up stands still, one that goes home goes on."""
        deal, seen = prepared.settlement.deal, prepared.seen
        async with self.db.begin() as session:
            is_foreign = await self._is_used_elsewhere(session, prepared)
        doubted = replace(prepared, doubt=error)
        if prepared.deal.status is not DealStatus.EXECUTING or deal.status is DealStatus.APPROVED:
            return doubted
        stop = HoldReason.FOREIGN_USE if is_foreign else HoldReason.UNEXPLAINED
        script = play(deal, seen.position, seen.venues, stop=stop)
        return replace(doubted, script=script, deal=script.deal, legs=())

    async def _is_used_elsewhere(self, session: Session, prepared: Prepared) -> bool:
        """Whether the chain counts more transactions of the deal's account than we gave out."""
        deal, on_chain = prepared.settlement.deal, prepared.seen.deal_nonce
        account = deal.plan.accounts.deal
        ours = await self.transactions.next_nonces(session, deal.chain_id, [account])
        return on_chain > ours.get(account, on_chain)

    async def _write(self, prepared: Prepared) -> None:
        before = prepared.settlement.deal
        group_id = new_group_id() if prepared.legs else None
        waits = notices.awaited(prepared, is_under_way=group_id is not None)
        deal = replace(prepared.deal, group_id=group_id, waits_for=waits)
        ended = frozenset(leg.step for leg in prepared.settlement.legs)
        touched = ended | frozenset(leg.step for leg in prepared.legs)
        async with self.db.begin() as session:
            await self.deals.lock(session, before)
            await self._require_trading(session, prepared)
            await self._authorize_start(session, prepared)
            balances = await self.books.settle(session, prepared, after=deal)
            await self._raise_doubt(session, prepared, deal)
            await self._record_changes(session, prepared)
            await self._follow_foreign(session, prepared)
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
            await self._tell_people(session, prepared, deal)
            self.at("advance.before_commit")
        self.at("advance.after_commit")
        self._tell(prepared)

    async def _require_trading(self, session: Session, prepared: Prepared) -> None:
        """Have nobody stop the desk between this look at its state and the commit.

        Raises:
            TradingChanged: somebody did after the first look; nothing was done.
        """
        if not (prepared.starts or prepared.legs):
            return
        before, script, venues = prepared.settlement.deal, prepared.script, prepared.seen.venues
        trading = await self.trading.held(session, before.bank, before.chain_id)
        if restrained(before, script, trading.state, venues) != script:
            raise TradingChanged(trading.state)

    async def _authorize_start(self, session: Session, prepared: Prepared) -> None:
        deal = prepared.deal
        if prepared.starts:
            await self.authorization.authorize(session, deal.deal_id, deal.plan, author=deal.author)

    async def _raise_doubt(self, session: Session, prepared: Prepared, deal: DealRecord) -> None:
        """What the chain lacks, beside what was seen before the last group was sent."""
        if prepared.doubt is not None:
            before = await last_snapshot(session, deal.deal_id)
            alert = unexplained(prepared.seen, deal, prepared.doubt, before)
            await self.alarm.raised(session, alert)

    async def _record_changes(self, session: Session, prepared: Prepared) -> None:
        block = prepared.seen.head.ref.number
        acts = [act_of(prepared.deal, one, block=block) for one in prepared.script.changes]
        if is_cure(prepared.legs):
            acts.append(cure_act(prepared.deal, prepared.seen, prepared.legs))
        if acts:
            await self.audit.record(session, *acts)

    async def _tell_people(self, session: Session, prepared: Prepared, deal: DealRecord) -> None:
        await self.alarm.raised(session, *notices.begun(prepared, deal))
        await self.alarm.ended(session, *notices.over(prepared, deal))

    async def _follow_foreign(self, session: Session, prepared: Prepared) -> None:
        """While a foreign use of its key is looked into, what more is sent with it is expected."""
        deal, count = prepared.deal, prepared.seen.deal_nonce
        if deal.hold_reason is HoldReason.FOREIGN_USE:
            await self.transactions.catch_up(session, deal.chain_id, deal.plan.accounts.deal, count)

    async def _end_cancelled(self, deal: DealRecord) -> None:
        """A deal may be cancelled after it started, when nothing was sent: core is free again."""
        if deal.status is not DealStatus.CANCELLED or deal.wake_at is None:
            return
        seen = await self.observer.observe(deal)
        async with self.db.begin() as session:
            await self.deals.lock(session, deal)
            await self.books.release(session, deal, seen)
            await self.deals.change(session, deal, {"wake_at": None})

    def _wake_at(self, prepared: Prepared, deal: DealRecord) -> datetime | None:
        outcome, position = prepared.script.outcome, prepared.seen.position
        seconds = self.patience.pause_seconds(deal, outcome, position.blocks_to_final)
        return None if seconds is None else self.clock.now() + timedelta(seconds=seconds)

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
