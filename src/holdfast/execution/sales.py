"""How much of the reserve's ether may be sold for cash, and for how little; pure."""

from dataclasses import dataclass

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.execution.model import Position
from holdfast.execution.records import DealRecord


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
