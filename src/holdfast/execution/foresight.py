"""What legs would break if they were sent now: an active breach, which is not signed; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.common.money import USD8, Usd8, mul_div
from holdfast.execution.breaches import anchor_of, exposure_of, facts_of
from holdfast.execution.restraint import adds_risk
from holdfast.model.leg import LegKind
from holdfast.risk.invariants import Facts, Lot, Moment, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.execution.breaches import Exposure
    from holdfast.execution.model import Move, Position
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg
    from holdfast.model.plan import Terms
    from holdfast.risk.limits import RiskLimits


def would_break(
    deal: DealRecord, move: Move, legs: Sequence[Leg], *, seen: Seen, limits: RiskLimits
) -> tuple[str, ...]:
    """The hard rules that would not hold after `legs` of `move`; none where it adds no risk."""
    if not adds_risk(move):
        return ()
    found = _facts(deal, moved(legs, deal.plan.terms), seen, limits)
    checks = [check for facts in found for check in evaluate(facts, limits, Moment.BEFORE_STEP)]
    return tuple(check.code for check in checks if check.is_violation)


@dataclass(frozen=True, slots=True)
class Moved:
    """What legs move in base units, were a sale to bring no more than it must.

    `locked` and `sold` are ether; `lent`, `raised` and `spent` the debt currency: what the venue
    lends, what selling the bucket brings, and what goes into the token.
    """

    locked: int = 0
    sold: int = 0
    lent: int = 0
    raised: int = 0
    spent: int = 0

    def applied(self, position: Position) -> Position:
        """`position` afterwards; ether counts alike, wrapped or not."""
        ether = max(position.native - self.locked - self.sold, -position.weth)
        cash = position.cash + self.lent + self.raised - self.spent
        return replace(
            position,
            native=ether,
            collateral=position.collateral + self.locked,
            cash=max(0, cash),
            debt=position.debt + self.lent,
        )


def moved(legs: Sequence[Leg], terms: Terms) -> Moved:
    """What `legs` move; those that only wrap, allow or fund move nothing that counts here."""
    total = Moved()
    for leg in legs:
        units = 0 if leg.amount is None else leg.amount.units
        match leg.kind:
            case LegKind.SUPPLY:
                total = replace(total, locked=total.locked + units)
            case LegKind.BORROW:
                total = replace(total, lent=total.lent + units)
            case LegKind.SWAP if leg.amount and leg.amount.token == terms.spend.token:
                total = replace(total, spent=total.spent + units)
            case LegKind.SWAP:
                least = 0 if leg.min_out is None else leg.min_out.units
                total = replace(total, sold=total.sold + units, raised=total.raised + least)
            case _:
                pass
    return total


def _facts(deal: DealRecord, change: Moved, seen: Seen, limits: RiskLimits) -> Iterator[Facts]:
    then = replace(exposure_of(deal, seen), position=change.applied(seen.position))
    anchor = anchor_of(deal, seen.core, deal.plan.terms.split.core.units)
    yield facts_of(deal, then, anchor, limits)
    if change.spent:
        yield _bought(deal, then, change.spent, limits)


def _bought(deal: DealRecord, then: Exposure, spent: int, limits: RiskLimits) -> Facts:
    """I4 with the tokens held at what they cost.

    Against the desk's own cap: the deal's smaller one bounded the amount when it was sized, and a
    price that moved by a hair since must not stop it. No gas was paid then: it is counted back.
    """
    sheet = then.sheet(deal.plan.terms.split.core.units)
    cost = then.cash_value(spent)
    gas = then.eth_value(deal.plan.envelope.max_fee.units)
    bought = replace(
        sheet, token_cost=cost, token_market=cost, reserve_eth=Usd8(sheet.reserve_eth + gas)
    )
    return Facts(sheet=bought, max_exposure=limits.max_exposure, lot=_lot(deal.plan.terms, cost))


def _lot(terms: Terms, cost: Usd8) -> Lot | None:
    """I8 for one lot of a ladder; a purchase in one was judged with its plan, gate and all."""
    largest = max((rung.units for rung in terms.tranches), default=0)
    face = Usd8(mul_div(largest, USD8, 10**terms.min_tokens.token.decimals))
    return Lot(spend=cost, largest_rung=face, is_gate_open=False) if terms.lots else None
