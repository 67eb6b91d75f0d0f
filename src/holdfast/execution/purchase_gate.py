"""The redemption gate as execution asks it: for the lot that legs buy, just before it is; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.money import WAD, Usd8, mul_div
from holdfast.execution.breaches import exposure_of
from holdfast.risk.formulas import interest
from holdfast.risk.gate import GateVerdict, Lot, TokenTerms, cost_per_token, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.execution.moved import Moved
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.risk.gate import Trial


def bought_lot(deal: DealRecord, change: Moved, seen: Seen) -> Lot:
    """What legs buy as `change` says: its cost, and at par the fewest tokens that they accept."""
    exposure, token = exposure_of(deal, seen), deal.plan.terms.min_tokens.token
    face = mul_div(change.bought, seen.cash_price, 10**token.decimals)
    return Lot(cost=exposure.cash_value(change.spent), face=Usd8(max(1, face)))


def lot_verdict(
    deal: DealRecord, change: Moved, seen: Seen, *, trials: Iterable[Trial], budget: Usd8
) -> GateVerdict:
    """The gate for the lot, at the worst price that its swap accepts and the plan's most gas."""
    lot = bought_lot(deal, change, seen)
    terms = TokenTerms(
        price_wad=mul_div(seen.token_price, WAD, seen.cash_price, round_up=True),
        cost_wad=cost_per_token(lot.cost, _carried(deal, change, seen), lot.face),
        fee=seen.redemption_fee,
    )
    return verdict(lot, trials, terms, budget)


def _carried(deal: DealRecord, change: Moved, seen: Seen) -> Usd8:
    """Interest to the horizon, gas, and what selling the bucket may lose against the oracle."""
    exposure, envelope = exposure_of(deal, seen), deal.plan.envelope
    owed = exposure.cash_value(seen.position.debt + change.lent)
    lost = max(0, exposure.eth_value(change.sold) - exposure.cash_value(change.raised))
    dear = interest(owed, seen.borrow_rate, envelope.request.horizon_days)
    return Usd8(dear + lost + exposure.eth_value(envelope.max_fee.units))
