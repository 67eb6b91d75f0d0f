"""One on-chain effect of a deal: its kind, its call and the event that proves it."""

from dataclasses import dataclass
from enum import StrEnum

from holdfast.common.evm import Address, EventLog
from holdfast.common.ids import LegId
from holdfast.common.money import TokenAmount
from holdfast.model.deal import Step


class LegKind(StrEnum):
    """What a leg does on chain."""

    FUND = "fund"
    WRAP = "wrap"
    APPROVE = "approve"
    REVOKE = "revoke"
    SUPPLY = "supply"
    BORROW = "borrow"
    SWAP = "swap"
    REQUEST_REDEMPTION = "request_redemption"
    CLAIM_REDEMPTION = "claim_redemption"
    REPAY = "repay"
    WITHDRAW = "withdraw"
    UNWRAP = "unwrap"
    RETURN_TOKEN = "return_token"  # noqa: S105 - a leg, no secret
    RETURN_NATIVE = "return_native"


class LegStatus(StrEnum):
    """Where a leg stands: `sent` until its intent is final one way or the other.

    `DISPLACED` is a leg whose nonce somebody else used: it did not happen and cannot any more.
    """

    SENT = "sent"
    LANDED = "landed"
    REVERTED = "reverted"
    CANCELLED = "cancelled"
    DISPLACED = "displaced"


@dataclass(frozen=True, slots=True)
class Call:
    """One message to a contract or account; `value_wei` is the native token sent along."""

    target: Address
    data: bytes
    value_wei: int = 0

    @property
    def selector(self) -> bytes:
        """The first four bytes of the data; empty for a plain transfer."""
        return self.data[:4]


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """The log entry that proves a leg; a topic that is None may be anything."""

    address: Address
    topics: tuple[bytes | None, ...]

    def matches(self, log: EventLog) -> bool:
        """Whether `log` is this event."""
        if log.address != self.address or len(log.topics) < len(self.topics):
            return False
        return all(
            want is None or want == got for want, got in zip(self.topics, log.topics, strict=False)
        )


@dataclass(frozen=True, slots=True)
class Leg:
    """One effect that the deal wants on chain, ready to be packaged by an account.

    `recipient` is who receives what the call moves, `amount` what goes in, `min_out` the least
    that must come out, `expected` the event that proves it (None only for a plain native transfer,
    proved by receipt and nonce).
    """

    leg_id: LegId
    step: Step
    kind: LegKind
    sender: Address
    call: Call
    gas_limit: int
    label: str
    recipient: Address
    amount: TokenAmount | None = None
    min_out: TokenAmount | None = None
    expected: ExpectedEvent | None = None
    deadline: int | None = None
