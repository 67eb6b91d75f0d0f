"""The trial of a deal's unwind as JSON values; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.common.money import TokenAmount
from holdfast.planning.json_values import block
from holdfast.reporting.views import money, usd

if TYPE_CHECKING:
    from holdfast.execution.exits import ExitCheck, Refusal


def exit_view(check: ExitCheck) -> dict[str, Any]:
    """What the unwind would do; `left` includes the claim, and the ether that redeems it."""
    failing = check.failing
    return {
        "deal_id": str(check.deal.deal_id),
        "block": block(check.before.head.ref),
        "works": check.works,
        "is_sequential": check.is_sequential,
        "gas_is_too_dear": check.before.gas_stops_all,
        "failing": None if failing is None else _refusal(failing),
        "refused": [_refusal(one) for one in check.refusals],
        "groups": [
            [{"leg": str(leg.kind), "label": leg.label} for leg in group] for group in check.groups
        ],
        "home": [money(amount) for amount in check.home],
        "left": [{"what": what, **money(amount)} for what, amount in _left(check) if amount.units],
        "cost_usd": usd(check.cost),
    }


def _refusal(one: Refusal) -> dict[str, str]:
    return {"leg": str(one.leg), "code": one.code, "reason": one.reason}


def _left(check: ExitCheck) -> list[tuple[str, TokenAmount]]:
    """What the deal's account would still have and owe."""
    held, terms = check.after.position, check.deal.plan.terms
    ether, cash, claim = terms.gas_reserve.token, terms.borrow.token, terms.min_tokens.token
    return [
        ("native", TokenAmount(ether, held.native)),
        ("wrapped", TokenAmount(ether, held.weth)),
        ("collateral", TokenAmount(ether, held.collateral)),
        ("cash", TokenAmount(cash, held.cash)),
        ("debt", TokenAmount(cash, held.debt)),
        ("claim", TokenAmount(claim, held.claim)),
    ]
