"""What clients say to a raw transaction, in their own words."""

import pytest

from holdfast.chain.endpoint import Fault
from holdfast.chain.sending import SendOutcome, send_answer

HASH = "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("already known", SendOutcome.ALREADY_KNOWN),  # geth
        ("transaction already imported", SendOutcome.ALREADY_KNOWN),  # anvil
        ("Known transaction", SendOutcome.ALREADY_KNOWN),  # Besu
        ("AlreadyKnown", SendOutcome.ALREADY_KNOWN),  # Nethermind
        ("nonce too low: next nonce 5, tx nonce 4", SendOutcome.NONCE_TOO_LOW),  # geth
        ("nonce too low", SendOutcome.NONCE_TOO_LOW),  # anvil
        ("Nonce too low", SendOutcome.NONCE_TOO_LOW),  # Besu
        ("OldNonce", SendOutcome.NONCE_TOO_LOW),  # Nethermind
        ("replacement transaction underpriced", SendOutcome.UNDERPRICED),  # geth, anvil
        ("transaction underpriced: tip needed 2, tip permitted 1", SendOutcome.UNDERPRICED),
        ("Gas price below configured minimum gas price", SendOutcome.UNDERPRICED),  # Besu
        ("max fee per gas less than block base fee", SendOutcome.UNDERPRICED),  # geth, anvil
        (
            "insufficient funds for gas * price + value: balance 1, tx cost 2",
            SendOutcome.INSUFFICIENT_FUNDS,
        ),
        ("Upfront cost exceeds account balance", SendOutcome.INSUFFICIENT_FUNDS),  # Besu
        ("exceeds block gas limit", SendOutcome.REJECTED),
        ("intrinsic gas too low: gas 1, minimum needed 21000", SendOutcome.REJECTED),
        ("Failed to decode transaction", SendOutcome.REJECTED),  # anvil
        ("invalid chain id for signer: have 1 want 138", SendOutcome.REJECTED),
    ],
)
def test_a_known_refusal_is_told_apart(message, outcome):
    answer = send_answer(Fault(-32_000, message))
    assert (answer.outcome, answer.text) == (outcome, message)


@pytest.mark.parametrize(
    "message",
    [
        "txpool is full",
        "internal error",
        "rate limit exceeded",
        "request timed out",
        "header not found",
    ],
)
def test_what_is_not_known_to_be_a_refusal_is_left_to_the_chain(message):
    assert send_answer(Fault(-32_000, message)).outcome is SendOutcome.UNKNOWN


def test_a_hash_means_accepted():
    answer = send_answer(HASH)
    assert (answer.outcome, answer.text) == (SendOutcome.ACCEPTED, HASH)
