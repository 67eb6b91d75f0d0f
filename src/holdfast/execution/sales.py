"""How much of the reserve's ether may be sold for cash, and for how little; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.execution.model import Position
from holdfast.execution.records import DealRecord

_HALVINGS: Final = 6
"""A 64th is the least that is sold at once: less of a cure is hardly worth its gas."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The oracle's prices, in dollars times 1e8, and how far under them a sale may go."""

    eth_price: Usd8
    cash_price: Usd8
    cash_decimals: int
    slippage: Bps

    def most_wei(self, units: int) -> int:
        """The most ether that may be given for `units` of cash."""
        one = 10**self.cash_decimals
        fair = mul_div(units, WAD * self.cash_price, one * self.eth_price, round_up=True)
        return mul_div(fair, BPS, BPS - self.slippage, round_up=True)


def sellable_wei(deal: DealRecord, held: Position) -> int:
    """The ether of the reserve but for what pays for gas."""
    return held.weth + max(0, held.native - deal.plan.terms.gas_reserve.units)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the pool asks, in wei of ether, for `units` of cash."""

    units: int
    wei: int


def parts_of(units: int) -> list[int]:
    """The smaller sizes that are tried where a pool does not take all of `units`: its halvings."""
    return [units >> times for times in range(1, _HALVINGS + 1) if units >> times]


def best_offer(offers: Iterable[Offer], bound: Bound) -> Offer | None:
    """The offer of the most cash whose price `bound` allows; None where it allows none."""
    allowed = [one for one in offers if one.wei <= bound.most_wei(one.units)]
    return max(allowed, key=lambda one: one.units, default=None)
