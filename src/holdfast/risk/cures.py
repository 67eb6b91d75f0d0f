"""What a deal does by itself when the market moves against it, and at which prices; pure."""

from dataclasses import dataclass
from typing import Final

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Position, Stress
from holdfast.risk.reserve import owed, stressed_value

LASTING_ROOM: Final = Bps(50)
"""How much more than is owed a conversion leaves in cash, and so the least that one ever sells:
without it every block's interest would call for a sale of its own. 18 days of it at 10 % a year."""


def repayment_target(opening: Bps, act_at: Bps, limits: RiskLimits) -> Bps:
    """The LTV that a repayment at `act_at` restores: where the deal opened, and clear of the next.

    A deal that opened right under its cap would be at it again with the next tick: it is brought as
    far under the cap as the warning is.
    """
    clear = act_at - (limits.max_ltv - limits.warn_ltv)
    return Bps(max(0, min(opening, clear)))


@dataclass(frozen=True, slots=True)
class CurePrices:
    """The prices of ETH at which cures begin; None where none is needed at any price."""

    repay: Usd8 | None
    convert: Usd8 | None


def cure_prices(
    position: Position, stress: Stress, eth_price: Usd8, *, act_at: Bps, cover_wad: int
) -> CurePrices:
    """Where `position` would repay and convert if only ETH's price moved, rounded up.

    Source: RISK.md, LTV = D/C and cover = R / (D (1 + r h) + f), solved for the price.
    """
    if position.debt == 0:
        return CurePrices(None, None)
    repay = mul_div(
        position.debt * BPS, eth_price, max(1, position.collateral * act_at), round_up=True
    )
    wanted = mul_div(owed(position.debt, stress), cover_wad, WAD, round_up=True) - position.cash
    fetched = stressed_value(position.reserve_eth, stress.gap, stress.exit_slip)
    if wanted <= 0 or position.cash >= owed(position.debt, stress) or not fetched:
        return CurePrices(Usd8(repay), None)
    return CurePrices(Usd8(repay), Usd8(mul_div(wanted, eth_price, fetched, round_up=True)))
