"""From transaction fields to signed bytes: the one encoder, shared by every key backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coincurve import PublicKey

from holdfast.common.errors import Broken
from holdfast.common.evm import Address, address_bytes, checksummed, keccak256, tx_hash
from holdfast.signing.model import SignedTx, TxFields
from holdfast.signing.rlp import Item, rlp

if TYPE_CHECKING:
    from holdfast.signing.ports import Signer

CURVE_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Order of the secp256k1 group. Source: SEC 2, section 2.4.1."""

_TYPE_EIP1559: Final = b"\x02"
_EIP155_OFFSET: Final = 35


async def sign_transaction(signer: Signer, tx: TxFields) -> SignedTx:
    """`tx` signed by `signer`: EIP-1559, or EIP-155 where the fees are legacy.

    Raises:
        Broken: `signing.wrong_key` when the signature is not one of the signer's address; the
            bytes are dropped.
    """
    payload = _legacy_payload(tx) if tx.fees.is_legacy else _eip1559_payload(tx)
    unsigned = _unsigned(tx, payload)
    digest = keccak256(unsigned)
    r, s = await signer.sign_digest(digest)
    s = min(s, CURVE_ORDER - s)  # EIP-2: the higher twin is refused by every node
    parity = _parity(signer.address, digest, r, s)
    raw = _signed(tx, payload, (parity, r, s))
    return SignedTx(raw, tx_hash(keccak256(raw)))


def _eip1559_payload(tx: TxFields) -> list[Item]:
    numbers = (tx.chain_id, tx.nonce, tx.fees.tip_wei, tx.fees.cap_wei, tx.gas_limit)
    return [
        *map(number_bytes, numbers),
        address_bytes(tx.to),
        number_bytes(tx.value_wei),
        tx.data,
        [],
    ]


def _legacy_payload(tx: TxFields) -> list[Item]:
    numbers = (tx.nonce, tx.fees.cap_wei, tx.gas_limit)
    return [*map(number_bytes, numbers), address_bytes(tx.to), number_bytes(tx.value_wei), tx.data]


def _unsigned(tx: TxFields, payload: list[Item]) -> bytes:
    if tx.fees.is_legacy:
        return rlp([*payload, number_bytes(tx.chain_id), b"", b""])
    return _TYPE_EIP1559 + rlp(payload)


def _signed(tx: TxFields, payload: list[Item], signature: tuple[int, int, int]) -> bytes:
    parity, r, s = signature
    if tx.fees.is_legacy:
        v = parity + _EIP155_OFFSET + 2 * tx.chain_id
        return rlp([*payload, number_bytes(v), number_bytes(r), number_bytes(s)])
    return _TYPE_EIP1559 + rlp([*payload, number_bytes(parity), number_bytes(r), number_bytes(s)])


def _parity(pinned: Address, digest: bytes, r: int, s: int) -> int:
    compact = r.to_bytes(32) + s.to_bytes(32)
    for parity in (0, 1):
        if recovered(compact + bytes((parity,)), digest) == pinned:
            return parity
    raise Broken(
        "signing.wrong_key",
        f"the key backend's signature is not one of {pinned}: stop and check the key's label",
        address=pinned,
    )


def recovered(signature: bytes, digest: bytes) -> Address | None:
    """The account that signed `digest`: `signature` is r, s and the parity, 65 bytes."""
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:  # one of the two parities need not lie on the curve
        return None
    return checksummed(keccak256(key.format(compressed=False)[1:])[12:])


def number_bytes(value: int) -> bytes:
    """`value` as RLP wants numbers: big-endian, without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8)
