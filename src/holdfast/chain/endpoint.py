"""JSON-RPC to one endpoint: the wire format, and what is known when an exchange fails.

A request that only reads can be repeated, so its failure is `Transient`. One that sends may have
been carried out although no answer came, so its failure is `Ambiguous` once bytes went out.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

import orjson

from holdfast.chain.transport import LostError, NotSentError
from holdfast.common.errors import Ambiguous, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.chain.transport import Transport

REVERTED: Final = 3
"""The fault code of a reverted execution (geth, anvil)."""
METHOD_NOT_FOUND: Final = -32_601
INVALID_PARAMS: Final = -32_602

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
