"""One JSON-RPC endpoint: batches, and what is known when one fails.

A request that only reads can be repeated, so its failure is `Transient`. One that sends may have
been carried out although no answer came, so its failure is `Ambiguous` once bytes went out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import orjson

from holdfast.chain.reverts import revert_reason
from holdfast.chain.transport import HttpTransport, LostError, NotSentError
from holdfast.common.errors import Ambiguous, Broken, HoldfastError, Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.transport import Transport

REVERTED: Final = 3
"""The fault code of a reverted execution (geth, anvil)."""
METHOD_NOT_FOUND: Final = -32_601
INVALID_PARAMS: Final = -32_602
MAX_BATCH: Final = 250  # geth refuses more than 1,000 in one batch, most hosted nodes earlier

_MISSING: Final = object()


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
    """How long a whole exchange may take, in seconds."""

    read_seconds: float = 20.0
    send_seconds: float = 20.0


@dataclass(slots=True)
class _Group:
    """Requests that are about to go out together, and the exchange that will carry them."""

    requests: list[Request]
    answers: asyncio.Task[list[Any]]


class Rpc:
    """The endpoint behind `transport`; answers come in the order of the requests.

    Reading requests that are made at the same moment, in one turn of the event loop, share one
    exchange: for the many small reads of many deals the exchange costs more than what it carries.
    """

    def __init__(self, transport: Transport, timeouts: Timeouts | None = None) -> None:
        self._transport = transport
        self._timeouts = timeouts or Timeouts()
        self._open: _Group | None = None

    @classmethod
    def over_http(cls, url: str, timeouts: Timeouts | None = None) -> Rpc:
        """The endpoint at `url`; connects with the first request."""
        return cls(HttpTransport(url), timeouts)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def call(self, method: str, *params: str) -> Any:  # noqa: ANN401 - JSON
        """The result of one reading request.

        Raises:
            Transient: `rpc.unreachable`, `rpc.fault`: nothing was done, it may work later.
            Rejected: `rpc.reverted`, with the reason.
            Broken: `rpc.unsupported` when the node lacks the method or refuses its parameters.
        """
        (answer,) = await self.batch([Request(method, params)])
        if isinstance(answer, Fault):
            raise fault_error(method, answer)
        return answer

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """The results of reading requests, a `Fault` where the node gave one.

        Raises:
            Transient: `rpc.unreachable` when there is no answer to all of them.
        """
        group = self._joined(requests)
        start = len(group.requests) - len(requests)
        try:
            answers = await asyncio.shield(group.answers)  # others wait for them too
        except (NotSentError, LostError) as error:
            raise Transient(
                "rpc.unreachable", f"{self._transport.name} did not answer: {error}"
            ) from error
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
        seconds = self._timeouts.read_seconds
        return [
            answer for part in _parts(requests) for answer in await self._exchange(part, seconds)
        ]

    async def submit(self, requests: Sequence[Request]) -> list[Any]:
        """The results of requests that change something; at most `MAX_BATCH` of them.

        Raises:
            Transient: `rpc.unreachable`: no connection was made, nothing was sent.
            Ambiguous: `rpc.no_answer`: the node may have carried out any of them.
        """
        try:
            return await self._exchange(requests, self._timeouts.send_seconds)
        except NotSentError as error:
            raise Transient(
                "rpc.unreachable", f"{self._transport.name} was not reached: {error}"
            ) from error
        except LostError as error:
            raise Ambiguous(
                "rpc.no_answer", f"{self._transport.name} did not answer what was sent: {error}"
            ) from error

    async def _exchange(self, requests: Sequence[Request], seconds: float) -> list[Any]:
        body = orjson.dumps(
            [
                {"jsonrpc": "2.0", "id": index, "method": request.method, "params": request.params}
                for index, request in enumerate(requests)
            ]
        )
        return _answers(await self._transport.post(body, seconds), len(requests))


def fault_error(method: str, fault: Fault) -> HoldfastError:
    """The error that a fault of a reading request amounts to."""
    if fault.is_revert:
        reason = revert_reason(fault.data) if fault.data else fault.message
        return Rejected("rpc.reverted", f"{method} reverted: {reason}", reason=reason)
    if fault.code in {METHOD_NOT_FOUND, INVALID_PARAMS}:
        return Broken("rpc.unsupported", f"the node refuses {method}: {fault.message}")
    return Transient(
        "rpc.fault", f"{method} failed: {fault.message} ({fault.code})", fault_code=fault.code
    )


def _parts(requests: Sequence[Request]) -> list[Sequence[Request]]:
    return [requests[start : start + MAX_BATCH] for start in range(0, len(requests), MAX_BATCH)]


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
