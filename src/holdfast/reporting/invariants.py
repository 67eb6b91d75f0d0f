"""The invariants of one deal with their present values; pure."""

from dataclasses import dataclass, replace
from typing import Any

from holdfast.common.money import Usd8
from holdfast.execution.breaches import anchor_of, exposure_of, facts_of
from holdfast.execution.observation import Seen
from holdfast.execution.records import DealRecord
from holdfast.risk.checks import shown
from holdfast.risk.invariants import Facts, Moment, evaluate
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check


@dataclass(frozen=True, slots=True)
class Standing:
    """What the invariants of one deal are checked against.

    The token's cost and its value on the market now are those of the tokens still held.
    """

    deal: DealRecord
    seen: Seen
    booked_core: int
    mismatch: int
    token_cost: Usd8
    token_market: Usd8


def invariant_rows(standing: Standing, limits: RiskLimits) -> list[dict[str, Any]]:
    """Every invariant with its code, limit, value and whether it holds."""
    return [_row(check) for check in evaluate(_facts(standing, limits), limits, Moment.TICK)]


def _facts(standing: Standing, limits: RiskLimits) -> Facts:
    deal, seen = standing.deal, standing.seen
    exposure = exposure_of(deal, seen)
    facts = facts_of(deal, exposure, anchor_of(deal, seen.core, standing.booked_core), limits)
    sheet = replace(
        exposure.sheet(deal.plan.terms.split.core.units),
        token_cost=standing.token_cost,
        token_market=standing.token_market,
    )
    return replace(facts, sheet=sheet, mismatch=standing.mismatch)


def _row(check: Check) -> dict[str, Any]:
    return {
        "code": check.code,
        "severity": str(check.severity),
        "ok": check.ok,
        "limit": shown(check.limit, check.unit),
        "value": shown(check.value, check.unit),
        "text": check.text,
    }
