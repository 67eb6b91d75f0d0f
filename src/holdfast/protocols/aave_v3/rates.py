"""The two-slope interest rate of a reserve, as the pool computes it after each change.

Source: aave core-v3 1.19.3 DefaultReserveInterestRateStrategy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import selector
from holdfast.chain.multicall import Read
from holdfast.common.money import BPS, RAY
from holdfast.protocols.aave_v3.math import percent_mul, ray_div, ray_mul

if TYPE_CHECKING:
    from holdfast.common.evm import Address

_WAD_TO_RAY: Final = 10**9
_BASE: Final = selector("getBaseVariableBorrowRate()")
_SLOPE_1: Final = selector("getVariableRateSlope1()")
_SLOPE_2: Final = selector("getVariableRateSlope2()")
_OPTIMAL: Final = selector("OPTIMAL_USAGE_RATIO()")


@dataclass(frozen=True, slots=True)
class RateStrategy:
    """The parameters of one reserve's rate, all in RAY."""

    base_rate: int
    slope_1: int
    slope_2: int
    optimal_usage: int

    def borrow_rate(self, available_liquidity: int, total_debt: int) -> int:
        """The yearly variable borrow rate in RAY.

        Args:
            available_liquidity: what the pool holds and does not lend, in base units.
            total_debt: all variable debt, in base units; stable debt must be 0.
        """
        usage = usage_ratio(available_liquidity, total_debt)
        if usage <= self.optimal_usage:
            return self.base_rate + ray_div(ray_mul(self.slope_1, usage), self.optimal_usage)
        excess = ray_div(usage - self.optimal_usage, RAY - self.optimal_usage)
        return self.base_rate + self.slope_1 + ray_mul(self.slope_2, excess)

    def supply_rate(
        self, available_liquidity: int, total_debt: int, reserve_factor_bps: int
    ) -> int:
        """The yearly supply rate in RAY, for a reserve without stable and unbacked amounts."""
        if total_debt == 0:
            return 0
        borrow_rate = self.borrow_rate(available_liquidity, total_debt)
        debt_ray = total_debt * _WAD_TO_RAY
        overall = ray_div(ray_mul(debt_ray, borrow_rate), debt_ray)
        usage = usage_ratio(available_liquidity, total_debt)
        return percent_mul(ray_mul(overall, usage), BPS - reserve_factor_bps)


def usage_ratio(available_liquidity: int, total_debt: int) -> int:
    """The share of the reserve that is lent out, in RAY; 0 when nothing is."""
    return ray_div(total_debt, available_liquidity + total_debt) if total_debt else 0


def strategy_reads(strategy: Address) -> tuple[Read[int], Read[int], Read[int], Read[int]]:
    """The four parameters, in the order of `RateStrategy`'s fields."""
    base, slope_1, slope_2, optimal = (
        Read(strategy, data, abi.uint) for data in (_BASE, _SLOPE_1, _SLOPE_2, _OPTIMAL)
    )
    return base, slope_1, slope_2, optimal
