"""Who signed an EIP-7702 authorization, which moves the count of that account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.common.evm import Address, address_bytes, keccak256
from holdfast.signing.rlp import rlp
from holdfast.signing.transaction import number_bytes, recovered

if TYPE_CHECKING:
    from holdfast.chain.receipts import Authorization

_MAGIC: Final = b"\x05"


def authority(given: Authorization) -> Address | None:
    """The account that signed `given`; None where it is nobody's, which a block may hold.

    Source: EIP-7702, authority = ecrecover(keccak(MAGIC || rlp([chain_id, address, nonce]))).
    """
    if given.y_parity not in (0, 1):
        return None
    target = address_bytes(given.target)
    said = rlp([number_bytes(given.chain_id), target, number_bytes(given.nonce)])
    signature = given.r.to_bytes(32) + given.s.to_bytes(32) + bytes((given.y_parity,))
    return recovered(signature, keccak256(_MAGIC + said))
