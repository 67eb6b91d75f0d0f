"""What open deals are called: enough to name them, without plans or legs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from holdfast.execution.store.sums import OPEN
from holdfast.execution.store.tables import deals

if TYPE_CHECKING:
    from collections.abc import Collection

    from holdfast.common.db import Session
    from holdfast.common.ids import BankId, ChainId, DealId, ModuleId


@dataclass(frozen=True, slots=True)
class Label:
    """One open deal; status and reason are words, maybe of a later version."""

    deal_id: DealId
    number: int
    bank: BankId
    module: ModuleId
    status: str
    hold_reason: str | None


@dataclass(frozen=True, slots=True)
class Booking:
    """A deal by its name, with the wei that it has booked on its anchor."""

    deal_id: DealId
    number: int
    bank: BankId
    core_wei: int


async def bookings_of(session: Session, numbers: Collection[int]) -> list[Booking]:
    """The bookings of the deals of these numbers; they need no plan."""
    table = deals.c
    query = select(
        table.deal_id, table.deal_number, table.participant_bank_id, table.core_booked_wei
    ).where(table.deal_number.in_(numbers))
    found = await session.execute(query)
    return [Booking(deal, number, bank, int(wei)) for deal, number, bank, wei in found]


async def open_labels(session: Session, chain_id: ChainId) -> list[Label]:
    """The open deals of a chain, in the order of their numbers."""
    table = deals.c
    query = (
        select(
            table.deal_id,
            table.deal_number,
            table.participant_bank_id,
            table.module_id,
            table.status,
            table.hold_reason,
        )
        .where(table.chain_id == chain_id, table.status.in_(OPEN))
        .order_by(table.deal_number)
    )
    return [Label(*row) for row in await session.execute(query)]
