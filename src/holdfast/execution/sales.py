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

    def always_fetched(self, wei: int) -> int:
        """The cash for which `wei` of ether is enough at the worst price allowed."""
        one = 10**self.cash_decimals
        worth = mul_div(wei, one * self.eth_price, WAD * self.cash_price)
        return max(0, mul_div(worth, BPS - self.slippage, BPS) - 1)


def sellable_wei(deal: DealRecord, held: Position) -> int:
    """The ether of the reserve but for what pays for gas."""
    return held.weth + max(0, held.native - deal.plan.terms.gas_reserve.units)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the pool asks, in wei of ether, for `units` of cash."""

    units: int
    wei: int


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """How the reserve may be sold at one block.

    `ordinary` bounds every sale; `deepest` lies further under the oracle where waiting would risk
    the principal, and is the same else. `held_wei` is the ether there is, `room` how far the
    price may move between look and block where a sale goes beyond the ordinary bound.
    """

    ordinary: Bound
    deepest: Bound
    held_wei: int
    room: Bps

    def most_wei(self, offer: Offer) -> int:
        """The most ether that may be given for what is offered."""
        most = self.ordinary.most_wei(offer.units)
        if offer.wei > most:
            near = mul_div(offer.wei, BPS + self.room, BPS)
            most = min(self.deepest.most_wei(offer.units), near)
        return min(most, self.held_wei)


def parts_of(units: int, fetched: int = 0) -> list[int]:
    """The smaller sizes that are tried where not all of `units` can be sold, largest first.

    Its halvings, and `fetched`, what the ether held always brings, where that is more than the
    least of them.
    """
    halvings = [units >> times for times in range(1, _HALVINGS + 1) if units >> times]
    is_worth_it = bool(halvings) and halvings[-1] <= fetched < units
    return sorted({*halvings, fetched}, reverse=True) if is_worth_it else halvings


def best_offer(offers: Iterable[Offer], terms: SaleTerms) -> Offer | None:
    """The offer of the most cash that `terms` allow; None where they allow none."""
    allowed = [one for one in offers if one.wei <= terms.most_wei(one)]
    return max(allowed, key=lambda one: one.units, default=None)
