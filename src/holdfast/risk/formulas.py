"""The formulas of a leveraged discount purchase, in integers, each rounded against the deal.

The pool's own arithmetic (health factor, borrow rate, accrued interest) is in
`holdfast.protocols.aave_v3`, rounded as the pool rounds it.

Money is in US dollars times 1e8 (`Usd8`) unless said; ratios are in basis points or in WAD (1e18),
yearly rates in RAY (1e27), as the lending pool keeps them.
"""

from typing import Final

from holdfast.common.money import BPS, RAY, WAD, Bps, Usd8, mul_div
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.errors import ImpossibleInput

YEAR_DAYS: Final = 365
"""Days of a year. Source: aave core-v3 1.19.3 MathUtils.SECONDS_PER_YEAR = 365 days."""

CLOSE_FACTOR_HF_THRESHOLD_WAD: Final = 95 * 10**16
"""Source: aave core-v3 1.19.3 LiquidationLogic.CLOSE_FACTOR_HF_THRESHOLD = 0.95e18."""

PIPS: Final = 1_000_000
"""Uniswap V3 fees are in millionths. Source: v3-core IUniswapV3PoolImmutables.fee."""

RAY_PER_BPS: Final = RAY // BPS


def ltv(debt: Usd8, collateral: Usd8) -> Bps:
    """Debt over collateral, rounded up; `NO_DEBT` when there is debt and no collateral.

    Source: aave core-v3 1.19.3 GenericLogic.calculateUserAccountData.
    """
    if debt == 0:
        return Bps(0)
    if collateral == 0:
        return Bps(NO_DEBT)
    return Bps(mul_div(debt, BPS, collateral, round_up=True))


def share_of(part: Usd8, whole: Usd8) -> Bps:
    """`part` over `whole` in bps, rounded up; unbounded when nothing is left to divide by."""
    if part == 0:
        return Bps(0)
    return Bps(mul_div(part, BPS, whole, round_up=True) if whole > 0 else NO_DEBT)


def liquidation_price(debt: Usd8, quantity_wei: int, threshold: Bps) -> Usd8:
    """The price of one whole collateral token under which the position can be liquidated.

    Source: derived, D / (q * LT), rounded up.

    Raises:
        ImpossibleInput: `risk.quantity` or `risk.threshold` when there is debt and it is zero.
    """
    if debt == 0:
        return Usd8(0)
    _positive("quantity", quantity_wei)
    _positive("threshold", threshold)
    return Usd8(mul_div(debt, WAD * BPS, quantity_wei * threshold, round_up=True))


def liquidation_drop(ltv_now: Bps, threshold: Bps) -> Bps:
    """How far the collateral may fall before liquidation, rounded down; 0 when already past it.

    Source: derived, 1 - LTV / LT.
    """
    _positive("threshold", threshold)
    return Bps(max(0, BPS - mul_div(ltv_now, BPS, threshold, round_up=True)))


def close_factor(health_factor_wad: int) -> Bps:
    """The share of the debt that one liquidation may repay, on pool revision 3.0.x.

    Source: aave core-v3 1.19.3 LiquidationLogic._calculateDebt.
    """
    return Bps(BPS if health_factor_wad <= CLOSE_FACTOR_HF_THRESHOLD_WAD else BPS // 2)


def repayment_to_restore(debt: Usd8, collateral: Usd8, target: Bps) -> Usd8:
    """What must be repaid for the LTV to be `target` again, rounded up; 0 when it is not above.

    Source: derived, D - l * C.
    """
    return Usd8(max(0, debt - mul_div(collateral, target, BPS)))


def collateral_to_restore(debt: Usd8, collateral: Usd8, target: Bps) -> Usd8:
    """What must be supplied for the LTV to be `target` again, rounded up; 0 when not above.

    Source: derived, D / l - C.
    """
    _positive("target", target)
    return Usd8(max(0, mul_div(debt, BPS, target, round_up=True) - collateral))


def interest(debt: Usd8, rate_ray: int, days: int) -> Usd8:
    """Interest at a constant yearly rate, not compounded, rounded up.

    Source: RISK.md (i = D r h), the plan's own horizon; what the pool accrues is in
    `holdfast.protocols.aave_v3`.
    """
    return Usd8(mul_div(debt, rate_ray * days, RAY * YEAR_DAYS, round_up=True))


def all_in_cost(price_wad: int, *, slip: Bps, swap_fee_pips: int, financing_wad: int) -> int:
    """What one token costs until it is redeemed, as a share of par in WAD, rounded up.

    Args:
        price_wad: price over par.
        slip: how far the purchase moves the price.
        swap_fee_pips: the pool's fee in hundredths of a basis point.
        financing_wad: interest on the financed share, and gas, per unit spent
            (phi * r * T / 365 + gas / spend).

    Source: standard, k = p (1 + slip) (1 + swap fee) (1 + phi r T / 365) + gas / q.
    """
    return mul_div(
        price_wad,
        (BPS + slip) * (PIPS + swap_fee_pips) * (WAD + financing_wad),
        BPS * PIPS * WAD,
        round_up=True,
    )


def simple_return(cost_wad: int, redemption_fee: Bps) -> Bps:
    """What is earned on what is paid if every token is redeemed, rounded down; may be negative.

    Source: standard, (1 - f_r) / k - 1.
    """
    _positive("cost", cost_wad)
    return Bps((BPS - redemption_fee) * WAD // cost_wad - BPS)


def break_even_success(cost_wad: int, redemption_fee: Bps, recovery: Bps = Bps(0)) -> Bps:
    """How likely redemption must be for the deal not to lose on average, rounded up.

    `recovery` is what a token still fetches, as a share of par, when redemption stays frozen. The
    result is above 100 % when even certain redemption loses.

    Source: standard, (k - rho) / (1 - f_r - rho).
    """
    win = BPS - redemption_fee - recovery
    _positive("recovery", win)
    at_stake = max(0, cost_wad - recovery * (WAD // BPS))
    return Bps(mul_div(at_stake, BPS * BPS, win * WAD, round_up=True))


def _positive(name: str, value: int) -> None:
    if value <= 0:
        raise ImpossibleInput(name, f"{name} must be more than zero", value)
