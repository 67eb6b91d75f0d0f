"""The deals that wait until they may trade again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from holdfast.common.ids import DealId
from holdfast.execution.model import WaitFor
from holdfast.execution.store.sums import OPEN
from holdfast.execution.store.tables import deals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement

    from holdfast.common.db import Session
    from holdfast.risk.trading import Scope


async def waiting_to_trade(session: Session, scope: Scope, limit: int) -> list[DealId]:
    """The first `limit` deals within `scope` that only the trading state keeps from going on."""
    row = deals.c
    query = select(row.deal_id).where(row.waits_for == str(WaitFor.TRADING), *_within(scope))
    found = await session.scalars(query.order_by(row.deal_number).limit(limit))
    return [DealId(each) for each in found]


async def open_within(session: Session, scope: Scope) -> int:
    """How many open deals `scope` has."""
    query = select(func.count()).where(deals.c.status.in_(OPEN), *_within(scope))
    return await session.scalar(query) or 0


def _within(scope: Scope) -> Iterator[ColumnElement[bool]]:
    if scope.bank is not None:
        yield deals.c.participant_bank_id == scope.bank
    if scope.chain is not None:
        yield deals.c.chain_id == scope.chain
