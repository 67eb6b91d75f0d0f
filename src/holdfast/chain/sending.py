"""What a node says to a raw transaction, told apart in this one place.

Only an answer that is known to mean "not taken, and never will be" counts as a refusal; everything
else leaves the outcome open, for the chain to settle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from holdfast.chain.endpoint import Fault


class SendOutcome(StrEnum):
    """What is known after a send; `unknown` means that the chain has to tell."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    NONCE_TOO_LOW = "nonce_too_low"
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """The outcome of one send, and the node's own words."""

    outcome: SendOutcome
    text: str


class Silence(Fault):
    """Stands for the answer that an endpoint did not give to what was sent to it.

    Its text may quote whatever came instead of an answer, so nothing is read into it.
    """


_SAYINGS: Final = (
    # geth and anvil core/txpool errors; Besu TransactionInvalidReason; Nethermind AcceptTxResult
    ("already known", SendOutcome.ALREADY_KNOWN),
    ("alreadyknown", SendOutcome.ALREADY_KNOWN),
    ("already imported", SendOutcome.ALREADY_KNOWN),
    ("known transaction", SendOutcome.ALREADY_KNOWN),
    ("nonce too low", SendOutcome.NONCE_TOO_LOW),
    ("nonce is too low", SendOutcome.NONCE_TOO_LOW),
    ("oldnonce", SendOutcome.NONCE_TOO_LOW),
    ("underpriced", SendOutcome.UNDERPRICED),
    ("gas price too low", SendOutcome.UNDERPRICED),
    ("minimum gas price", SendOutcome.UNDERPRICED),
    ("feetoolow", SendOutcome.UNDERPRICED),
    ("less than block base fee", SendOutcome.UNDERPRICED),
    ("insufficient funds", SendOutcome.INSUFFICIENT_FUNDS),
    ("insufficientfunds", SendOutcome.INSUFFICIENT_FUNDS),
    ("upfront cost exceeds", SendOutcome.INSUFFICIENT_FUNDS),
    ("intrinsic gas", SendOutcome.REJECTED),
    ("exceeds block gas limit", SendOutcome.REJECTED),
    ("failed to decode", SendOutcome.REJECTED),
    ("rlp:", SendOutcome.REJECTED),
    ("invalid sender", SendOutcome.REJECTED),
    ("invalid signature", SendOutcome.REJECTED),
    ("invalid chain", SendOutcome.REJECTED),
    ("wrong chain", SendOutcome.REJECTED),
    ("tip higher than", SendOutcome.REJECTED),
    ("max priority fee per gas higher than max fee", SendOutcome.REJECTED),
)


def send_answer(answer: object) -> SendAnswer:
    """What the answer to `eth_sendRawTransaction` means: a hash, or a fault in a client's words."""
    if not isinstance(answer, Fault):
        return SendAnswer(SendOutcome.ACCEPTED, str(answer))
    if isinstance(answer, Silence):
        return SendAnswer(SendOutcome.UNKNOWN, answer.message)
    said = answer.message.lower()
    for phrase, outcome in _SAYINGS:
        if phrase in said:
            return SendAnswer(outcome, answer.message)
    return SendAnswer(SendOutcome.UNKNOWN, answer.message)


def unanswered(reason: str, count: int) -> list[SendAnswer]:
    """The answers of `count` sends that nobody answered."""
    return [SendAnswer(SendOutcome.UNKNOWN, reason)] * count
