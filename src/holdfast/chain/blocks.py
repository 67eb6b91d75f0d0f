"""Canonical blocks, read so that what came in one exchange certainly belongs together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.chain.endpoint import Request
from holdfast.chain.receipts import Block, Head, Json, parse_head, parse_receipts
from holdfast.common.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.rpc import Rpc
    from holdfast.common.evm import BlockRef, Receipt, TxHash


def head_request(where: str) -> Request:
    """The request for the head at `where`: a tag, or a number as 0x text."""
    return Request("eth_getBlockByNumber", (where, False))


def present(answer: Any, wanted: int | str) -> Any:  # noqa: ANN401 - JSON
    """`answer` itself; `chain.block_missing` when it says that there is no block `wanted`."""
    if answer is None:
        raise Transient("chain.block_missing", f"the node has no block {wanted}", block=wanted)
    return answer


def head_of(answer: Any, wanted: int | str) -> Head:  # noqa: ANN401 - JSON
    """The head in the answer to `head_request`; `chain.block_missing` when there is none."""
    return parse_head(present(answer, wanted))


def heads_of(answers: Sequence[Any], numbers: Sequence[int]) -> list[Head]:
    """The heads of the blocks with these numbers; `chain.block_missing` without one."""
    return [head_of(answer, number) for answer, number in zip(answers, numbers, strict=True)]


async def read_heads(rpc: Rpc, numbers: Sequence[int]) -> list[Head]:
    """The canonical blocks with these numbers; `chain.block_missing` when one is not there."""
    answers = await rpc.results(*(head_request(hex(number)) for number in numbers))
    return heads_of(answers, numbers)


async def read_blocks(rpc: Rpc, first: int, last: int) -> list[Block]:
    """The canonical blocks from `first` to `last`, both included, with their receipts.

    Raises:
        Transient: `chain.block_missing`; `chain.reorged` when one changed in between.
    """
    numbers = range(first, last + 1)
    answers = await rpc.results(
        *(request for number in numbers for request in _block_requests(hex(number)))
    )
    return [
        _block(present(head, number), present(entries, number))
        for number, head, entries in zip(numbers, answers[::2], answers[1::2], strict=True)
    ]


async def find_receipts(rpc: Rpc, hashes: Sequence[TxHash]) -> list[Receipt]:
    """The receipts of those of the transactions that the node shows as mined.

    Raises:
        Transient: `chain.reorged` when a block changed in between.
    """
    requests = [Request("eth_getTransactionReceipt", (one,)) for one in hashes]
    entries = [entry for entry in await rpc.results(*requests) if entry is not None]
    numbers = sorted({entry["blockNumber"] for entry in entries})
    heads = await rpc.results(*map(head_request, numbers))
    refs = {number: head_of(head, number).ref for number, head in zip(numbers, heads, strict=True)}
    return [_receipt_of(entry, refs[entry["blockNumber"]]) for entry in entries]


def _block_requests(number: str) -> tuple[Request, Request]:
    return head_request(number), Request("eth_getBlockReceipts", (number,))


def _block(head: Json, entries: list[Json]) -> Block:
    if [entry["transactionHash"] for entry in entries] != head["transactions"]:
        raise _reorged(head["number"])
    parsed = parse_head(head)
    return Block(parsed, parse_receipts(entries, parsed.ref))


def _receipt_of(entry: Json, ref: BlockRef) -> Receipt:
    if entry["blockHash"].lower() != ref.hash:
        raise _reorged(entry["blockNumber"])
    (receipt,) = parse_receipts([entry], ref)
    return receipt


def _reorged(number: str) -> Transient:
    return Transient(
        "chain.reorged", f"block {int(number, 16)} changed while it was read", block=int(number, 16)
    )
