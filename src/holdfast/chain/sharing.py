"""One chain read by many at the same time: requests share exchanges, and equal ones an answer.

What is asked in one turn of the event loop goes out together, in parts that a node answers within
its timeouts: bounded in number, in bytes, and in the gas that simulations may use.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson

from holdfast.chain.rpc import MAX_BATCH, MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.chain.endpoint import Request
    from holdfast.chain.receipts import Json
    from holdfast.chain.rpc import Carrier

MAX_GAS: Final = 200_000_000
"""Gas that the simulations of one exchange may use: they name several times what they need, so a
node is done with them in less than a second."""


class Shared:
    """The chain of `carrier`, for readers that ask the same at the same time."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._open: dict[bytes, Request] | None = None
        self._answers: asyncio.Task[dict[bytes, Any]] | None = None

    async def read(self, requests: Sequence[Request]) -> list[Any]:
        """See `Carrier`; what others asked at this moment is not asked again."""
        keys = [orjson.dumps([request.method, request.params]) for request in requests]
        going = self._joined(keys, requests)
        answers = await asyncio.shield(going)  # others wait for them too
        return [answers[key] for key in keys]

    async def submit(self, requests: Sequence[Request]) -> list[Any]:
        """See `Carrier`: what is sent is never shared."""
        return await self._carrier.submit(requests)

    async def check(self) -> None:
        """Have the other carrier look anew at who answers."""
        await self._carrier.check()

    async def close(self) -> None:
        """Leave the connections alone: they are the other carrier's."""

    def _joined(
        self, keys: Sequence[bytes], requests: Sequence[Request]
    ) -> asyncio.Task[dict[bytes, Any]]:
        if self._open is None or self._answers is None:
            # The task starts in the next turn of the loop, when all who ask now have joined.
            self._open = {}
            self._answers = asyncio.create_task(self._carry(self._open))
        self._open.update(zip(keys, requests, strict=True))
        return self._answers

    async def _carry(self, wanted: dict[bytes, Request]) -> dict[bytes, Any]:
        self._open = None
        answers: dict[bytes, Any] = {}
        for part in parts(wanted):
            found = await self._carrier.read([wanted[key] for key in part])
            answers.update(zip(part, found, strict=True))
        return answers


def parts(wanted: dict[bytes, Request]) -> Iterator[Sequence[bytes]]:
    """The keys of the requests in exchanges that are not too large; one alone may be any size."""
    part: list[bytes] = []
    size = gas = 0
    for key, request in wanted.items():
        more = _gas(request)
        is_full = len(part) == MAX_BATCH or size + len(key) > MAX_BODY or gas + more > MAX_GAS
        if part and is_full:
            yield part
            part, size, gas = [], 0, 0
        part.append(key)
        size, gas = size + len(key), gas + more
    if part:
        yield part


def _gas(request: Request) -> int:
    """What a simulation may use; other reads bound themselves, see `multicall`."""
    if request.method != "eth_simulateV1":
        return 0
    blocks: list[Json] = request.params[0]["blockStateCalls"]
    return sum(int(call["gas"], 16) for block in blocks for call in block["calls"] if "gas" in call)
