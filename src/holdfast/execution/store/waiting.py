"""The deals that wait until they may trade again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from holdfast.common.ids import DealId
from holdfast.execution.model import WaitFor
from holdfast.execution.store.tables import deals

if TYPE_CHECKING:
    from holdfast.common.db import Session
    from holdfast.risk.trading import Scope


async def waiting_to_trade(session: Session, scope: Scope, limit: int) -> list[DealId]:
    """The first `limit` deals within `scope` that only the trading state keeps from going on."""
    row = deals.c
    query = select(row.deal_id).where(row.waits_for == str(WaitFor.TRADING))
    if scope.bank is not None:
        query = query.where(row.participant_bank_id == scope.bank)
    if scope.chain is not None:
        query = query.where(row.chain_id == scope.chain)
    found = await session.scalars(query.order_by(row.deal_number).limit(limit))
    return [DealId(each) for each in found]
