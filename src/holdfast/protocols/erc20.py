"""ERC-20 tokens, with the care that Tether's needs.

A transfer or an approval counts when its event is in the receipt, never by its return value, which
Tether does not give. Tether changes an allowance only through zero.
Source: EIP-20; TetherToken 0xdAC17F958D2ee523a2206206994597C13D831ec7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import selector
from holdfast.chain.multicall import Read
from holdfast.model.leg import Call
from holdfast.protocols.events import EventName

if TYPE_CHECKING:
    from holdfast.common.evm import Address, EventLog
    from holdfast.model.leg import ExpectedEvent

TRANSFER: Final = EventName.of("Transfer(address,address,uint256)", indexed=2)
APPROVAL: Final = EventName.of("Approval(address,address,uint256)", indexed=2)

_TRANSFER: Final = selector("transfer(address,uint256)")
_APPROVE: Final = selector("approve(address,uint256)")
_BALANCE_OF: Final = selector("balanceOf(address)")
_ALLOWANCE: Final = selector("allowance(address,address)")
_TOTAL_SUPPLY: Final = selector("totalSupply()")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Tokens that moved, in base units."""

    token: Address
    sender: Address
    recipient: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Approval:
    """An allowance as it was set, in base units."""

    token: Address
    owner: Address
    spender: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Erc20:
    """The token at `address`; all amounts in base units."""

    address: Address

    def transfer(self, to: Address, amount: int) -> Call:
        """Send `amount` to `to`."""
        return Call(self.address, abi.encode(_TRANSFER, to, amount))

    def approve(self, spender: Address, amount: int) -> Call:
        """Allow `spender` to take `amount`; 0 takes the allowance back."""
        return Call(self.address, abi.encode(_APPROVE, spender, amount))

    def expected_transfer(self, sender: Address, to: Address) -> ExpectedEvent:
        """The event of a transfer from `sender` to `to`."""
        return TRANSFER.expected(self.address, sender, to)

    def expected_approval(self, owner: Address, spender: Address) -> ExpectedEvent:
        """The event of an approval by `owner` for `spender`."""
        return APPROVAL.expected(self.address, owner, spender)

    def balance_of(self, owner: Address) -> Read[int]:
        """What `owner` holds."""
        return Read(self.address, abi.encode(_BALANCE_OF, owner), abi.uint)

    def allowance(self, owner: Address, spender: Address) -> Read[int]:
        """What `spender` may still take from `owner`."""
        return Read(self.address, abi.encode(_ALLOWANCE, owner, spender), abi.uint)

    def total_supply(self) -> Read[int]:
        """All that exists."""
        return Read(self.address, _TOTAL_SUPPLY, abi.uint)


def decode_transfer(log: EventLog) -> Transfer:
    """The transfer in `log`; `event.unexpected` when it is another event."""
    _, sender, recipient = TRANSFER.checked(log).topics
    return Transfer(
        log.address, abi.topic_address(sender), abi.topic_address(recipient), abi.uint(log.data)
    )


def decode_approval(log: EventLog) -> Approval:
    """The approval in `log`; `event.unexpected` when it is another event."""
    _, owner, spender = APPROVAL.checked(log).topics
    return Approval(
        log.address, abi.topic_address(owner), abi.topic_address(spender), abi.uint(log.data)
    )
