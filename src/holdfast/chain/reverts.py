"""Why a call reverted: the reason a person can read, from the bytes the EVM returned."""

from __future__ import annotations

from typing import Final

from holdfast.chain.abi import WORD, selector, text_at, uint

_ERROR: Final = selector("Error(string)")
_PANIC: Final = selector("Panic(uint256)")
_PANICS: Final = {
    0x00: "generic panic",
    0x01: "assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "invalid enum value",
    0x22: "malformed storage bytes",
    0x31: "pop of an empty array",
    0x32: "index out of bounds",
    0x41: "out of memory",
    0x51: "call of an empty function",
}


def revert_reason(data: bytes) -> str:
    """The reason in revert data: the text of `Error`, the meaning of `Panic`, else the bytes.

    Empty data (out of gas, or a bare revert) gives `reverted without a reason`.

    Source: Solidity documentation, Control Structures, Panic via assert and Error via require.
    """
    body = data[4:]
    if data[:4] == _ERROR and len(body) >= 2 * WORD and len(body) >= _end_of_text(body):
        return text_at(body, uint(body))
    if data[:4] == _PANIC and len(body) >= WORD:
        return f"panic: {_PANICS.get(uint(body), hex(uint(body)))}"
    if not data:
        return "reverted without a reason"
    return f"reverted with 0x{data.hex()}"


def _end_of_text(body: bytes) -> int:
    offset = uint(body)
    return offset + WORD + int.from_bytes(body[offset : offset + WORD])
