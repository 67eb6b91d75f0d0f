"""Plans by hash: written once, read often, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from holdfast.common.errors import Broken
from holdfast.common.evm import BlockRef
from holdfast.execution.store.sealing import sealed
from holdfast.execution.store.tables import plans
from holdfast.model.plan import Envelope, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row, TextClause

    from holdfast.common.db import Session
    from holdfast.common.ids import DealId, PlanHash

# As text: read straight into the envelope, in half the time that it takes through dictionaries.
_LOAD = """
    SELECT plan_hash, plan->>'envelope' AS envelope, plan->>'quoted_at' AS quoted_at, {report}
    FROM plans WHERE plan_hash = ANY(:hashes)
"""
_WITH_REPORT = text(_LOAD.format(report="report"))
_WITHOUT_REPORT = text(_LOAD.format(report="CAST('{}' AS jsonb) AS report"))

_ENVELOPE = TypeAdapter(Envelope)
_BLOCK = TypeAdapter(BlockRef)


class PlanStore:
    """Reads plans through a cache, since a plan never changes under its hash."""

    def __init__(self) -> None:
        self._known: dict[PlanHash, Plan] = {}
        self._unreported: dict[PlanHash, Plan] = {}

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
        return await _through(self._known, _WITH_REPORT, session, set(wanted))

    async def without_reports(
        self, session: Session, wanted: Iterable[PlanHash]
    ) -> dict[PlanHash, Plan]:
        """The same with empty reports, for who looks at thousands; raises as `load`."""
        return await _through(self._unreported, _WITHOUT_REPORT, session, set(wanted))


async def _through(
    known: dict[PlanHash, Plan], query: TextClause, session: Session, hashes: set[PlanHash]
) -> dict[PlanHash, Plan]:
    """The plans with these hashes; those that `known` lacks are added to it."""
    missing = hashes - known.keys()
    if missing:
        found = await session.execute(query, {"hashes": list(missing)})
        known |= {row.plan_hash: _checked(row) for row in found}
    lost = hashes - known.keys()
    if lost:
        raise Broken("plan.missing", f"plans that deals refer to are not stored: {lost}")
    return {plan_hash: known[plan_hash] for plan_hash in hashes}


def _checked(row: Row[Any]) -> Plan:
    try:
        envelope = _ENVELOPE.validate_json(row.envelope or "")
        quoted_at = _BLOCK.validate_json(row.quoted_at or "")
    except ValidationError as error:
        raise Broken(
            "plan.tampered", f"the stored plan {row.plan_hash} is no plan: {error}"
        ) from error
    plan = Plan(envelope, quoted_at, row.report, sealed=sealed(envelope))
    if plan.plan_hash != row.plan_hash:
        raise Broken("plan.tampered", f"the stored plan {row.plan_hash} hashes to {plan.plan_hash}")
    return plan
