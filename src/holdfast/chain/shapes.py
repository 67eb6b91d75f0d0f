"""Whether answers can be read at all, so that one node's nonsense is not taken for the chain's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from holdfast.chain.endpoint import Fault
from holdfast.chain.logs import parse_mined
from holdfast.chain.receipts import MALFORMED, parse_head, parse_receipts, parse_transactions
from holdfast.common.errors import Broken, Transient
from holdfast.common.evm import BlockHash, BlockRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdfast.chain.endpoint import Request


def malformed(requests: Sequence[Request], answers: Sequence[Any]) -> str | None:
    """What is wrong with the first answer that cannot be read; None when all can."""
    for request, answer in zip(requests, answers, strict=True):
        read = _reader_of(request)
        if read is None or answer is None or isinstance(answer, Fault):
            continue
        try:
            read(answer)
        except (Broken, Transient) as error:  # also a block with what is of another one
            return error.message
        except MALFORMED as error:
            return f"the answer to {request.method} is malformed: {error!r:.200}"
    return None


def _reader_of(request: Request) -> Callable[[Any], object] | None:
    method, params = request
    if method in _BLOCKS:
        return _whole_block if params[1] else parse_head
    return _READERS.get(method)


def _whole_block(block: Any) -> None:  # noqa: ANN401 - JSON
    parse_transactions(block, parse_head(block).ref)


def _receipts(entries: Any) -> None:  # noqa: ANN401 - JSON
    for entry in entries:
        _receipt(entry)


def _receipt(entry: Any) -> None:  # noqa: ANN401 - JSON
    block = BlockRef(int(entry["blockNumber"], 16), BlockHash(entry["blockHash"].lower()), 0)
    parse_receipts([entry], block)


def _logs(entries: Any) -> None:  # noqa: ANN401 - JSON
    for entry in entries:
        parse_mined(entry)


_BLOCKS: Final = frozenset({"eth_getBlockByHash", "eth_getBlockByNumber"})
_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "eth_getBlockReceipts": _receipts,
    "eth_getLogs": _logs,
    "eth_getTransactionReceipt": _receipt,
}
