"""Statements over deals: load, lock, change, list, and find what is overdue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, insert, select, update

from holdfast.common.errors import Transient
from holdfast.common.money import Usd8
from holdfast.execution.errors import DealNotFound
from holdfast.execution.model import Trouble
from holdfast.execution.records import DealRecord, LegRecord
from holdfast.execution.store.legs import load_legs, load_legs_of
from holdfast.execution.store.plans import PlanStore
from holdfast.execution.store.sums import OPEN, spend_of
from holdfast.execution.store.tables import deal_numbers, deals
from holdfast.execution.store.words import Reader, known, shown
from holdfast.model.deal import DealStatus, HoldReason
from holdfast.model.leg import LegKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row, Update

    from holdfast.common.db import Session
    from holdfast.common.ids import BankId, ChainId, DealId, PrincipalId
    from holdfast.model.plan import Plan

# Made once: putting a statement together costs more than running it.
_LOAD = select(deals).where(deals.c.deal_id == bindparam("deal"))
_OPEN = and_(deals.c.chain_id == bindparam("chain"), deals.c.status.in_(OPEN))
# One row of two arrays: thousands of rows cost thirty times what their numbers do.
_OPEN_NUMBERS = select(func.array_agg(deals.c.deal_number), func.array_agg(deals.c.version)).where(
    _OPEN
)
_OPEN_IDS = select(func.array_agg(deals.c.deal_id), func.array_agg(deals.c.deal_number)).where(
    _OPEN
)
_LOCK = select(deals.c.version).where(deals.c.deal_id == bindparam("deal")).with_for_update()


@dataclass(frozen=True, slots=True)
class NewDeal:
    """A deal that is about to be stored for the first time."""

    deal_id: DealId
    author: PrincipalId
    status: DealStatus
    plan: Plan


class DealStore:
    """Deals and their plans; every method works inside the caller's transaction."""

    def __init__(self) -> None:
        self._plans = PlanStore()

    async def next_number(self, session: Session) -> int:
        """A deal number that no other deal gets, whether or not this one is stored."""
        return int((await session.execute(select(deal_numbers.next_value()))).scalar_one())

    async def peek_number(self, session: Session) -> int:
        """The number that the next deal is likely to get; a preview only."""
        newest = await session.execute(select(func.max(deals.c.deal_number)))
        return int(newest.scalar_one() or 0) + 1

    async def insert(self, session: Session, deal: NewDeal) -> None:
        """Store a new deal and its plan."""
        envelope = deal.plan.envelope
        row = {
            "deal_id": deal.deal_id,
            "chain_id": envelope.chain_id,
            "deal_number": envelope.accounts.deal_number,
            "participant_bank_id": envelope.request.bank,
            "module_id": envelope.request.module,
            "author": deal.author,
            "status": str(deal.status),
            "plan_hash": deal.plan.plan_hash,
            "core_booked_wei": envelope.terms.split.core.units,
            "total_eth_value_usd8": envelope.request.total_eth_value,
            "spend_usd8": spend_of(envelope.terms),
        }
        await session.execute(insert(deals).values(row))
        await self._plans.save(session, deal.deal_id, deal.plan)

    async def load(self, session: Session, deal_id: DealId) -> DealRecord:
        """One deal with its plan and legs; `deal.not_found` when there is none."""
        return await self._load(session, deal_id, known)

    async def shown(self, session: Session, deal_id: DealId) -> DealRecord:
        """The same, only to show it: words of a later version stand as they are."""
        return await self._load(session, deal_id, shown)

    async def _load(self, session: Session, deal_id: DealId, read: Reader) -> DealRecord:
        row = (await session.execute(_LOAD, {"deal": deal_id})).one_or_none()
        if row is None:
            raise DealNotFound(deal_id)
        legs = await load_legs(session, deal_id, read)
        plans = await self._plans.load(session, [row.plan_hash])
        return _record(row, plans[row.plan_hash], legs, read=read)

    async def load_locked(self, session: Session, deal_id: DealId) -> DealRecord:
        """One deal as it is now, its row taken until the transaction ends."""
        await session.execute(_LOCK, {"deal": deal_id})
        return await self.load(session, deal_id)

    async def lock(self, session: Session, deal: DealRecord) -> None:
        """Take the deal's row until the transaction ends.

        Raises:
            Transient: `deal.moved_on` when it changed since `deal` was loaded; nothing was done.
        """
        found = await session.execute(_LOCK, {"deal": deal.deal_id})
        if found.scalar_one() != deal.version:
            raise Transient("deal.moved_on", f"deal {deal.deal_id} changed meanwhile")

    async def lock_row(self, session: Session, deal_id: DealId) -> None:
        """Take the deal's row until the transaction ends, whatever its version."""
        await session.execute(_LOCK, {"deal": deal_id})

    async def change(self, session: Session, deal: DealRecord, values: Mapping[str, Any]) -> None:
        """Write `values` and the next version; the row must be locked."""
        row = {**values, "version": deal.version + 1}
        await session.execute(_change(tuple(row)), {**row, "deal": deal.deal_id})

    async def recent(
        self, session: Session, *, status: DealStatus | None, bank: BankId | None, limit: int
    ) -> list[DealRecord]:
        """The newest deals, without their legs; words of a later version stand as they are."""
        query = select(deals).order_by(deals.c.created_at.desc()).limit(limit)
        if status is not None:
            query = query.where(deals.c.status == str(status))
        if bank is not None:
            query = query.where(deals.c.participant_bank_id == bank)
        rows = (await session.execute(query)).all()
        plans = await self._plans.load(session, [row.plan_hash for row in rows])
        return [_record(row, plans[row.plan_hash], (), read=shown) for row in rows]

    async def open_numbers(self, session: Session, chain_id: ChainId) -> dict[int, int]:
        """The deals of a chain that may move money by number, with the version of each row."""
        numbers, versions = (await session.execute(_OPEN_NUMBERS, {"chain": chain_id})).one()
        return dict(zip(numbers or (), versions or (), strict=True))

    async def open_ids(self, session: Session, chain_id: ChainId) -> dict[DealId, int]:
        """The same deals by their ids, each with its number."""
        ids, numbers = (await session.execute(_OPEN_IDS, {"chain": chain_id})).one()
        return dict(zip(ids or (), numbers or (), strict=True))

    async def load_all(self, session: Session, wanted: Sequence[DealId]) -> list[DealRecord]:
        """These deals in their order, as `shown` reads each, but without their plans' reports."""
        query = select(deals).where(deals.c.deal_id.in_(wanted))
        rows = {row.deal_id: row for row in await session.execute(query)}
        legs = await load_legs_of(session, wanted, shown)
        hashes = [row.plan_hash for row in rows.values()]
        plans = await self._plans.without_reports(session, hashes)
        return [
            _record(rows[one], plans[rows[one].plan_hash], legs[one], read=shown) for one in wanted
        ]

    async def without_legs(self, session: Session, numbers: Collection[int]) -> list[DealRecord]:
        """These deals without legs and plans' reports; words of a later version stand."""
        query = select(deals).where(deals.c.deal_number.in_(numbers))
        rows = (await session.execute(query)).all()
        plans = await self._plans.without_reports(session, [row.plan_hash for row in rows])
        return [_record(row, plans[row.plan_hash], (), read=shown) for row in rows]

    async def take_due(
        self, session: Session, now: datetime, later: datetime, limit: int
    ) -> list[DealId]:
        """Deals whose wake time has passed; they are due again at `later`."""
        due = (
            select(deals.c.deal_id)
            .where(deals.c.wake_at <= now)
            .order_by(deals.c.wake_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken = await session.execute(
            update(deals)
            .where(deals.c.deal_id.in_(due.scalar_subquery()))
            .values(wake_at=later)
            .returning(deals.c.deal_id)
        )
        return list(taken.scalars())

    async def put_off(self, session: Session, deal_id: DealId, later: datetime) -> None:
        """Have a deal that would look again by itself do so at `later`; needs no lock."""
        put_off = update(deals).where(deals.c.deal_id == deal_id, deals.c.wake_at.is_not(None))
        await session.execute(put_off.values(wake_at=later))

    async def overdue(self, session: Session, now: datetime) -> tuple[int, datetime | None]:
        """How many deals should have been woken by `now`, and since when the first one waits."""
        query = select(func.count(), func.min(deals.c.wake_at)).where(deals.c.wake_at <= now)
        count, since = (await session.execute(query)).one()
        return int(count), since

    async def booked_core(self, session: Session, chain_id: ChainId) -> int:
        """The anchor ETH booked over all open deals of a chain, approved ones too, in wei."""
        return await self._core_of(session, chain_id, OPEN)

    async def started_core(self, session: Session, chain_id: ChainId) -> int:
        """The same over those that have started: what has to be there now."""
        started = [status for status in OPEN if status != str(DealStatus.APPROVED)]
        return await self._core_of(session, chain_id, started)

    async def _core_of(self, session: Session, chain_id: ChainId, statuses: Sequence[str]) -> int:
        total = await session.execute(
            select(func.coalesce(func.sum(deals.c.core_booked_wei), 0)).where(
                deals.c.chain_id == chain_id, deals.c.status.in_(statuses)
            )
        )
        return int(total.scalar_one())


@lru_cache(maxsize=16)  # the callers change a handful of sets of columns
def _change(columns: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    changed = update(deals).where(deals.c.deal_id == bindparam("deal"))
    return changed.values({**values, "updated_at": func.now()})


def _record(
    row: Row[Any], plan: Plan, legs: tuple[LegRecord, ...], *, read: Reader = known
) -> DealRecord:
    kind = row.trouble_kind
    return DealRecord(
        deal_id=row.deal_id,
        chain_id=row.chain_id,
        deal_number=row.deal_number,
        bank=row.participant_bank_id,
        module=row.module_id,
        author=row.author,
        status=read(DealStatus, row.status),
        hold_reason=read(HoldReason, row.hold_reason) if row.hold_reason else None,
        group_id=row.group_id,
        keep_claim=row.keep_claim,
        borrow_waived=row.borrow_waived,
        trouble=Trouble(read(LegKind, kind), row.trouble_times) if kind else None,
        trouble_text=row.trouble_text,
        total_eth_value=Usd8(row.total_eth_value_usd8),
        current_ltv_bps=row.current_ltv_bps,
        exposure=row.usdtz_exposure,
        profit=None if row.profit_usd8 is None else Usd8(row.profit_usd8),
        last_block=row.last_block,
        wake_at=row.wake_at,
        waits_for=row.waits_for,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        plan=plan,
        legs=legs,
    )
