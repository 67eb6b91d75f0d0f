"""The chain as one carrier of requests: batches shared by all who ask, and faults as errors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from holdfast.chain.endpoint import INVALID_PARAMS, METHOD_NOT_FOUND, Endpoint, Fault, Request
from holdfast.chain.reverts import revert_reason
from holdfast.chain.transport import HttpTransport
from holdfast.common.errors import Broken, HoldfastError, Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.chain.endpoint import Timeouts

_STATE_GONE: Final = "BlockOutOfRangeError"
"""How anvil begins when it lacks a block's state, under the code of parameters that are wrong."""
MAX_BATCH: Final = 250  # geth refuses more than 1,000 in one batch, most hosted nodes earlier
MAX_BODY: Final = 2**20
"""Bytes of one exchange, about: anvil takes two million, geth and hosted nodes five."""


class Carrier(Protocol):
    """Takes requests to the chain: to one endpoint, or to the best of several."""

    async def read(self, requests: Sequence[Request]) -> list[Any]:
        """The results, a `Fault` where the node gave one; `Transient` without an answer."""
        ...

    async def submit(self, requests: Sequence[Request]) -> list[Any]:
        """The results of requests that change something.

        Raises:
            Transient: nothing was sent.
            Ambiguous: no answer, any of them may have been carried out.
        """
        ...

    async def check(self) -> None:
        """Look anew at who answers; what lies or disagrees is asked no more."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(slots=True)
class _Group:
    """Requests that are about to go out together, and the exchange that will carry them."""

    requests: list[Request]
    answers: asyncio.Task[list[Any]]


class Rpc:
    """The chain behind `carrier`; answers come in the order of the requests.

    Reading requests that are made at the same moment, in one turn of the event loop, share one
    exchange: for the many small reads of many deals the exchange costs more than what it carries.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._open: _Group | None = None

    @classmethod
    def over_http(cls, url: str, timeouts: Timeouts | None = None) -> Rpc:
        """The one endpoint at `url`; connects with the first request."""
        return cls(Endpoint(HttpTransport(url), timeouts))

    async def check(self) -> None:
        """Look anew at who answers; what lies or disagrees is asked no more."""
        await self._carrier.check()

    async def close(self) -> None:
        """Close the connections."""
        await self._carrier.close()

    async def call(self, method: str, *params: str) -> Any:  # noqa: ANN401 - JSON
        """The result of one reading request.

        Raises:
            Transient: `rpc.unreachable`, `rpc.fault`: nothing was done, it may work later.
            Rejected: `rpc.reverted`, with the reason.
            Broken: `rpc.unsupported` when the node lacks the method or refuses its parameters.
        """
        (answer,) = await self.results(Request(method, params))
        return answer

    async def results(self, *requests: Request) -> list[Any]:
        """The results of reading requests; the first fault among them is raised as `call` does."""
        answers = await self.batch(requests)
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Fault):
                raise fault_error(request.method, answer)
        return answers

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """The results of reading requests, a `Fault` where the node gave one.

        Raises:
            Transient: `rpc.unreachable` or `chain.read_only`, with no answer to all of them.
        """
        group = self._joined(requests)
        start = len(group.requests) - len(requests)
        answers = await asyncio.shield(group.answers)  # others wait for them too
        return answers[start : start + len(requests)]

    def _joined(self, requests: Sequence[Request]) -> _Group:
        """The group that goes out next, with `requests` as its last."""
        group = self._open
        if group is None:
            # The task starts in the next turn of the loop, when all who ask now have joined.
            made: list[Request] = []
            group = self._open = _Group(made, asyncio.create_task(self._carry(made)))
        group.requests += requests
        return group

    async def _carry(self, requests: Sequence[Request]) -> list[Any]:
        self._open = None
        return [answer for part in _parts(requests) for answer in await self._carrier.read(part)]

    async def submit(self, requests: Sequence[Request]) -> list[Any]:
        """The results of requests that change something; at most `MAX_BATCH` of them.

        Raises:
            Transient: `rpc.unreachable`, `chain.read_only`: nothing was sent.
            Ambiguous: `rpc.no_answer`: a node may have carried out any of them.
        """
        return await self._carrier.submit(requests)


def fault_error(method: str, fault: Fault) -> HoldfastError:
    """The error that a fault of a reading request amounts to."""
    if fault.message.startswith(_STATE_GONE):
        return Transient("chain.block_gone", f"{method} failed: {fault.message}")
    if fault.is_revert:
        reason = revert_reason(fault.data) if fault.data else fault.message
        return Rejected("rpc.reverted", f"{method} reverted: {reason}", reason=reason)
    if fault.code in {METHOD_NOT_FOUND, INVALID_PARAMS}:
        return Broken("rpc.unsupported", f"the node refuses {method}: {fault.message}")
    return Transient(
        "rpc.fault", f"{method} failed: {fault.message} ({fault.code})", fault_code=fault.code
    )


def _parts(requests: Sequence[Request]) -> Iterator[Sequence[Request]]:
    start, size = 0, 0
    for index, request in enumerate(requests):
        added = _length(request.params)
        if index > start and (index - start == MAX_BATCH or size + added > MAX_BODY):
            yield requests[start:index]
            start, size = index, 0
        size += added
    if start < len(requests):
        yield requests[start:]


def _length(value: object) -> int:
    """About how many bytes `value` is as JSON: its texts, which are nearly all there is."""
    match value:
        case str():
            return len(value)
        case dict():
            return sum(map(_length, cast("dict[str, object]", value).values()))
        case list() | tuple():
            return sum(map(_length, cast("Sequence[object]", value)))
        case _:
            return 0
