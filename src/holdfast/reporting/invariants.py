"""The invariants of one deal with their present values; pure."""

from dataclasses import dataclass, replace
from typing import Any

from holdfast.common.money import Usd8
from holdfast.execution.breaches import Exposure, anchor_of, stress_of
from holdfast.execution.observation import Seen
from holdfast.execution.records import DealRecord
from holdfast.risk import invariants as rules
from holdfast.risk.checks import at_most, none_of, shown
from holdfast.risk.formulas import ltv
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Unit


@dataclass(frozen=True, slots=True)
class Facts:
    """What the invariants of one deal are checked against.

    The token's cost and its value on the market now are those of the tokens still held.
    """

    deal: DealRecord
    seen: Seen
    booked_core: int
    mismatch: int
    token_cost: Usd8
    token_market: Usd8


def invariant_rows(facts: Facts, limits: RiskLimits) -> list[dict[str, Any]]:
    """Every invariant with its code, limit, value and whether it holds."""
    return [_row(check) for check in _checks(facts, limits)]


def _checks(facts: Facts, limits: RiskLimits) -> list[Check]:
    deal, seen = facts.deal, facts.seen
    envelope = deal.plan.envelope
    exposure = Exposure(
        position=seen.position,
        eth_price=seen.eth_price,
        cash_price=seen.cash_price,
        cash_decimals=envelope.terms.borrow.token.decimals,
        borrow_rate=seen.borrow_rate,
    )
    sheet = replace(
        exposure.sheet(seen.core.balance_wei),
        token_cost=facts.token_cost,
        token_market=facts.token_market,
    )
    stress = stress_of(deal, exposure, limits)
    reserve = exposure.eth_value(envelope.terms.gas_reserve.units)
    in_flight = seen.position.queued + seen.position.claimable
    par = Usd8(in_flight * 10 ** (8 - envelope.terms.min_tokens.token.decimals))
    return [
        *rules.anchor(anchor_of(deal, seen.core, facts.booked_core)),
        rules.one_way(sheet, stress, reserve),
        *rules.covered(sheet, stress, limits),
        *rules.exposure(sheet, envelope.max_exposure),
        none_of("I5.allowances", len(seen.position.leftovers), "allowances that are not 0"),
        at_most("I6.ltv", envelope.max_ltv, ltv(sheet.debt, sheet.collateral), "debt / collateral"),
        rules.stressed_health(sheet, seen.liquidation_threshold, limits),
        at_most("I8.in_flight", limits.in_flight, par, "tokens in redemption", unit=Unit.USD8),
        none_of("I9.mismatch", facts.mismatch, "base units by which ledger and chain differ"),
    ]


def _row(check: Check) -> dict[str, Any]:
    return {
        "code": check.code,
        "severity": str(check.severity),
        "ok": check.ok,
        "limit": shown(check.limit, check.unit),
        "value": shown(check.value, check.unit),
        "text": check.text,
    }
