"""Intents, their attempts and outcomes, and what the chain loop sees of a block; pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.evm import Address, BlockHash, Receipt, TxHash
    from holdfast.common.ids import BankId, ChainId, DealId, GroupId, IntentId, LegId
    from holdfast.model.leg import Call, ExpectedEvent
    from holdfast.signing.model import Fees, KeyRef


class IntentStatus(StrEnum):
    """Where an intent stands; `AMBIGUOUS` and `STUCK` may still end in any of the final ones.

    `DISPLACED` means that a transaction that is not ours was mined at the intent's nonce, which
    is proved: none of our bytes can be mined any more.
    """

    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    AMBIGUOUS = "ambiguous"
    STUCK = "stuck"
    LANDED = "landed"
    REVERTED = "reverted"
    CANCELLED = "cancelled"
    DISPLACED = "displaced"

    @property
    def is_final(self) -> bool:
        """Whether nothing the loop does can change it any more."""
        return self in FINAL


FINAL = frozenset(
    {
        IntentStatus.LANDED,
        IntentStatus.REVERTED,
        IntentStatus.CANCELLED,
        IntentStatus.DISPLACED,
    }
)
LIVE = frozenset(IntentStatus) - FINAL
TROUBLED = frozenset({IntentStatus.AMBIGUOUS, IntentStatus.STUCK})


ACCEPTED: Final = "accepted"
"""The evidence's reason where a person stated the outcome: no event proves it."""


FEE_CEILING: Final = "fee_ceiling"
"""The evidence's reason where pressing on would cost more than the intent allows."""

EVENT_MISSING: Final = "event_missing"
"""The evidence's reason where a transaction of ours is mined at depth without the leg's event."""


REORG: Final = "reorg"
"""The evidence's reason where a reorg took back the block that decided about a transaction."""


class NonceUse(StrEnum):
    """How somebody else used a nonce; an EIP-7702 authorization stands in anybody's transaction."""

    TRANSACTION = "transaction"
    AUTHORIZATION = "authorization"


class Purpose(StrEnum):
    """What an attempt is for: the leg's call, or a no-op that burns the nonce."""

    CALL = "call"
    CANCEL = "cancel"


class AttemptState(StrEnum):
    """Whether an attempt's bytes are still to be sent, were sent, or never will be."""

    SIGNED = "signed"
    SENT = "sent"
    SUPERSEDED = "superseded"


class Delivery(StrEnum):
    """What a node said to signed bytes, in the words of `chain.sending`.

    Only the chain itself tells what became of them.
    """

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    NONCE_TOO_LOW = "nonce_too_low"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NewIntent:
    """A wish for one transaction, as execution hands it over.

    Args:
        key: the key that signs; its address must be `sender`.
        expected: the event that proves the effect; None for a plain native transfer.
        deadline: chain timestamp in seconds after which the call can only revert.
        depth: how many blocks, its own included, must hold the receipt.
        fee_ceiling_wei: the most a unit of gas may cost.
        is_sweep: the value was computed from the exact fee, so it cannot be replaced, only
            cancelled.
    """

    intent_id: IntentId
    leg_id: LegId
    deal_id: DealId
    group_id: GroupId
    chain_id: ChainId
    participant_bank_id: BankId
    sender: Address
    key: KeyRef
    call: Call
    gas_limit: int
    expected: ExpectedEvent | None
    deadline: int | None
    depth: int
    fee_ceiling_wei: int
    is_sweep: bool = False

    @property
    def log_ids(self) -> dict[str, str]:
        """What every log event about the intent is bound to."""
        return {
            "bank": self.participant_bank_id,
            "deal": str(self.deal_id),
            "leg": str(self.leg_id),
            "intent": str(self.intent_id),
        }


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `record` made of one intent."""

    intent_id: IntentId
    leg_id: LegId
    nonce: int
    tx_hash: TxHash


@dataclass(frozen=True, slots=True)
class Sent:
    """When an attempt was first broadcast, and what was said to it last.

    `block` is the head's number then, `at_seconds` the epoch time.
    """

    block: int
    at_seconds: float
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Cause:
    """What one of our transactions was for, known from the moment that it was signed."""

    intent_id: IntentId
    leg_id: LegId
    deal_id: DealId
    bank_id: BankId


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed version of an intent."""

    attempt_no: int
    purpose: Purpose
    tx_hash: TxHash
    raw: bytes = field(repr=False)
    fees: Fees
    state: AttemptState = AttemptState.SIGNED
    sent: Sent | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A live intent with its attempts, oldest first, and its receipt once one was seen.

    `reason` is that of its evidence: why it is ambiguous or stuck, or last was; empty when it never
    was.
    """

    new: NewIntent
    nonce: int
    status: IntentStatus
    cancel_requested: bool
    attempts: tuple[Attempt, ...]
    receipt: Receipt | None = None
    reason: str = ""

    @property
    def intent_id(self) -> IntentId:
        """The intent's id."""
        return self.new.intent_id

    @property
    def last(self) -> Attempt:
        """The newest attempt, the only one that is still pressed."""
        return self.attempts[-1]

    @property
    def hashes(self) -> tuple[TxHash, ...]:
        """The hashes of all attempts; any of them may be the one that is mined."""
        return tuple(attempt.tx_hash for attempt in self.attempts)

    def attempt_with(self, tx_hash: TxHash) -> Attempt:
        """The attempt that `tx_hash` is the hash of; KeyError when there is none."""
        for attempt in self.attempts:
            if attempt.tx_hash == tx_hash:
                return attempt
        raise KeyError(tx_hash)


@dataclass(frozen=True, slots=True)
class Send:
    """One broadcast of one attempt, and its answer."""

    intent_id: IntentId
    attempt_no: int
    sent: Sent


@dataclass(frozen=True, slots=True)
class StatusChange:
    """An intent's next status, and what was seen that makes it so."""

    intent: Intent
    status: IntentStatus
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def reason(self) -> str:
        """The reason that the evidence names; empty when it names none."""
        return str(self.evidence.get("reason", ""))

    @property
    def is_news(self) -> bool:
        """Whether the intent has another status than this, or has it for another reason."""
        return (self.status, self.reason) != (self.intent.status, self.intent.reason)


@dataclass(frozen=True, slots=True)
class Place:
    """The block that the loop has followed the chain to."""

    number: int
    hash: BlockHash


@dataclass(frozen=True, slots=True)
class Progress:
    """What following the chain brought; written in one transaction."""

    receipts: tuple[tuple[Intent, Receipt], ...] = ()
    changes: tuple[StatusChange, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class IntentOutcome:
    """How an intent stands: final, or on the way there.

    `tx_hash` is the deciding attempt's once there is a receipt, else the newest attempt's.
    `evidence` says what was seen while it is ambiguous or stuck.
    """

    intent_id: IntentId
    leg_id: LegId
    group_id: GroupId
    deal_id: DealId
    status: IntentStatus
    nonce: int
    tx_hash: TxHash
    receipt: Receipt | None
    evidence: Mapping[str, object]

    @property
    def is_final(self) -> bool:
        """Whether the outcome can no longer change."""
        return self.status.is_final
