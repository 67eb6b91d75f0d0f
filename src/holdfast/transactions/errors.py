"""The errors of this feature, each with its stable code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.errors import Broken, Rejected, Transient

if TYPE_CHECKING:
    from holdfast.common.evm import Address


def leg_has_intent() -> Rejected:
    """Nothing was recorded: a leg of the group already has an intent that may still land."""
    return Rejected(
        "tx.leg_has_intent",
        "a leg of this group already has an intent that is live or landed: "
        "wait until it is final as reverted or cancelled",
    )


class ForeignNonce(Broken):
    """Nothing was recorded: the chain has more transactions of the sender than we ever signed.

    Its key is used elsewhere. `Transactions.catch_up` takes note of it; until then nothing more
    of the sender is signed.
    """

    def __init__(self, sender: Address, next_nonce: int, on_chain: int) -> None:
        super().__init__(
            "tx.foreign_nonce",
            f"{sender} has sent {on_chain} transactions, we have signed {next_nonce}: "
            "its key is used elsewhere",
            sender=sender,
            limit=next_nonce,
            value=on_chain,
        )
        self.sender = sender
        self.on_chain = on_chain


def nonces_unsettled(sender: Address, live: int) -> Transient:
    """Nothing was changed: intents of the sender at used nonces are not settled yet."""
    return Transient(
        "tx.nonces_unsettled",
        f"{live} transactions of {sender} at nonces that are used are still being settled",
        value=live,
    )


def wrong_sender(sender: Address, key_address: Address) -> Broken:
    """Nothing was recorded: the key given for an intent is not the sender's."""
    return Broken(
        "tx.wrong_sender",
        f"the key given for {sender} is that of {key_address}",
        limit=sender,
        value=key_address,
    )


def unknown_chain_nonce(sender: Address) -> Rejected:
    """Nothing was recorded: a first use needs the account's nonce, read by the caller."""
    return Rejected(
        "tx.chain_nonce", f"give the account nonce of {sender}, read at the decision's block"
    )


def fee_above_ceiling(price_wei: int, ceiling_wei: int) -> Transient:
    """Nothing was signed: gas costs more than the plan allows; it may cost less later."""
    return Transient(
        "tx.fee_ceiling",
        f"gas costs {price_wei} wei, the ceiling is {ceiling_wei}",
        limit=ceiling_wei,
        value=price_wei,
    )


def mixed_group(count: int) -> Rejected:
    """Nothing was recorded: the intents are none, or of several groups, deals or chains."""
    return Rejected("tx.mixed_group", f"{count} intents are not one group of one deal and chain")
