"""The table of approvals, keyed by deal and plan hash; append-only."""

from sqlalchemy import BigInteger, Column, DateTime, Table, Text, Uuid, select
from sqlalchemy.dialects.postgresql import insert

from holdfast.authorization.model import Approval
from holdfast.common.append_only import append_only
from holdfast.common.db import Session, metadata, stamp
from holdfast.common.ids import DealId, PlanHash

authorization_approvals = Table(
    "authorization_approvals",
    metadata,
    Column("deal_id", Uuid, primary_key=True),
    Column("plan_hash", Text, primary_key=True),
    Column("principal_id", Text, primary_key=True),
    Column("participant_bank_id", Text, nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    stamp("created_at"),
)

TRIGGERS: tuple[str, ...] = append_only("authorization_approvals")
"""Statements for the migration that creates the table, in order."""


async def add(session: Session, approval: Approval) -> None:
    """Write `approval`; a person's second approval of the same plan changes nothing."""
    row = insert(authorization_approvals).values(
        deal_id=approval.deal_id,
        plan_hash=approval.plan_hash,
        principal_id=approval.principal,
        participant_bank_id=approval.bank,
        chain_id=approval.chain_id,
        at=approval.at,
    )
    await session.execute(row.on_conflict_do_nothing())


async def approvals_of(session: Session, deal: DealId, plan_hash: PlanHash) -> list[Approval]:
    """Every approval of this exact plan of the deal."""
    table = authorization_approvals.c
    query = select(
        table.deal_id,
        table.plan_hash,
        table.principal_id,
        table.participant_bank_id,
        table.chain_id,
        table.at,
    ).where(table.deal_id == deal, table.plan_hash == plan_hash)
    return [Approval(*row) for row in await session.execute(query)]
