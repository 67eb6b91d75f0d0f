"""The same few reads of many accounts: encoded once for each account, decoded without a detour.

A monitor asks each of thousands of accounts the same questions every few seconds, and every answer
is one word. Through `multicall` each read would cost an object, an encoding and a search for its
answer; here the words stand at places that are known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.chain import abi
from holdfast.chain.abi import WORD
from holdfast.chain.multicall import (
    AGGREGATE3,
    Read,
    decode_aggregate,
    encoded_call,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_ANSWER: Final = 4 * WORD
"""A one-word answer: success, where its bytes begin, their length, the word."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Reads of one account, each answered with one unsigned word; make it with `bundle`.

    `gas` is the most that all of them may need together; `body` are the encoded calls, which
    begin at `starts`.
    """

    reads: tuple[Read[int], ...]
    gas: int
    body: bytes
    starts: tuple[int, ...]


def bundle(reads: Sequence[Read[int]]) -> Bundle:
    """The bundle of `reads`, which must not be allowed to fail."""
    calls = [encoded_call(read) for read in reads]
    starts = [sum(map(len, calls[:index])) for index in range(len(calls))]
    gas = sum(read.gas for read in reads)
    return Bundle(tuple(reads), gas, b"".join(calls), tuple(starts))


def encode_bundles(first: Read[int], bundles: Sequence[Bundle]) -> bytes:
    """The call data of one aggregate3 over the read `first` and all of `bundles`."""
    opening = encoded_call(first)
    count = 1 + sum(len(one.reads) for one in bundles)
    at = WORD * count
    offsets = [at.to_bytes(WORD)]
    at += len(opening)
    for one in bundles:
        offsets += [(at + start).to_bytes(WORD) for start in one.starts]
        at += len(one.body)
    bodies = (one.body for one in bundles)
    head = (AGGREGATE3, WORD.to_bytes(WORD), count.to_bytes(WORD))
    return b"".join((*head, *offsets, opening, *bodies))


def decode_bundles(
    first: Read[int], bundles: Sequence[Bundle], data: bytes
) -> tuple[int, list[list[int]]]:
    """The word of `first`, and those of each bundle in the order of its reads.

    Raises:
        Rejected: `chain.read_reverted` when a read reverts.
        Broken: `chain.bad_answer` when the answer is not one result for each read.
    """
    reads = [first, *(read for one in bundles for read in one.reads)]
    words = _words(len(reads), data)
    if words is None:  # something reverted, or a contract answered more than a word
        words = decode_aggregate(reads, data)
    found: list[list[int]] = []
    at = 1
    for one in bundles:
        found.append(words[at : at + len(one.reads)])
        at += len(one.reads)
    return words[0], found


def _words(count: int, data: bytes) -> list[Any] | None:
    """The words, when each of `count` reads succeeded with one; else None."""
    base = 2 * WORD + count * WORD
    if len(data) != base + count * _ANSWER or abi.uint(data, 1) != count:
        return None
    number = int.from_bytes
    good = (1).to_bytes(WORD) + (2 * WORD).to_bytes(WORD) + WORD.to_bytes(WORD)
    body = 3 * WORD
    if any(data[at : at + body] != good for at in range(base, len(data), _ANSWER)):
        return None
    return [number(data[at : at + WORD]) for at in range(base + body, len(data), _ANSWER)]
