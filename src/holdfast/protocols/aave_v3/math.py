"""The pool's own arithmetic, rounded as the pool rounds it, on non-negative integers.

Source: aave core-v3 1.19.3 (pool revision 3.0.x): WadRayMath, PercentageMath, MathUtils,
GenericLogic. Later revisions differ; `revision.require_known` keeps them out.
"""

from __future__ import annotations

from typing import Final

from holdfast.common.errors import Broken
from holdfast.common.money import BPS, MAX_UINT256, RAY, WAD

SECONDS_PER_YEAR: Final = 365 * 24 * 3_600
"""Source: MathUtils.SECONDS_PER_YEAR (365 days)."""
NO_DEBT: Final = MAX_UINT256
"""The health factor of an account that owes nothing."""


def ray_mul(a: int, b: int) -> int:
    """`a * b / RAY`, half up. Source: WadRayMath.rayMul."""
    return (a * b + RAY // 2) // RAY


def ray_div(a: int, b: int) -> int:
    """`a * RAY / b`, half up. Source: WadRayMath.rayDiv."""
    return (a * RAY + b // 2) // b


def wad_div(a: int, b: int) -> int:
    """`a * WAD / b`, half up. Source: WadRayMath.wadDiv."""
    return (a * WAD + b // 2) // b


def percent_mul(value: int, bps: int) -> int:
    """`value * bps / 10,000`, half up. Source: PercentageMath.percentMul."""
    return (value * bps + BPS // 2) // BPS


def linear_interest(rate_ray: int, since: int, until: int) -> int:
    """The growth of what is supplied, in RAY.

    Args:
        rate_ray: yearly rate in RAY.
        since: timestamp of the last update, in seconds.
        until: timestamp of the block that is asked about, in seconds.

    Source: MathUtils.calculateLinearInterest.
    """
    return RAY + rate_ray * _elapsed(since, until) // SECONDS_PER_YEAR


def compounded_interest(rate_ray: int, since: int, until: int) -> int:
    """The growth of what is owed, in RAY: three terms of the binomial series.

    Args:
        rate_ray: yearly rate in RAY.
        since: timestamp of the last update, in seconds.
        until: timestamp of the block that is asked about, in seconds.

    Source: MathUtils.calculateCompoundedInterest.
    """
    seconds = _elapsed(since, until)
    if seconds == 0:
        return RAY
    power_two = ray_mul(rate_ray, rate_ray) // SECONDS_PER_YEAR**2
    power_three = ray_mul(power_two, rate_ray) // SECONDS_PER_YEAR
    pairs = seconds * (seconds - 1)
    second_term = pairs * power_two // 2
    third_term = pairs * max(seconds - 2, 0) * power_three // 6
    return RAY + rate_ray * seconds // SECONDS_PER_YEAR + second_term + third_term


def scaled(amount: int, index_ray: int) -> int:
    """What the pool books for `amount` at `index_ray`. Source: ScaledBalanceTokenBase."""
    return ray_div(amount, index_ray)


def unscaled(scaled_amount: int, index_ray: int) -> int:
    """What a booked amount is worth at `index_ray`, in base units. Source: AToken.balanceOf."""
    return ray_mul(scaled_amount, index_ray)


def base_value(amount: int, price_usd8: int, decimals: int) -> int:
    """The value of `amount` base units in the oracle's currency (USD * 1e8), rounded down.

    Source: GenericLogic._getUserBalanceInBaseCurrency and _getUserDebtInBaseCurrency.
    """
    unit: int = 10**decimals
    return amount * price_usd8 // unit


def health_factor(collateral_base: int, threshold_bps: int, debt_base: int) -> int:
    """The health factor in WAD, liquidatable under 1e18; `NO_DEBT` when nothing is owed.

    Args:
        collateral_base: total collateral in USD * 1e8.
        threshold_bps: its liquidation threshold, the pool's average over the collateral.
        debt_base: total debt in USD * 1e8.

    Source: GenericLogic.calculateUserAccountData.
    """
    if debt_base == 0:
        return NO_DEBT
    return wad_div(percent_mul(collateral_base, threshold_bps), debt_base)


def available_borrows(collateral_base: int, debt_base: int, ltv_bps: int) -> int:
    """What may still be borrowed, in USD * 1e8.

    Source: GenericLogic.calculateAvailableBorrows.
    """
    return max(0, percent_mul(collateral_base, ltv_bps) - debt_base)


def _elapsed(since: int, until: int) -> int:
    if until < since:
        raise Broken(
            "aave.time_order",
            f"interest until {until} was asked of a reserve updated later, at {since}",
            since=since,
            until=until,
        )
    return until - since
