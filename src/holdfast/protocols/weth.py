"""Wrapping and unwrapping the native token.

Source: WETH9 (canonical-weth 1.4.0), 0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import selector
from holdfast.model.leg import Call
from holdfast.protocols.events import EventName

if TYPE_CHECKING:
    from holdfast.common.evm import Address, EventLog
    from holdfast.model.leg import ExpectedEvent

DEPOSIT: Final = EventName.of("Deposit(address,uint256)", indexed=1)
WITHDRAWAL: Final = EventName.of("Withdrawal(address,uint256)", indexed=1)

_DEPOSIT: Final = selector("deposit()")
_WITHDRAW: Final = selector("withdraw(uint256)")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """Native token that was wrapped for `account`, or unwrapped to it, in wei."""

    account: Address
    amount_wei: int


@dataclass(frozen=True, slots=True)
class Weth:
    """WETH9 at `address`; it is an ERC-20 besides, see `Erc20`."""

    address: Address

    def deposit(self, amount_wei: int) -> Call:
        """Wrap `amount_wei`, which is sent along."""
        return Call(self.address, _DEPOSIT, amount_wei)

    def withdraw(self, amount_wei: int) -> Call:
        """Unwrap `amount_wei` to the sender."""
        return Call(self.address, abi.encode(_WITHDRAW, amount_wei))

    def expected_deposit(self, account: Address) -> ExpectedEvent:
        """The event of a wrap by `account`."""
        return DEPOSIT.expected(self.address, account)

    def expected_withdrawal(self, account: Address) -> ExpectedEvent:
        """The event of an unwrap by `account`."""
        return WITHDRAWAL.expected(self.address, account)


def decode_deposit(log: EventLog) -> Wrapped:
    """The wrap in `log`; `event.unexpected` when it is another event."""
    return _wrapped(DEPOSIT.checked(log))


def decode_withdrawal(log: EventLog) -> Wrapped:
    """The unwrap in `log`; `event.unexpected` when it is another event."""
    return _wrapped(WITHDRAWAL.checked(log))


def _wrapped(log: EventLog) -> Wrapped:
    return Wrapped(abi.topic_address(log.topics[1]), abi.uint(log.data))
