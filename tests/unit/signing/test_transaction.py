from dataclasses import dataclass, replace

import pytest
import rlp
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.common.errors import Broken
from holdfast.common.evm import checksummed
from holdfast.common.ids import ChainId
from holdfast.common.secret import Secret
from holdfast.signing.hd import HdKeyProvider
from holdfast.signing.keystore import KeyNetwork, OpenedSeed
from holdfast.signing.model import Fees, KeyRef, TxFields
from holdfast.signing.transaction import CURVE_ORDER, sign_transaction

provider = HdKeyProvider(OpenedSeed(Secret(bytes(range(1, 33))), KeyNetwork.DEVNET))
TO = checksummed(bytes(range(20)))

wei = st.integers(0, 2**96)
fields = st.builds(
    TxFields,
    chain_id=st.sampled_from([ChainId(1), ChainId(138), ChainId(651940)]),
    nonce=st.integers(0, 2**40),
    to=st.binary(min_size=20, max_size=20).map(checksummed),
    data=st.binary(max_size=300),
    value_wei=wei,
    gas_limit=st.integers(21_000, 30_000_000),
    fees=st.builds(Fees, cap_wei=wei, tip_wei=wei, is_legacy=st.booleans()),
)


def as_dict(tx):
    common = {
        "chainId": tx.chain_id,
        "nonce": tx.nonce,
        "to": tx.to,
        "data": tx.data,
        "value": tx.value_wei,
        "gas": tx.gas_limit,
    }
    if tx.fees.is_legacy:
        return {**common, "gasPrice": tx.fees.cap_wei}
    cap, tip = tx.fees.cap_wei, tx.fees.tip_wei
    return {**common, "type": 2, "maxFeePerGas": cap, "maxPriorityFeePerGas": tip}


async def signer(index=1):
    return await provider.open(provider.ref(index))


@settings(max_examples=60)
@given(tx=fields)
async def test_signed_bytes_are_those_of_eth_account(tx):
    key = await signer()
    expected = Account.sign_transaction(as_dict(tx), key._key.secret)
    signed = await sign_transaction(key, tx)
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.tx_hash == "0x" + expected.hash.hex()


PLAIN = TxFields(ChainId(138), 7, TO, b"\x01\x02", 5, 50_000, Fees(2 * 10**9, 10**9))


@dataclass(frozen=True)
class HighS:
    """A backend such as an HSM, that knows nothing of low s."""

    inner: object
    key_ref = KeyRef("test", "high-s")

    @property
    def address(self):
        return self.inner.address

    async def sign_digest(self, digest):
        r, s = await self.inner.sign_digest(digest)
        return r, CURVE_ORDER - s


async def test_a_backend_that_gives_the_high_s_ends_in_the_same_bytes():
    key = await signer()
    assert await sign_transaction(HighS(key), PLAIN) == await sign_transaction(key, PLAIN)


async def test_s_is_never_above_half_the_order():
    for nonce in range(40):
        signed = await sign_transaction(await signer(), replace(PLAIN, nonce=nonce))
        s = rlp.decode(signed.raw[1:])[-1]
        assert int.from_bytes(s) <= CURVE_ORDER // 2


@dataclass(frozen=True)
class WrongKey:
    """A backend that signs with another key than the one pinned, as a mixed-up label does."""

    inner: object
    address: str
    key_ref = KeyRef("test", "wrong")

    async def sign_digest(self, digest):
        return await self.inner.sign_digest(digest)


async def test_a_signature_of_another_key_never_leaves():
    wrong = WrongKey(await signer(2), (await signer(1)).address)
    with pytest.raises(Broken) as caught:
        await sign_transaction(wrong, PLAIN)
    assert caught.value.code == "signing.wrong_key"


async def test_raw_bytes_do_not_show_in_a_representation():
    signed = await sign_transaction(await signer(), PLAIN)
    assert signed.raw.hex() not in repr(signed)
    assert "raw" not in repr(signed)
