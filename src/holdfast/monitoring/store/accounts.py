"""Statements over watched accounts: which there are, and what ether each was last seen with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from holdfast.monitoring.events import Role, Watched
from holdfast.monitoring.store.tables import watched_accounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId

_BALANCES = text("""
    UPDATE watched_accounts AS kept SET native_wei = CAST(new.wei AS numeric)
    FROM unnest(CAST(:addresses AS text[]), CAST(:amounts AS text[])) AS new (address, wei)
    WHERE kept.chain_id = :chain_id AND kept.address = new.address
""")


async def watched(session: Session, chain_id: ChainId) -> list[Watched]:
    """Every account that was ever watched on the chain."""
    query = select(watched_accounts).where(watched_accounts.c.chain_id == chain_id)
    return [
        Watched(row.address, Role(row.role), row.since_block, row.deal_id, row.participant_bank_id)
        for row in await session.execute(query)
    ]


async def add(session: Session, chain_id: ChainId, accounts: Sequence[Watched]) -> None:
    """Watch these accounts from now on."""
    rows = [
        {
            "chain_id": chain_id,
            "address": one.address,
            "role": str(one.role),
            "since_block": one.since,
            "deal_id": one.deal_id,
            "participant_bank_id": one.bank_id,
        }
        for one in accounts
    ]
    await session.execute(insert(watched_accounts).values(rows).on_conflict_do_nothing())


async def balances(session: Session, chain_id: ChainId) -> dict[Address, int]:
    """The wei that each account was last seen with, of those that were looked at."""
    table = watched_accounts.c
    query = select(table.address, table.native_wei).where(
        table.chain_id == chain_id, table.native_wei.is_not(None)
    )
    return {row.address: row.native_wei for row in await session.execute(query)}


async def note_balances(
    session: Session, chain_id: ChainId, changed: Mapping[Address, int]
) -> None:
    """Write down what accounts hold now."""
    if changed:
        amounts = [str(wei) for wei in changed.values()]
        values = {"chain_id": chain_id, "addresses": list(changed), "amounts": amounts}
        await session.execute(_BALANCES, values)
