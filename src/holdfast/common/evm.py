"""EVM values: addresses, hashes, block references, logs and receipts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

from eth_hash.auto import keccak

from holdfast.common.errors import Rejected

Address = NewType("Address", str)
"""A 20-byte address as EIP-55 checksummed text."""
TxHash = NewType("TxHash", str)
"""A 32-byte transaction hash as 0x and 64 lower-case hex digits."""
BlockHash = NewType("BlockHash", str)
"""A 32-byte block hash as 0x and 64 lower-case hex digits."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def keccak256(data: bytes) -> bytes:
    """Keccak-256 of `data`, 32 bytes."""
    return keccak(data)


def checksummed(raw: bytes) -> Address:
    """The address of 20 raw bytes.

    Source: EIP-55.
    """
    digits = raw.hex()
    nibbles = keccak(digits.encode()).hex()
    return Address(
        "0x"
        + "".join(
            c.upper() if int(n, 16) >= 8 else c for c, n in zip(digits, nibbles, strict=False)
        )
    )


def address(text: str) -> Address:
    """The address written as `text`; mixed case must carry a right EIP-55 checksum.

    Raises:
        Rejected: `address.malformed`, `address.checksum` or `address.zero`.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise Rejected("address.malformed", f"{text!r} is not 0x and 40 hex digits")
    raw = bytes.fromhex(text[2:])
    made = checksummed(raw)
    if text[2:] not in {text[2:].lower(), text[2:].upper()} and made != text:
        raise Rejected("address.checksum", f"{text} fails its EIP-55 checksum: check for a typo")
    if not any(raw):
        raise Rejected("address.zero", "the zero address is nobody's: give a real one")
    return made


def address_bytes(value: Address) -> bytes:
    """The 20 bytes of an address."""
    return bytes.fromhex(value[2:])


def tx_hash(value: str | bytes) -> TxHash:
    """The transaction hash `value`; `hash.malformed` when it is not 32 bytes."""
    return TxHash(_hash(value))


def block_hash(value: str | bytes) -> BlockHash:
    """The block hash `value`; `hash.malformed` when it is not 32 bytes."""
    return BlockHash(_hash(value))


def _hash(value: str | bytes) -> str:
    text = "0x" + value.hex() if isinstance(value, bytes) else value
    if _HASH.fullmatch(text) is None:
        raise Rejected("hash.malformed", f"{text!r} is not 0x and 64 hex digits")
    return text.lower()


@dataclass(frozen=True, slots=True, order=True)
class BlockRef:
    """One block: every decision reads at exactly one of these.

    `timestamp` is in seconds of the chain's clock.
    """

    number: int
    hash: BlockHash
    timestamp: int


@dataclass(frozen=True, slots=True)
class EventLog:
    """One log entry of a mined transaction."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the chain recorded of one mined transaction; the gas price is in wei."""

    tx_hash: TxHash
    block: BlockRef
    sender: Address
    succeeded: bool
    gas_used: int
    effective_gas_price_wei: int
    logs: tuple[EventLog, ...]

    @property
    def fee_wei(self) -> int:
        """What the sender paid for gas, in wei."""
        return self.gas_used * self.effective_gas_price_wei
