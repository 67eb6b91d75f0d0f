"""One account's position as the pool sums it up."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.chain import abi


@dataclass(frozen=True, slots=True)
class AccountData:
    """An account's totals: values in USD * 1e8, thresholds in bps, the health factor in WAD.

    `health_factor` is `math.NO_DEBT` when nothing is owed.
    Source: IPool.getUserAccountData.
    """

    collateral_base: int
    debt_base: int
    available_borrows_base: int
    liquidation_threshold: int
    ltv: int
    health_factor: int


@dataclass(frozen=True, slots=True)
class AccountFlags:
    """Which reserves an account uses, two bits each. Source: DataTypes.UserConfigurationMap."""

    bits: int

    def is_borrowing(self, reserve_id: int) -> bool:
        """Whether the account owes the reserve's token."""
        return self.bits >> 2 * reserve_id & 1 == 1

    def is_collateral(self, reserve_id: int) -> bool:
        """Whether the account's supply of the reserve backs its debt."""
        return self.bits >> 2 * reserve_id + 1 & 1 == 1

    @property
    def is_empty(self) -> bool:
        """Whether the account neither owes nor backs anything."""
        return self.bits == 0


def decode_account_data(data: bytes) -> AccountData:
    """The answer of `Pool.getUserAccountData`."""
    return AccountData(
        collateral_base=abi.uint(data, 0),
        debt_base=abi.uint(data, 1),
        available_borrows_base=abi.uint(data, 2),
        liquidation_threshold=abi.uint(data, 3),
        ltv=abi.uint(data, 4),
        health_factor=abi.uint(data, 5),
    )


def decode_account_flags(data: bytes) -> AccountFlags:
    """The answer of `Pool.getUserConfiguration`."""
    return AccountFlags(abi.uint(data))
