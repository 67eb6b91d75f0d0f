"""The addresses of deals, for whoever watches them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, Uuid, any_, bindparam, or_, select

from holdfast.common.evm import Address
from holdfast.execution.store.tables import deals, plans
from holdfast.model.deal import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from holdfast.common.db import Session
    from holdfast.common.ids import BankId, ChainId, DealId

_OVER = [str(status) for status in TERMINAL]
_WATCHED = select(deals.c.deal_id).where(
    deals.c.chain_id == bindparam("chain"),
    or_(deals.c.status.not_in(_OVER), deals.c.updated_at > bindparam("since")),
)
_ACCOUNTS = (
    select(
        deals.c.deal_id,
        deals.c.participant_bank_id,
        plans.c.plan["envelope"]["accounts"]["deal"].astext.label("address"),
        plans.c.plan["quoted_at"]["number"].as_integer().label("block"),
    )
    .join(plans, plans.c.plan_hash == deals.c.plan_hash)
    .where(deals.c.deal_id == any_(bindparam("deals", type_=ARRAY(Uuid))))
)


@dataclass(frozen=True, slots=True)
class DealAccount:
    """A deal's own address, and the block its plan was read at, before anything was sent."""

    deal_id: DealId
    bank_id: BankId
    address: Address
    block: int


async def deals_not_over_since(
    session: Session, chain_id: ChainId, since: datetime
) -> list[DealId]:
    """The deals of the chain that are not over, or ended after `since`."""
    found = await session.execute(_WATCHED, {"chain": chain_id, "since": since})
    return list(found.scalars())


async def accounts_of(session: Session, wanted: Collection[DealId]) -> list[DealAccount]:
    """The addresses of these deals."""
    found = await session.execute(_ACCOUNTS, {"deals": list(wanted)})
    return [
        DealAccount(row.deal_id, row.participant_bank_id, Address(row.address), row.block)
        for row in found
    ]
