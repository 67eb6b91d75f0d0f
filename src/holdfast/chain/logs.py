"""Logs of a span of blocks, read so that they certainly belong to the blocks they came with.

A node answers `eth_getLogs` from whatever it holds at that moment, and with silence for blocks that
it does not have: so the blocks are asked for before, the last of them again after, the blocks have
to follow on each other, and every log must name one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from holdfast.chain.blocks import head_of, head_request, heads_of
from holdfast.chain.endpoint import Request
from holdfast.chain.receipts import Head, parse_log
from holdfast.common.errors import Broken, Transient
from holdfast.common.evm import BlockHash, EventLog, TxHash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.rpc import Rpc
    from holdfast.common.evm import Address


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs: of any of `addresses`, where each place holds one of its topics; None is any."""

    addresses: tuple[Address, ...]
    topics: tuple[tuple[bytes, ...] | None, ...]

    def as_json(self, first: int, last: int) -> dict[str, Any]:
        """The parameter of `eth_getLogs` for the blocks from `first` to `last`."""
        topics = [
            None if each is None else [f"0x{one.hex()}" for one in each] for each in self.topics
        ]
        return {
            "address": list(self.addresses),
            "topics": topics,
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }


@dataclass(frozen=True, slots=True)
class MinedLog:
    """One log, and where on the chain it stands."""

    block_number: int
    block_hash: BlockHash
    tx_hash: TxHash
    log: EventLog


@dataclass(frozen=True, slots=True)
class LogPage:
    """Blocks that follow on each other, and what was found in them, in order and each once."""

    heads: tuple[Head, ...]
    logs: tuple[MinedLog, ...]


async def read_page(rpc: Rpc, first: int, last: int, filters: Sequence[LogFilter]) -> LogPage:
    """The blocks from `first` to `last` and their logs, in one exchange.

    Raises:
        Transient: `chain.block_missing`; `chain.reorged` when the chain changed in between.
    """
    numbers = range(first, last + 1)
    blocks = [head_request(hex(number)) for number in numbers]
    answers = await rpc.results(*blocks, *_logs(first, last, filters), blocks[-1])
    heads = heads_of(answers[: len(blocks)], numbers)
    for before, head in pairwise(heads):
        _require_same(before.ref.hash, head.parent, before.ref.number)
    logs = _merged(answers[len(blocks) : -1])
    _require_same(heads[-1].ref.hash, head_of(answers[-1], last).ref.hash, last)
    hashes = {head.ref.number: head.ref.hash for head in heads}
    for one in logs:
        _require_same(hashes.get(one.block_number), one.block_hash, one.block_number)
    return LogPage(tuple(heads), logs)


async def read_span(
    rpc: Rpc, first: int, last: int, filters: Sequence[LogFilter]
) -> tuple[Head, tuple[MinedLog, ...]]:
    """The logs of many blocks without their heads, and the head that `last` had all the while.

    Raises:
        Transient: as `read_page`.
    """
    block = head_request(hex(last))
    answers = await rpc.results(block, *_logs(first, last, filters), block)
    head = head_of(answers[0], last)
    _require_same(head.ref.hash, head_of(answers[-1], last).ref.hash, last)
    return head, _merged(answers[1:-1])


def _logs(first: int, last: int, filters: Sequence[LogFilter]) -> list[Request]:
    return [Request("eth_getLogs", (each.as_json(first, last),)) for each in filters]


def _merged(answers: Sequence[Any]) -> tuple[MinedLog, ...]:
    """The logs of several filters: one that two of them match counts once."""
    found = {
        (one.block_number, one.log.log_index): one
        for entries in answers
        for one in map(parse_mined, entries)
    }
    return tuple(found[place] for place in sorted(found))


def parse_mined(entry: Any) -> MinedLog:  # noqa: ANN401 - JSON
    """One entry of `eth_getLogs`; `chain.bad_answer` when it is malformed."""
    try:
        return MinedLog(
            block_number=int(entry["blockNumber"], 16),
            block_hash=BlockHash(entry["blockHash"].lower()),
            tx_hash=TxHash(entry["transactionHash"].lower()),
            log=parse_log(entry),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Broken("chain.bad_answer", f"the node's log is malformed: {error!r}") from error


def _require_same(expected: BlockHash | None, found: BlockHash, number: int) -> None:
    if found != expected:
        raise Transient("chain.reorged", f"block {number} changed while its logs were read")
