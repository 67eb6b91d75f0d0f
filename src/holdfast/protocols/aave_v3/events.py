"""The pool's events, decoded.

Source: aave core-v3 1.19.3 IPool, IScaledBalanceToken, ICreditDelegationToken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.protocols.events import EventName

if TYPE_CHECKING:
    from holdfast.common.evm import Address, EventLog

SUPPLY: Final = EventName.of("Supply(address,address,address,uint256,uint16)", indexed=3)
WITHDRAW: Final = EventName.of("Withdraw(address,address,address,uint256)", indexed=3)
BORROW: Final = EventName.of(
    "Borrow(address,address,address,uint256,uint8,uint256,uint16)", indexed=3
)
REPAY: Final = EventName.of("Repay(address,address,address,uint256,bool)", indexed=3)
RESERVE_DATA_UPDATED: Final = EventName.of(
    "ReserveDataUpdated(address,uint256,uint256,uint256,uint256,uint256)", indexed=1
)
COLLATERAL_ENABLED: Final = EventName.of(
    "ReserveUsedAsCollateralEnabled(address,address)", indexed=2
)
COLLATERAL_DISABLED: Final = EventName.of(
    "ReserveUsedAsCollateralDisabled(address,address)", indexed=2
)
LIQUIDATION_CALL: Final = EventName.of(
    "LiquidationCall(address,address,address,uint256,uint256,address,bool)", indexed=3
)
BORROW_ALLOWANCE: Final = EventName.of(
    "BorrowAllowanceDelegated(address,address,address,uint256)", indexed=3
)
SCALED_MINT: Final = EventName.of("Mint(address,address,uint256,uint256,uint256)", indexed=2)
SCALED_BURN: Final = EventName.of("Burn(address,address,uint256,uint256,uint256)", indexed=2)


@dataclass(frozen=True, slots=True)
class Supplied:
    """`amount` base units of `reserve` that `user` supplied, credited to `on_behalf_of`."""

    reserve: Address
    user: Address
    on_behalf_of: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """`amount` base units of `reserve` that `user` took out to `to`."""

    reserve: Address
    user: Address
    to: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Borrowed:
    """`amount` base units of `reserve` lent to `user` as the debt of `on_behalf_of`.

    `borrow_rate` is the yearly rate after it, in RAY.
    """

    reserve: Address
    user: Address
    on_behalf_of: Address
    amount: int
    borrow_rate: int


@dataclass(frozen=True, slots=True)
class Repaid:
    """`amount` base units of the debt of `user` that `repayer` paid."""

    reserve: Address
    user: Address
    repayer: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Liquidated:
    """`seized` base units of `collateral` taken from `user` by `liquidator` for `covered` debt."""

    collateral: Address
    debt: Address
    user: Address
    liquidator: Address
    covered: int
    seized: int


@dataclass(frozen=True, slots=True)
class BorrowAllowance:
    """`delegatee` may borrow up to `amount` base units of `asset` as the debt of `delegator`."""

    asset: Address
    delegator: Address
    delegatee: Address
    amount: int


@dataclass(frozen=True, slots=True)
class ReserveDataUpdated:
    """The rates and indexes of `reserve` after a change, in RAY."""

    reserve: Address
    liquidity_rate: int
    variable_borrow_rate: int
    liquidity_index: int
    variable_borrow_index: int


@dataclass(frozen=True, slots=True)
class ScaledChange:
    """A change of a scaled balance (`Mint` or `Burn`) of `token`, which tells the index used.

    `balance_increase` is the interest since the account's last change, in base units; `value` is
    what changed hands after netting it (see ScaledBalanceTokenBase), `index` in RAY.
    """

    token: Address
    account: Address
    value: int
    balance_increase: int
    index: int


def decode_supply(log: EventLog) -> Supplied:
    """The supply in `log`; `event.unexpected` when it is another event."""
    _, reserve, on_behalf_of, _ = SUPPLY.checked(log).topics
    return Supplied(
        reserve=abi.topic_address(reserve),
        user=abi.address_at(log.data, 0),
        on_behalf_of=abi.topic_address(on_behalf_of),
        amount=abi.uint(log.data, 1),
    )


def decode_withdraw(log: EventLog) -> Withdrawn:
    """The withdrawal in `log`; `event.unexpected` when it is another event."""
    _, reserve, user, to = WITHDRAW.checked(log).topics
    return Withdrawn(
        reserve=abi.topic_address(reserve),
        user=abi.topic_address(user),
        to=abi.topic_address(to),
        amount=abi.uint(log.data),
    )


def decode_borrow(log: EventLog) -> Borrowed:
    """The loan in `log`; `event.unexpected` when it is another event."""
    _, reserve, on_behalf_of, _ = BORROW.checked(log).topics
    return Borrowed(
        reserve=abi.topic_address(reserve),
        user=abi.address_at(log.data, 0),
        on_behalf_of=abi.topic_address(on_behalf_of),
        amount=abi.uint(log.data, 1),
        borrow_rate=abi.uint(log.data, 3),
    )


def decode_repay(log: EventLog) -> Repaid:
    """The repayment in `log`; `event.unexpected` when it is another event."""
    _, reserve, user, repayer = REPAY.checked(log).topics
    return Repaid(
        reserve=abi.topic_address(reserve),
        user=abi.topic_address(user),
        repayer=abi.topic_address(repayer),
        amount=abi.uint(log.data),
    )


def decode_liquidation(log: EventLog) -> Liquidated:
    """The liquidation in `log`; `event.unexpected` when it is another event."""
    _, collateral, debt, user = LIQUIDATION_CALL.checked(log).topics
    return Liquidated(
        collateral=abi.topic_address(collateral),
        debt=abi.topic_address(debt),
        user=abi.topic_address(user),
        liquidator=abi.address_at(log.data, 2),
        covered=abi.uint(log.data, 0),
        seized=abi.uint(log.data, 1),
    )


def decode_borrow_allowance(log: EventLog) -> BorrowAllowance:
    """The delegation in `log`; `event.unexpected` when it is another event."""
    _, delegator, delegatee, asset = BORROW_ALLOWANCE.checked(log).topics
    return BorrowAllowance(
        asset=abi.topic_address(asset),
        delegator=abi.topic_address(delegator),
        delegatee=abi.topic_address(delegatee),
        amount=abi.uint(log.data),
    )


def decode_reserve_data(log: EventLog) -> ReserveDataUpdated:
    """The reserve's new state in `log`; `event.unexpected` when it is another event."""
    data = RESERVE_DATA_UPDATED.checked(log).data
    return ReserveDataUpdated(
        reserve=abi.topic_address(log.topics[1]),
        liquidity_rate=abi.uint(data, 0),
        variable_borrow_rate=abi.uint(data, 2),
        liquidity_index=abi.uint(data, 3),
        variable_borrow_index=abi.uint(data, 4),
    )


def decode_scaled_mint(log: EventLog) -> ScaledChange:
    """The `Mint` in `log`, of the account it is for; `event.unexpected` for another event."""
    return _scaled_change(SCALED_MINT.checked(log), log.topics[2])


def decode_scaled_burn(log: EventLog) -> ScaledChange:
    """The `Burn` in `log`, of the account it is from; `event.unexpected` for another event."""
    return _scaled_change(SCALED_BURN.checked(log), log.topics[1])


def _scaled_change(log: EventLog, account: bytes) -> ScaledChange:
    return ScaledChange(
        token=log.address,
        account=abi.topic_address(account),
        value=abi.uint(log.data, 0),
        balance_increase=abi.uint(log.data, 1),
        index=abi.uint(log.data, 2),
    )
