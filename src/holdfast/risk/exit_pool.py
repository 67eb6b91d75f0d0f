"""The pool in which all deals sell their bucket ETH, and what selling together does to its price.

A Uniswap v3 pool trades like a constant product of virtual reserves while its price stays where
its liquidity is in range: cash in it is y = L * sqrt(P). A fall of ETH by g leaves y * sqrt(1 - g),
since whoever trades the difference away takes the rest. Raising M of cash leaves y - M and so a
price of ((y - M) / y)^2 of the one before. Every deal is charged that last price, whatever its
turn, so no order of sales makes a deal worse off than reckoned and all together raise more.

The bound holds while the liquidity does not thin out within the fall. Each deal's own slip, which
its plan had quoted by the pool itself for the whole bucket, stays the least that it is charged.

Source: Uniswap v3 whitepaper, 6.2 (virtual reserves, amounts from liquidity and root of price).
"""

from dataclasses import dataclass
from math import isqrt

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.risk.formulas import PIPS

_ONE_PERCENT_UP = 498_756
"""sqrt(1.01) - 1 in units of 1e-8: the share of the pool's cash that moves its price by 1 %."""


@dataclass(frozen=True, slots=True)
class ExitPool:
    """Where bucket ETH is sold: the cash in range, in dollars, and the fee in millionths."""

    cash: Usd8
    fee_pips: int


def exit_pool(one_percent: Usd8, fee_pips: int) -> ExitPool:
    """The pool of which `one_percent` of cash moves the price by one percent, rounded down."""
    return ExitPool(Usd8(mul_div(one_percent, 10**8, _ONE_PERCENT_UP)), fee_pips)


def shared_slip(pool: ExitPool, raised: Usd8, gap: Bps, depth_left: Bps) -> Bps:
    """What the last one to sell loses when all deals raise `raised` together, rounded up.

    The pool's fee where nothing is raised, everything where the pool has not that much.

    Args:
        pool: the pool as it is now.
        raised: cash that all deals together must raise.
        gap: how far ETH has fallen.
        depth_left: the share of the pool's liquidity that is still there.
    """
    root_wad = isqrt(mul_div(WAD, (BPS - gap) * WAD, BPS))
    cash = mul_div(pool.cash, root_wad * depth_left, WAD * BPS)
    if raised >= cash:
        return Bps(BPS)
    last = mul_div((cash - raised) ** 2, (PIPS - pool.fee_pips) * BPS, cash**2 * PIPS)
    return Bps(BPS - last)
