"""The lending pool: its calls, the events that prove them, and its reads.

Debt is always variable (mode 2); the stable mode is deprecated by Aave.
Source: aave core-v3 1.19.3 IPool, IScaledBalanceToken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import selector
from holdfast.chain.multicall import Read
from holdfast.common.money import MAX_UINT256
from holdfast.model.leg import Call
from holdfast.protocols.aave_v3 import events
from holdfast.protocols.aave_v3.account import decode_account_data, decode_account_flags
from holdfast.protocols.aave_v3.reserve import decode_reserve

if TYPE_CHECKING:
    from holdfast.common.evm import Address
    from holdfast.model.leg import ExpectedEvent
    from holdfast.protocols.aave_v3.account import AccountData, AccountFlags
    from holdfast.protocols.aave_v3.reserve import Reserve

ALL: Final = MAX_UINT256
"""The amount that stands for a whole debt or a whole supply. Source: IPool.repay, withdraw."""

_VARIABLE: Final = 2
_NO_REFERRAL: Final = 0
_SUPPLY: Final = selector("supply(address,uint256,address,uint16)")
_USE_AS_COLLATERAL: Final = selector("setUserUseReserveAsCollateral(address,bool)")
_BORROW: Final = selector("borrow(address,uint256,uint256,uint16,address)")
_REPAY: Final = selector("repay(address,uint256,uint256,address)")
_WITHDRAW: Final = selector("withdraw(address,uint256,address)")
_REVISION: Final = selector("POOL_REVISION()")
_RESERVE: Final = selector("getReserveData(address)")
_ACCOUNT: Final = selector("getUserAccountData(address)")
_FLAGS: Final = selector("getUserConfiguration(address)")
_NORMALIZED_INCOME: Final = selector("getReserveNormalizedIncome(address)")
_NORMALIZED_DEBT: Final = selector("getReserveNormalizedVariableDebt(address)")
_SCALED_BALANCE: Final = selector("scaledBalanceOf(address)")
_SCALED_SUPPLY: Final = selector("scaledTotalSupply()")
_ACCOUNT_GAS: Final = 400_000  # walks every reserve the account uses, each with an oracle price


@dataclass(frozen=True, slots=True)
class AavePool:
    """The pool at `address`; amounts in base units of the reserve's token."""

    address: Address

    def supply(self, asset: Address, amount: int, on_behalf_of: Address) -> Call:
        """Supply `amount`; the first supply of a reserve also makes it collateral."""
        return Call(self.address, abi.encode(_SUPPLY, asset, amount, on_behalf_of, _NO_REFERRAL))

    def use_as_collateral(self, asset: Address, *, used: bool) -> Call:
        """Let the sender's supply of `asset` back its debt, or no longer."""
        return Call(self.address, abi.encode(_USE_AS_COLLATERAL, asset, used))

    def borrow(self, asset: Address, amount: int, on_behalf_of: Address) -> Call:
        """Borrow `amount` at the variable rate."""
        data = abi.encode(_BORROW, asset, amount, _VARIABLE, _NO_REFERRAL, on_behalf_of)
        return Call(self.address, data)

    def repay(self, asset: Address, amount: int, on_behalf_of: Address) -> Call:
        """Repay `amount` of variable debt; `ALL`, for the sender's own debt only, repays it whole.

        The pool takes no more than is owed.
        """
        return Call(self.address, abi.encode(_REPAY, asset, amount, _VARIABLE, on_behalf_of))

    def withdraw(self, asset: Address, amount: int, to: Address) -> Call:
        """Withdraw `amount` of the sender's supply to `to`; `ALL` takes the whole of it."""
        return Call(self.address, abi.encode(_WITHDRAW, asset, amount, to))

    def expected_supply(self, asset: Address, on_behalf_of: Address) -> ExpectedEvent:
        """The event of a supply for `on_behalf_of`."""
        return events.SUPPLY.expected(self.address, asset, on_behalf_of)

    def expected_borrow(self, asset: Address, on_behalf_of: Address) -> ExpectedEvent:
        """The event of a loan that `on_behalf_of` owes."""
        return events.BORROW.expected(self.address, asset, on_behalf_of)

    def expected_repay(self, asset: Address, user: Address, repayer: Address) -> ExpectedEvent:
        """The event of a repayment of the debt of `user` by `repayer`."""
        return events.REPAY.expected(self.address, asset, user, repayer)

    def expected_withdraw(self, asset: Address, user: Address, to: Address) -> ExpectedEvent:
        """The event of a withdrawal by `user` to `to`."""
        return events.WITHDRAW.expected(self.address, asset, user, to)

    def revision(self) -> Read[int]:
        """The pool's revision, for `revision.require_known`."""
        return Read(self.address, _REVISION, abi.uint)

    def reserve(self, asset: Address) -> Read[Reserve]:
        """The reserve of `asset` as last updated."""
        return Read(self.address, abi.encode(_RESERVE, asset), decode_reserve)

    def account(self, user: Address) -> Read[AccountData]:
        """The totals of `user` at the block's time."""
        data = abi.encode(_ACCOUNT, user)
        return Read(self.address, data, decode_account_data, gas=_ACCOUNT_GAS)

    def flags(self, user: Address) -> Read[AccountFlags]:
        """Which reserves `user` borrows and uses as collateral."""
        return Read(self.address, abi.encode(_FLAGS, user), decode_account_flags)

    def income_index(self, asset: Address) -> Read[int]:
        """The supply index at the block's time, in RAY, as the pool computes it."""
        return Read(self.address, abi.encode(_NORMALIZED_INCOME, asset), abi.uint)

    def debt_index(self, asset: Address) -> Read[int]:
        """The variable debt index at the block's time, in RAY, as the pool computes it."""
        return Read(self.address, abi.encode(_NORMALIZED_DEBT, asset), abi.uint)


def scaled_balance(token: Address, account: Address) -> Read[int]:
    """What the pool books for `account` in the aToken or debt token `token`, before its index."""
    return Read(token, abi.encode(_SCALED_BALANCE, account), abi.uint)


def scaled_total(token: Address) -> Read[int]:
    """All that the pool books in the aToken or debt token `token`, before its index."""
    return Read(token, _SCALED_SUPPLY, abi.uint)
