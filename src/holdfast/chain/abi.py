"""Contract words packed and read by hand: selectors, 32-byte arguments, results and topics.

Every argument and result that deals use is a static word, for which packing by hand costs about a
tenth of a general encoder; tests compare each with eth_abi.
Source: Solidity contract ABI specification.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from holdfast.common.errors import Broken
from holdfast.common.evm import Address, checksummed, keccak256

Word: TypeAlias = "int | bool | str | bytes"
"""One static argument: a number, a truth value, an address (as text) or 32 raw bytes."""

WORD = 32
_SIGNED = 1 << 255
_MODULUS = 1 << 256


def selector(signature: str) -> bytes:
    """The four bytes that name the function `signature`, such as `transfer(address,uint256)`."""
    return keccak256(signature.encode())[:4]


def topic(signature: str) -> bytes:
    """The 32 bytes that name the event `signature`."""
    return keccak256(signature.encode())


def encode(name: bytes, *arguments: Word) -> bytes:
    """Call data: the selector `name`, then each argument as one word.

    Raises:
        Broken: `abi.range` when a number does not fit its word.
    """
    return name + b"".join(map(word, arguments))


def word(value: Word) -> bytes:
    """`value` as 32 bytes; negative numbers in two's complement.

    Raises:
        Broken: `abi.range` when the value does not fit.
    """
    match value:
        case int():
            return _number(value)
        case str():
            return _address_word(value)
        case bytes() if len(value) == WORD:
            return value
        case bytes():
            raise Broken("abi.range", f"{len(value)} bytes are no word of {WORD}")


def address_topic(value: Address) -> bytes:
    """The topic of an indexed address."""
    return _address_word(value)


def uint(data: bytes, index: int = 0) -> int:
    """The unsigned number in word `index` of `data`.

    Raises:
        Broken: `abi.short` when `data` ends before it, as where no contract answered.
    """
    return int.from_bytes(_word_at(data, index))


def sint(data: bytes, index: int = 0) -> int:
    """The signed number in word `index` of `data`; `abi.short` when it is not there."""
    value = uint(data, index)
    return value - _MODULUS if value >= _SIGNED else value


def boolean(data: bytes, index: int = 0) -> bool:
    """The truth value in word `index` of `data`; `abi.short` when it is not there."""
    return uint(data, index) != 0


def address_at(data: bytes, index: int = 0) -> Address:
    """The address in word `index` of `data`; `abi.short` when it is not there."""
    return address_of(_word_at(data, index)[12:])


def topic_address(value: bytes) -> Address:
    """The address in an indexed topic."""
    return address_of(value[12:])


@lru_cache(maxsize=8_192)  # the same few thousand addresses come back in every block
def address_of(raw: bytes) -> Address:
    """The checksummed address of 20 raw bytes, remembered."""
    return checksummed(raw)


@lru_cache(maxsize=8_192)
def address_of_hex(text: str) -> Address:
    """The checksummed address of a node's hex text, which has its own spelling; remembered."""
    return checksummed(bytes.fromhex(text[2:]))


def text_at(data: bytes, offset: int) -> str:
    """The string whose length word stands at byte `offset` of `data`; undecodable bytes replaced.

    Raises:
        Broken: `abi.short` when `data` ends before it.
    """
    start = offset + WORD
    length = int.from_bytes(data[offset:start])
    if len(data) < start + length:
        raise Broken("abi.short", f"a string of {length} bytes does not fit in {len(data)}")
    return data[start : start + length].decode("utf-8", "replace")


def _number(value: int) -> bytes:
    if not -_SIGNED <= value < _MODULUS:
        raise Broken("abi.range", f"{value} does not fit in a word")
    return (value % _MODULUS).to_bytes(WORD)


@lru_cache(maxsize=8_192)
def _address_word(value: str) -> bytes:
    return bytes(12) + bytes.fromhex(value[2:])


def _word_at(data: bytes, index: int) -> bytes:
    start = index * WORD
    found = data[start : start + WORD]
    if len(found) != WORD:
        raise Broken(
            "abi.short",
            f"word {index} is not in an answer of {len(data)} bytes: is the contract there?",
        )
    return found
