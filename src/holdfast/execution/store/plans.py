"""Plans by hash: written once, read often, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from holdfast.common.errors import Broken
from holdfast.common.evm import BlockRef
from holdfast.execution.store.tables import plans
from holdfast.model.plan import Envelope, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

    from holdfast.common.db import Session
    from holdfast.common.ids import DealId, PlanHash

_ENVELOPE = TypeAdapter(Envelope)
_BLOCK = TypeAdapter(BlockRef)


class PlanStore:
    """Reads plans through a cache, since a plan never changes under its hash."""

    def __init__(self) -> None:
        self._known: dict[PlanHash, Plan] = {}

    async def save(self, session: Session, deal_id: DealId, plan: Plan) -> None:
        """Store `plan` for its deal; the same plan again changes nothing."""
        document = {
            "envelope": _ENVELOPE.dump_python(plan.envelope, mode="json"),
            "quoted_at": _BLOCK.dump_python(plan.quoted_at, mode="json"),
        }
        row = {
            "plan_hash": plan.plan_hash,
            "deal_id": deal_id,
            "chain_id": plan.envelope.chain_id,
            "participant_bank_id": plan.envelope.request.bank,
            "plan": document,
            "report": dict(plan.report),
        }
        await session.execute(insert(plans).values(row).on_conflict_do_nothing())

    async def load(self, session: Session, wanted: Iterable[PlanHash]) -> dict[PlanHash, Plan]:
        """The plans with these hashes.

        Raises:
            Broken: `plan.missing`; `plan.tampered` when a stored plan hashes to another key.
        """
        hashes = set(wanted)
        missing = hashes - self._known.keys()
        if missing:
            found = await session.execute(select(plans).where(plans.c.plan_hash.in_(missing)))
            self._known |= {row.plan_hash: _checked(row) for row in found}
        lost = hashes - self._known.keys()
        if lost:
            raise Broken("plan.missing", f"plans that deals refer to are not stored: {lost}")
        return {plan_hash: self._known[plan_hash] for plan_hash in hashes}


def _checked(row: Row[Any]) -> Plan:
    plan = _plan(row.plan, row.report)
    found = plan.plan_hash
    if found != row.plan_hash:
        raise Broken("plan.tampered", f"the stored plan {row.plan_hash} hashes to {found}")
    return plan


def _plan(document: dict[str, Any], report: dict[str, Any]) -> Plan:
    return Plan(
        envelope=_ENVELOPE.validate_python(document["envelope"]),
        quoted_at=_BLOCK.validate_python(document["quoted_at"]),
        report=report,
    )
