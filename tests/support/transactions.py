"""Intents, keys and a chain made of plain values, for tests of transactions."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from eth_account import Account

from holdfast.chain.profiles import FeeModel
from holdfast.common.evm import checksummed
from holdfast.common.ids import (
    BankId,
    ChainId,
    new_deal_id,
    new_group_id,
    new_intent_id,
    new_leg_id,
)
from holdfast.common.secret import Secret
from holdfast.model.leg import Call
from holdfast.signing.hd import HdKeyProvider
from holdfast.signing.keystore import KeyNetwork, OpenedSeed
from holdfast.signing.model import Fees, TxFields
from holdfast.signing.transaction import sign_transaction
from holdfast.transactions.fees import FeePolicy
from holdfast.transactions.model import Attempt, Intent, IntentStatus, NewIntent, Purpose

GWEI = 10**9
CHAIN = ChainId(138)
BANK = BankId("BANK001")
CEILING = 500 * GWEI
FEES = Fees(cap_wei=2 * GWEI, tip_wei=GWEI)
POLICY = FeePolicy(FeeModel.EIP1559, CEILING)
SOMEBODY = checksummed(bytes(range(20)))

keys = HdKeyProvider(OpenedSeed(Secret(bytes(range(1, 33))), KeyNetwork.DEVNET))


def address_of(index):
    """The address of key `index` of the tests' seed."""
    return asyncio.run(keys.open(keys.ref(index))).address


ADDRESSES = {index: address_of(index) for index in range(6)}


class Woken:
    """Remembers which deals were woken."""

    def __init__(self):
        self.deals = []

    async def wake(self, session, *deals):
        self.deals += deals


def wish(index=1, **changes):
    """One plain transfer of the key `index`, alone in its group, unless said otherwise."""
    plain = NewIntent(
        intent_id=new_intent_id(),
        leg_id=new_leg_id(),
        deal_id=new_deal_id(),
        group_id=new_group_id(),
        chain_id=CHAIN,
        participant_bank_id=BANK,
        sender=ADDRESSES[index],
        key=keys.ref(index),
        call=Call(SOMEBODY, b"", 1),
        gas_limit=21_000,
        expected=None,
        deadline=None,
        depth=1,
        fee_ceiling_wei=CEILING,
    )
    return replace(plain, **changes)


def group(count, index=1, **changes):
    """Several wishes of one deal that are sent together."""
    first = wish(index, **changes)
    shared = {"deal_id": first.deal_id, "group_id": first.group_id, **changes}
    return [first, *(wish(index, **shared) for _ in range(count - 1))]


async def signed(new, nonce, fees=FEES, number=1, purpose=Purpose.CALL):
    """One attempt of `new`, signed with its own key."""
    call = Call(new.sender, b"") if purpose is Purpose.CANCEL else new.call
    fields = TxFields(CHAIN, nonce, call.target, call.data, call.value_wei, new.gas_limit, fees)
    tx = await sign_transaction(await keys.open(new.key), fields)
    return Attempt(number, purpose, tx.tx_hash, tx.raw, fees)


async def intents_of(wishes, first_nonce=0, fees=FEES):
    """What `record` writes for wishes of one sender: nonces and one signed attempt each."""
    return [
        Intent(new, nonce, IntentStatus.SIGNED, False, (await signed(new, nonce, fees),))
        for nonce, new in enumerate(wishes, first_nonce)
    ]


async def authorization(index, nonce):
    """What key `index` signs to have its account run the code at `SOMEBODY` (EIP-7702)."""
    signer = await keys.open(keys.ref(index))
    given = {"chainId": CHAIN, "address": SOMEBODY, "nonce": nonce}
    return Account.sign_authorization(given, signer._key.secret)
