"""Signs attempts: a call, or the no-op that uses a nonce and does nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from holdfast.common.ids import new_group_id, new_intent_id, new_leg_id
from holdfast.model.leg import Call
from holdfast.signing.model import TxFields
from holdfast.signing.transaction import sign_transaction
from holdfast.transactions.errors import wrong_sender
from holdfast.transactions.model import Attempt, Intent, IntentStatus, Purpose

if TYPE_CHECKING:
    from holdfast.signing.model import Fees
    from holdfast.signing.ports import KeyProvider
    from holdfast.transactions.model import NewIntent

TRANSFER_GAS: Final = 21_000
"""What a plain transfer costs. Source: Ethereum Yellow Paper, appendix G, G_transaction."""


@dataclass(frozen=True, slots=True)
class Signing:
    """What one attempt of an intent says: its place, and what it offers for gas."""

    nonce: int
    attempt_no: int
    purpose: Purpose
    fees: Fees


async def signed(keys: KeyProvider, new: NewIntent, what: Signing) -> Attempt:
    """One attempt of `new`, signed.

    Raises:
        Broken: `tx.wrong_sender` or `signing.wrong_key`.
    """
    signer = await keys.open(new.key)
    if signer.address != new.sender:
        raise wrong_sender(new.sender, signer.address)
    is_no_op = what.purpose is Purpose.CANCEL
    call = Call(new.sender, b"") if is_no_op else new.call
    gas = TRANSFER_GAS if is_no_op else new.gas_limit
    fields = TxFields(
        new.chain_id, what.nonce, call.target, call.data, call.value_wei, gas, what.fees
    )
    tx = await sign_transaction(signer, fields)
    return Attempt(what.attempt_no, what.purpose, tx.tx_hash, tx.raw, what.fees)


async def filler(keys: KeyProvider, blocked: Intent, nonce: int, fees: Fees) -> Intent:
    """An intent that only uses `nonce`, for which `blocked` waits; it is no leg of any deal.

    Raises:
        Broken: as `signed`.
    """
    new = replace(
        blocked.new,
        intent_id=new_intent_id(),
        leg_id=new_leg_id(),
        group_id=new_group_id(),
        call=Call(blocked.new.sender, b""),
        gas_limit=TRANSFER_GAS,
        expected=None,
        deadline=None,
        is_sweep=False,
    )
    attempt = await signed(keys, new, Signing(nonce, 1, Purpose.CANCEL, fees))
    return Intent(new, nonce, IntentStatus.SIGNED, cancel_requested=False, attempts=(attempt,))
