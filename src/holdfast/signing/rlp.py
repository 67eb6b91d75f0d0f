"""Recursive length prefix: the encoding of transactions.

Source: Ethereum Yellow Paper, appendix B. Encoding alone is a few lines, and the `rlp` package
is untyped and takes a fifth of a second to import; the tests compare with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Item: TypeAlias = "bytes | Sequence[Item]"

_SHORT: Final = 55  # longer payloads get the length of their length first
_BYTES: Final = 0x80
_LIST: Final = 0xC0


def rlp(item: Item) -> bytes:
    """The encoding of bytes, or of a list of items."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _BYTES:
            return item
        return _prefix(len(item), _BYTES) + item
    payload = b"".join(map(rlp, item))
    return _prefix(len(payload), _LIST) + payload


def _prefix(length: int, offset: int) -> bytes:
    if length <= _SHORT:
        return bytes((offset + length,))
    digits = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((offset + _SHORT + len(digits),)) + digits
