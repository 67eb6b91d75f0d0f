"""Many contract reads in one `eth_call` through Multicall3, whatever reverts among them.

Source: Multicall3 (mds1/multicall), aggregate3((address,bool,bytes)[]).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from holdfast.chain import abi
from holdfast.chain.abi import WORD, selector
from holdfast.chain.reverts import revert_reason
from holdfast.common.errors import Broken, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.common.evm import Address

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
C = TypeVar("C", bound="Costed")

MULTICALL3: Final = "0xcA11bde05977b3631167028862bE2a173976CA11"
"""Multicall3's address on nearly every chain.

Source: github.com/mds1/multicall, Deployments.
"""

READ_GAS: Final = 150_000  # the dearest plain read, Aave's account data, needs about 100,000
CALL_GAS: Final = 20_000_000  # under the 30M gas cap of a call on anvil and the 50M on geth

AGGREGATE3: Final = selector("aggregate3((address,bool,bytes)[])")
_ETH_BALANCE: Final = selector("getEthBalance(address)")
_TIMESTAMP: Final = selector("getCurrentBlockTimestamp()")


class Costed(Protocol):
    """What is asked of the chain, with the most gas that it may need."""

    @property
    def gas(self) -> int:
        """At most so much."""
        ...


@dataclass(frozen=True, slots=True)
class Read(Generic[T_co]):
    """One contract read and how its answer is understood.

    `gas` is the most that the read may need; it decides how many reads share one call. A read with
    `allow_failure` answers a `Reverted` where the contract reverts.
    """

    target: Address
    data: bytes
    decode: Callable[[bytes], T_co]
    allow_failure: bool = False
    gas: int = READ_GAS


@dataclass(frozen=True, slots=True)
class Reverted:
    """The answer of a read that reverted, with the reason in words and the raw bytes."""

    reason: str
    data: bytes


def eth_balance(multicall3: Address, account: Address) -> Read[int]:
    """The native balance of `account`, in wei."""
    return Read(multicall3, abi.encode(_ETH_BALANCE, account), abi.uint)


def block_timestamp(multicall3: Address) -> Read[int]:
    """The timestamp of the block that is read, in seconds."""
    return Read(multicall3, _TIMESTAMP, abi.uint)


def within_gas(asked: Sequence[C], limit: int = CALL_GAS) -> Iterator[Sequence[C]]:
    """`asked` in its order, in parts whose gas stays within `limit` where one alone does."""
    start, used = 0, 0
    for index, one in enumerate(asked):
        if used + one.gas > limit and index > start:
            yield asked[start:index]
            start, used = index, 0
        used += one.gas
    if start < len(asked):
        yield asked[start:]


def encode_aggregate(reads: Sequence[Read[Any]]) -> bytes:
    """The call data of one aggregate3 over `reads`, each allowed to revert."""
    tails: list[bytes] = []
    heads: list[bytes] = []
    offset = WORD * len(reads)
    for read in reads:
        tail = encoded_call(read)
        heads.append(offset.to_bytes(WORD))
        tails.append(tail)
        offset += len(tail)
    count = len(reads).to_bytes(WORD)
    return b"".join((AGGREGATE3, WORD.to_bytes(WORD), count, *heads, *tails))


def decode_aggregate(reads: Sequence[Read[Any]], data: bytes) -> list[Any]:
    """The decoded answers, in the order of `reads`.

    Raises:
        Rejected: `chain.read_reverted` when a read reverts that may not.
        Broken: `chain.bad_answer` when the answer is not one result for each read.
    """
    base = 2 * WORD
    if abi.uint(data, 1) != len(reads):
        raise Broken("chain.bad_answer", "Multicall3 answered another number of reads")
    return [
        _answer(read, data, base + abi.uint(data, 2 + index)) for index, read in enumerate(reads)
    ]


def encoded_call(read: Read[Any]) -> bytes:
    """One Call3 of aggregate3, allowed to revert: a revert is told apart per read."""
    size = len(read.data)
    return b"".join(
        (
            abi.word(read.target),
            (1).to_bytes(WORD),
            (3 * WORD).to_bytes(WORD),
            size.to_bytes(WORD),
            read.data,
            bytes(-size % WORD),
        )
    )


def _answer(read: Read[Any], data: bytes, start: int) -> Any:  # noqa: ANN401 - the read's own type
    succeeded = data[start + WORD - 1]
    body = start + 3 * WORD
    size = int.from_bytes(data[body - WORD : body])
    answer = data[body : body + size]
    if succeeded:
        return read.decode(answer)
    if read.allow_failure:
        return Reverted(revert_reason(answer), answer)
    raise Rejected(
        "chain.read_reverted",
        f"reading 0x{read.data[:4].hex()} of {read.target} reverted: {revert_reason(answer)}",
        target=read.target,
        selector=f"0x{read.data[:4].hex()}",
    )
