"""The invariants of one deal with their present values; pure."""

from dataclasses import dataclass
from typing import Any

from holdfast.common.money import Usd8
from holdfast.execution.breaches import Exposure, stress_of
from holdfast.execution.observation import Seen
from holdfast.execution.records import DealRecord
from holdfast.risk import invariants as rules
from holdfast.risk.checks import at_most, none_of, shown
from holdfast.risk.formulas import ltv
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Unit


@dataclass(frozen=True, slots=True)
class Facts:
    """What the invariants of one deal are checked against."""

    deal: DealRecord
    seen: Seen
    booked_core: int
    mismatch: int


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
    sheet = exposure.sheet(seen.balances.core)
    stress = stress_of(deal, exposure, limits)
    reserve = exposure.eth_value(envelope.terms.gas_reserve.units)
    own_addresses = (deal.plan.accounts.deal, deal.plan.accounts.float)
    anchor = rules.Anchor(
        balance_wei=seen.balances.core,
        booked_wei=facts.booked_core,
        allowances=0,
        debt=Usd8(0),
        collateral=Usd8(0),
        shared_with=sum(address == deal.plan.accounts.core for address in own_addresses),
    )
    in_flight = seen.position.queued + seen.position.claimable
    par = Usd8(in_flight * 10 ** (8 - envelope.terms.min_tokens.token.decimals))
    return [
        *rules.anchor(anchor),
        rules.one_way(sheet, stress, reserve),
        *rules.covered(sheet, stress, limits),
        none_of("I5.allowances", len(seen.position.leftovers), "allowances that are not 0"),
        at_most("I6.ltv", envelope.max_ltv, ltv(sheet.debt, sheet.collateral), "debt / collateral"),
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
