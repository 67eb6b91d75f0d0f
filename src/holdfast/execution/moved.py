"""What legs will have moved once they are mined; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.model.leg import LegKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.execution.model import Position
    from holdfast.model.leg import Leg
    from holdfast.model.plan import Terms


@dataclass(frozen=True, slots=True)
class Moved:
    """What legs move in base units, were a sale to bring no more than it must.

    `locked` and `sold` are ether; `lent`, `raised` and `spent` the debt currency: what the venue
    lends, what selling the bucket brings, and what goes into the token; `bought` the fewest tokens.
    """

    locked: int = 0
    sold: int = 0
    lent: int = 0
    raised: int = 0
    spent: int = 0
    bought: int = 0

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
                bought = total.bought + _least(leg)
                total = replace(total, spent=total.spent + units, bought=bought)
            case LegKind.SWAP:
                raised = total.raised + _least(leg)
                total = replace(total, sold=total.sold + units, raised=raised)
            case _:
                pass
    return total


def _least(leg: Leg) -> int:
    return 0 if leg.min_out is None else leg.min_out.units
