"""JSON-RPC to one endpoint: batches, and what is known when one fails.

A request that only reads can be repeated, so its failure is `Transient`. One that sends may have
been carried out although no answer came, so its failure is `Ambiguous` once bytes went out.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias, cast

import orjson

from holdfast.chain.reverts import revert_reason
from holdfast.chain.transport import HttpTransport, LostError, NotSentError
from holdfast.common.errors import Ambiguous, Broken, HoldfastError, Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.chain.transport import Transport

REVERTED: Final = 3
"""The fault code of a reverted execution (geth, anvil)."""
METHOD_NOT_FOUND: Final = -32_601
INVALID_PARAMS: Final = -32_602
_STATE_GONE: Final = "BlockOutOfRangeError"
"""How anvil begins when it lacks a block's state, under the code of parameters that are wrong."""
MAX_BATCH: Final = 250  # geth refuses more than 1,000 in one batch, most hosted nodes earlier
MAX_BODY: Final = 2**20
"""Bytes of one exchange, about: anvil takes two million, geth and hosted nodes five."""

_HEAVY: Final = frozenset({"eth_getLogs", "eth_simulateV1", "eth_getBlockReceipts"})
_MISSING: Final = object()

Meter: TypeAlias = "Callable[[int], AbstractContextManager[object]]"
"""Measures one exchange of so many requests while its block runs."""
_UNMETERED: Final = nullcontext()


def unmetered(count: int) -> AbstractContextManager[object]:  # noqa: ARG001 - it measures nothing
    """Measures nothing."""
    return _UNMETERED


class Request(NamedTuple):
    """One method and its parameters."""

    method: str
    params: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What the node answered instead of a result; `data` holds revert bytes where it gave any."""

    code: int
    message: str
    data: bytes = b""

    @property
    def is_revert(self) -> bool:
        """Whether the call itself failed, at whatever block: it reverted or ran out of gas.

        Besu gives -32000 for a revert and every client its own words, so the code is not enough.
        """
        said = self.message.lower()
        return self.code == REVERTED or bool(self.data) or "revert" in said or "out of gas" in said


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one exchange may take, in seconds.

    A read is one lookup of state: a node that needs longer is not worth waiting for. A heavy one
    walks a block or many. A send is given longest: to give up on it makes its outcome unknown.
    """

    read_seconds: float = 10.0
    heavy_seconds: float = 20.0
    send_seconds: float = 20.0

    def of(self, requests: Sequence[Request]) -> float:
        """For an exchange with these reading requests."""
        is_heavy = any(request.method in _HEAVY for request in requests)
        return self.heavy_seconds if is_heavy else self.read_seconds


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


class Endpoint:
    """One node behind `transport`; what it is asked is counted in `meter`."""

    def __init__(
        self, transport: Transport, timeouts: Timeouts | None = None, meter: Meter = unmetered
    ) -> None:
        self._transport = transport
        self._meter = meter
        self.timeouts = timeouts or Timeouts()

    @property
    def name(self) -> str:
        """The endpoint for people, without any access token."""
        return self._transport.name

    async def exchange(self, requests: Sequence[Request], seconds: float) -> list[Any]:
        """The answers in the order of `requests`; raises NotSentError or LostError."""
        body = orjson.dumps(
            [
                {"jsonrpc": "2.0", "id": index, "method": request.method, "params": request.params}
                for index, request in enumerate(requests)
            ]
        )
        with self._meter(len(requests)):
            return _answers(await self._transport.post(body, seconds), len(requests))

    async def read(self, requests: Sequence[Request]) -> list[Any]:
        """See `Carrier`; `rpc.unreachable` without an answer."""
        try:
            return await self.exchange(requests, self.timeouts.of(requests))
        except (NotSentError, LostError) as error:
            raise Transient("rpc.unreachable", f"{self.name} did not answer: {error}") from error

    async def submit(self, requests: Sequence[Request]) -> list[Any]:
        """See `Carrier`; `rpc.unreachable` when nothing was sent, else `rpc.no_answer`."""
        try:
            return await self.exchange(requests, self.timeouts.send_seconds)
        except NotSentError as error:
            raise Transient("rpc.unreachable", f"{self.name} was not reached: {error}") from error
        except LostError as error:
            raise Ambiguous(
                "rpc.no_answer", f"{self.name} did not answer what was sent: {error}"
            ) from error

    async def check(self) -> None:
        """See `Carrier`; there is nobody to compare with."""

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        await self._transport.close()


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


def _answers(body: bytes, count: int) -> list[Any]:
    """The answers in the order of the requests' ids, which a node may answer in any order."""
    try:
        entries: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise LostError("the answer is not JSON") from error
    if not isinstance(entries, list):
        raise LostError(f"one answer for the whole batch: {entries!r:.200}")
    answers: list[Any] = [_MISSING] * count
    try:
        for entry in cast("list[dict[str, Any]]", entries):
            answers[entry["id"]] = _answer(entry)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise LostError(f"a malformed answer: {error!r}") from error
    if any(answer is _MISSING for answer in answers):
        raise LostError("an answer is missing")
    return answers


def _answer(entry: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if "result" in entry:
        return entry["result"]
    error = entry["error"]
    return Fault(int(error["code"]), str(error["message"]), _revert_bytes(error.get("data")))


def _revert_bytes(data: object) -> bytes:
    """The revert bytes in a fault's data; some nodes put other things there."""
    if isinstance(data, str) and data.startswith("0x"):
        return bytes.fromhex(data[2:])
    return b""
