"""The desk's calls, the events that prove them, and its state.

Shares are the discounted token, assets the cash, both in base units.
Source: ERC-7540 (asynchronous redemption); devnet/contracts/RedemptionDesk.vy.
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

REDEEM_REQUEST: Final = EventName.of(
    "RedeemRequest(address,address,uint256,address,uint256)", indexed=3
)
WITHDRAW: Final = EventName.of("Withdraw(address,address,address,uint256,uint256)", indexed=3)
OPERATOR_SET: Final = EventName.of("OperatorSet(address,address,bool)", indexed=2)
ANY_REQUEST: Final = 0
"""The request id that stands for all requests of a controller."""

_REQUEST: Final = selector("requestRedeem(uint256,address,address)")
_REDEEM: Final = selector("redeem(uint256,address,address)")
_PENDING: Final = selector("pendingRedeemRequest(uint256,address)")
_CLAIMABLE: Final = selector("claimableRedeemRequest(uint256,address)")
_MAX_REDEEM: Final = selector("maxRedeem(address)")
_CONVERT: Final = selector("convertToAssets(uint256)")
_FROZEN: Final = selector("frozen()")
_QUEUE_DELAY: Final = selector("queueDelay()")
_FEE_BPS: Final = selector("feeBps()")
_RESERVES: Final = selector("reserves()")
_REQUESTS: Final = selector("requests(uint256)")


@dataclass(frozen=True, slots=True)
class RedemptionRequested:
    """`shares` of `owner` handed in; `controller` may claim them under `request_id`."""

    controller: Address
    owner: Address
    request_id: int
    sender: Address
    shares: int


@dataclass(frozen=True, slots=True)
class RedemptionClaimed:
    """`assets` paid to `receiver` for `shares` that `controller` had claimable."""

    sender: Address
    receiver: Address
    controller: Address
    assets: int
    shares: int


@dataclass(frozen=True, slots=True)
class OperatorChanged:
    """`operator` may act for `controller` from now on, or no longer."""

    controller: Address
    operator: Address
    approved: bool


@dataclass(frozen=True, slots=True)
class RequestState:
    """What is left of one request; `claimable_at` is in chain seconds."""

    controller: Address
    shares: int
    assets: int
    claimable_at: int


@dataclass(frozen=True, slots=True)
class RedemptionDesk:
    """The desk at `address`."""

    address: Address

    def request(self, shares: int, controller: Address, owner: Address) -> Call:
        """Hand in `shares` of `owner`, who has allowed the desk to take them."""
        return Call(self.address, abi.encode(_REQUEST, shares, controller, owner))

    def claim(self, shares: int, receiver: Address, controller: Address) -> Call:
        """Be paid for `shares` that `controller` may claim, oldest request first."""
        return Call(self.address, abi.encode(_REDEEM, shares, receiver, controller))

    def expected_request(self, controller: Address, owner: Address) -> ExpectedEvent:
        """The event of a request; its id is any."""
        return REDEEM_REQUEST.expected(self.address, controller, owner, None)

    def expected_claim(
        self, sender: Address, receiver: Address, controller: Address
    ) -> ExpectedEvent:
        """The event of a claim by `sender`, paid to `receiver`."""
        return WITHDRAW.expected(self.address, sender, receiver, controller)

    def is_frozen(self) -> Read[bool]:
        """Whether the desk neither takes requests nor pays claims."""
        return Read(self.address, _FROZEN, abi.boolean)

    def queue_delay(self) -> Read[int]:
        """How long a request made now would wait, in seconds."""
        return Read(self.address, _QUEUE_DELAY, abi.uint)

    def fee_bps(self) -> Read[int]:
        """What the desk keeps of a request made now."""
        return Read(self.address, _FEE_BPS, abi.uint)

    def reserves(self) -> Read[int]:
        """The cash the desk holds."""
        return Read(self.address, _RESERVES, abi.uint)

    def pending(self, controller: Address, request_id: int = ANY_REQUEST) -> Read[int]:
        """Shares that still wait for the queue's delay."""
        return Read(self.address, abi.encode(_PENDING, request_id, controller), abi.uint)

    def claimable(self, controller: Address, request_id: int = ANY_REQUEST) -> Read[int]:
        """Shares whose delay has passed, frozen or not."""
        return Read(self.address, abi.encode(_CLAIMABLE, request_id, controller), abi.uint)

    def max_claim(self, controller: Address) -> Read[int]:
        """Shares that may be claimed now: none while the desk is frozen."""
        return Read(self.address, abi.encode(_MAX_REDEEM, controller), abi.uint)

    def assets_for(self, shares: int) -> Read[int]:
        """What a request of `shares` made now would pay."""
        return Read(self.address, abi.encode(_CONVERT, shares), abi.uint)

    def request_state(self, request_id: int) -> Read[RequestState]:
        """What is left of one request."""
        return Read(self.address, abi.encode(_REQUESTS, request_id), _request_state)


def decode_request(log: EventLog) -> RedemptionRequested:
    """The request in `log`; `event.unexpected` when it is another event."""
    _, controller, owner, request_id = REDEEM_REQUEST.checked(log).topics
    return RedemptionRequested(
        controller=abi.topic_address(controller),
        owner=abi.topic_address(owner),
        request_id=abi.uint(request_id),
        sender=abi.address_at(log.data, 0),
        shares=abi.uint(log.data, 1),
    )


def decode_claim(log: EventLog) -> RedemptionClaimed:
    """The claim in `log`; `event.unexpected` when it is another event."""
    _, sender, receiver, controller = WITHDRAW.checked(log).topics
    return RedemptionClaimed(
        sender=abi.topic_address(sender),
        receiver=abi.topic_address(receiver),
        controller=abi.topic_address(controller),
        assets=abi.uint(log.data, 0),
        shares=abi.uint(log.data, 1),
    )


def decode_operator(log: EventLog) -> OperatorChanged:
    """The change of rights in `log`; `event.unexpected` when it is another event."""
    _, controller, operator = OPERATOR_SET.checked(log).topics
    return OperatorChanged(
        controller=abi.topic_address(controller),
        operator=abi.topic_address(operator),
        approved=abi.boolean(log.data),
    )


def _request_state(data: bytes) -> RequestState:
    return RequestState(
        abi.address_at(data, 0), abi.uint(data, 1), abi.uint(data, 2), abi.uint(data, 3)
    )
