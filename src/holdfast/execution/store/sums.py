"""What open deals add up to, for the caps on the whole book."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, func, or_, select

from holdfast.common.money import USD8, TokenAmount, Usd8, mul_div
from holdfast.execution.store.tables import deals, legs
from holdfast.model.deal import DealStatus
from holdfast.risk.caps import BookSums

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.common.db import Session
    from holdfast.model.deal import DealRequest
    from holdfast.model.plan import Terms

OPEN: Final = [
    str(status)
    for status in (
        DealStatus.APPROVED,
        DealStatus.EXECUTING,
        DealStatus.HOLDING,
        DealStatus.CLOSING,
    )
]
"""Deals that may move money; a plan nobody approved, or whose approval is void, is none."""

_OVER: Final = [
    str(status)
    for status in (DealStatus.COMPLETED, DealStatus.COMPLETED_WITH_CLAIM, DealStatus.FAILED)
]
_BOOK_LOCK: Final = 0x_C0FFEE_CA95

_row = deals.c
_value = func.sum(_row.total_eth_value_usd8)
_is_open = _row.status.in_(OPEN)
# The first leg moves the ether: from then on a deal uses capital. Until it is recorded the deal may
# begin at any moment, so it counts for the day that is under way, whichever that is.
_first = legs.alias("first")
_began = and_(_first.c.deal_id == _row.deal_id, _first.c.seq == 0)
_is_todays = or_(_first.c.created_at >= bindparam("day"), and_(_is_open, _first.c.leg_id.is_(None)))
# A plan may begin for minutes after it was made: what was planned two days ago began before today.
_may_be_todays = and_(_row.status.in_(_OVER), _row.created_at >= bindparam("since"))
# A deal that a worker of an older version stored says not what it spends: then the most it may.
_spent = func.sum(func.coalesce(_row.spend_usd8, func.div(_row.total_eth_value_usd8, 4)))
_SUMS: Final = (
    select(
        func.coalesce(_value.filter(_is_open, _row.participant_bank_id == bindparam("bank")), 0),
        func.coalesce(_value.filter(_is_open, _row.module_id == bindparam("module")), 0),
        func.coalesce(_spent.filter(_is_open, _row.chain_id == bindparam("chain")), 0),
        func.coalesce(_value.filter(_is_todays), 0),
    )
    .select_from(deals.outerjoin(_first, _began))
    .where(or_(_is_open, _may_be_todays))
)


async def book_sums(session: Session, request: DealRequest, day: datetime) -> BookSums:
    """What is open beside a deal that is not; `day` is when the present day began."""
    asked = {
        "bank": request.bank,
        "module": request.module,
        "chain": request.chain_id,
        "day": day,
        "since": day - timedelta(days=1),
    }
    found = (await session.execute(_SUMS, asked)).one()
    return BookSums(*(Usd8(int(each)) for each in found))


async def lock_book(session: Session) -> None:
    """Have no other deal join the book until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(_BOOK_LOCK)))


def spend_of(terms: Terms) -> Usd8:
    """What a deal spends on the token, the debt currency counted as a dollar."""
    return _value_of(terms.spend)


def lot_of(terms: Terms) -> Usd8:
    """What it has at most in tokens that have not paid yet, the same way."""
    return _value_of(terms.largest_lot)


def _value_of(amount: TokenAmount) -> Usd8:
    return Usd8(mul_div(amount.units, USD8, 10**amount.token.decimals))
