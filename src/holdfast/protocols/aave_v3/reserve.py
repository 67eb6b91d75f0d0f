"""One reserve of the pool as it stands at a block, and its indexes at a later time.

Source: aave core-v3 1.19.3 DataTypes, ReserveConfiguration, ReserveLogic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.chain import abi
from holdfast.protocols.aave_v3.math import compounded_interest, linear_interest, ray_mul

if TYPE_CHECKING:
    from holdfast.common.evm import Address


@dataclass(frozen=True, slots=True)
class ReserveConfiguration:
    """What the market's owners set for a reserve; a cap of 0 is no cap.

    `ltv`, `liquidation_threshold`, `liquidation_bonus` and `reserve_factor` are bps, the bonus
    counted from 10,000; caps are in whole tokens.
    """

    ltv: int
    liquidation_threshold: int
    liquidation_bonus: int
    decimals: int
    is_active: bool
    is_frozen: bool
    is_paused: bool
    can_be_borrowed: bool
    reserve_factor: int
    borrow_cap: int
    supply_cap: int

    @property
    def takes_new_positions(self) -> bool:
        """Whether one may supply, and borrow where borrowing is enabled."""
        return self.is_active and not self.is_frozen and not self.is_paused

    @property
    def lets_positions_end(self) -> bool:
        """Whether one may repay and withdraw, which freezing does not forbid."""
        return self.is_active and not self.is_paused


@dataclass(frozen=True, slots=True)
class Reserve:
    """One reserve as last updated; rates are yearly and, as the indexes, in RAY.

    `last_update` is in seconds. `reserve_id` is its place in the accounts' bit maps.
    """

    configuration: ReserveConfiguration
    liquidity_index: int
    liquidity_rate: int
    variable_borrow_index: int
    variable_borrow_rate: int
    last_update: int
    reserve_id: int
    a_token: Address
    stable_debt_token: Address
    variable_debt_token: Address
    rate_strategy: Address

    def income_index_at(self, timestamp: int) -> int:
        """The index of supplied balances at `timestamp` seconds, in RAY.

        Raises:
            Broken: `aave.time_order` for a time before the last update.

        Source: ReserveLogic.getNormalizedIncome.
        """
        growth = linear_interest(self.liquidity_rate, self.last_update, timestamp)
        return ray_mul(growth, self.liquidity_index)

    def debt_index_at(self, timestamp: int) -> int:
        """The index of variable debt at `timestamp` seconds, in RAY.

        Raises:
            Broken: `aave.time_order` for a time before the last update.

        Source: ReserveLogic.getNormalizedDebt.
        """
        growth = compounded_interest(self.variable_borrow_rate, self.last_update, timestamp)
        return ray_mul(growth, self.variable_borrow_index)

    def debt_index_booked_at(self, timestamp: int, scaled_total_debt: int) -> int:
        """The debt index that a transaction at `timestamp` would store, in RAY.

        It stands still while nobody owes anything, although `debt_index_at` moves on.

        Source: ReserveLogic._updateIndexes.
        """
        if scaled_total_debt == 0:
            return self.variable_borrow_index
        return self.debt_index_at(timestamp)


def decode_reserve(data: bytes) -> Reserve:
    """The answer of `Pool.getReserveData`. Source: DataTypes.ReserveData."""
    return Reserve(
        configuration=decode_configuration(abi.uint(data, 0)),
        liquidity_index=abi.uint(data, 1),
        liquidity_rate=abi.uint(data, 2),
        variable_borrow_index=abi.uint(data, 3),
        variable_borrow_rate=abi.uint(data, 4),
        last_update=abi.uint(data, 6),
        reserve_id=abi.uint(data, 7),
        a_token=abi.address_at(data, 8),
        stable_debt_token=abi.address_at(data, 9),
        variable_debt_token=abi.address_at(data, 10),
        rate_strategy=abi.address_at(data, 11),
    )


def decode_configuration(bits: int) -> ReserveConfiguration:
    """The reserve's bit map. Source: DataTypes.ReserveConfigurationMap."""
    return ReserveConfiguration(
        ltv=_bits(bits, 0, 16),
        liquidation_threshold=_bits(bits, 16, 16),
        liquidation_bonus=_bits(bits, 32, 16),
        decimals=_bits(bits, 48, 8),
        is_active=_bits(bits, 56, 1) == 1,
        is_frozen=_bits(bits, 57, 1) == 1,
        can_be_borrowed=_bits(bits, 58, 1) == 1,
        is_paused=_bits(bits, 60, 1) == 1,
        reserve_factor=_bits(bits, 64, 16),
        borrow_cap=_bits(bits, 80, 36),
        supply_cap=_bits(bits, 116, 36),
    )


def _bits(value: int, start: int, length: int) -> int:
    return value >> start & (1 << length) - 1
