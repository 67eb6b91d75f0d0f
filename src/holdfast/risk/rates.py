"""The borrow rate that a reserve charges, before and after one's own loan."""

from dataclasses import dataclass

from holdfast.common.money import RAY
from holdfast.risk.errors import ImpossibleInput


@dataclass(frozen=True, slots=True)
class RateStrategy:
    """The two-slope curve of variable borrow rates, all in ray.

    Source: aave-v3-core 3.0.x DefaultReserveInterestRateStrategy.
    """

    optimal_usage_ray: int
    base_rate_ray: int
    slope1_ray: int
    slope2_ray: int

    @property
    def max_rate_ray(self) -> int:
        """The rate when everything is lent out.

        Source: DefaultReserveInterestRateStrategy.getMaxVariableBorrowRate.
        """
        return self.base_rate_ray + self.slope1_ray + self.slope2_ray


def borrow_rate(strategy: RateStrategy, *, total_debt: int, available: int) -> int:
    """The variable borrow rate in ray a year, to the unit of pool revision 3.0.x.

    Args:
        strategy: the reserve's curve.
        total_debt: all stable and variable debt of the reserve, in base units of its token.
        available: what the reserve still has to lend, in the same units.

    Source: DefaultReserveInterestRateStrategy.calculateInterestRates; U <= U*: r0 + s1 U / U*,
    else r0 + s1 + s2 (U - U*) / (1 - U*).
    """
    if not 0 < strategy.optimal_usage_ray < RAY:
        raise ImpossibleInput(
            "optimal_usage", "U* lies between 0 and 1", strategy.optimal_usage_ray
        )
    usage = _ray_div(total_debt, total_debt + available) if total_debt else 0
    if usage <= strategy.optimal_usage_ray:
        slope = _ray_div(_ray_mul(strategy.slope1_ray, usage), strategy.optimal_usage_ray)
        return strategy.base_rate_ray + slope
    excess = _ray_div(usage - strategy.optimal_usage_ray, RAY - strategy.optimal_usage_ray)
    slope2 = _ray_mul(strategy.slope2_ray, excess)
    return strategy.base_rate_ray + strategy.slope1_ray + slope2


def _ray_mul(left: int, right: int) -> int:
    """Source: aave-v3-core WadRayMath.rayMul, rounds half up."""
    return (left * right + RAY // 2) // RAY


def _ray_div(left: int, right: int) -> int:
    """Source: aave-v3-core WadRayMath.rayDiv, rounds half up."""
    return (left * RAY + right // 2) // right
