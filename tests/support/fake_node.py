"""A node made of answers: a transport that a test scripts, without a socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = dict[str, Any]


def result(value: Any) -> Answer:
    """The answer of a request that worked."""
    return {"result": value}


def error(code: int, message: str, data: str | None = None) -> Answer:
    """The answer of a request that did not."""
    fault: dict[str, Any] = {"code": code, "message": message}
    return {"error": fault if data is None else fault | {"data": data}}


class FakeTransport:
    """Answers each request by the function of its method, and keeps what was asked."""

    def __init__(self, **methods: Callable[..., Answer]) -> None:
        self.methods = methods
        self.asked: list[tuple[str, list[Any]]] = []
        self.exchanges = 0
        self.fails_with: Exception | None = None
        self.rewrite: Callable[[list[Any]], Any] = lambda entries: entries
        self.closed = False

    @property
    def name(self) -> str:
        return "http://node"

    async def post(self, body: bytes, timeout_seconds: float) -> bytes:
        self.exchanges += 1
        if self.fails_with is not None:
            raise self.fails_with
        entries = [self._answer(request) for request in json.loads(body)]
        return json.dumps(self.rewrite(entries)).encode()

    async def close(self) -> None:
        self.closed = True

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request["method"], request["params"]
        self.asked.append((method, params))
        handler = self.methods.get(method)
        answer = error(-32_601, "Method not found") if handler is None else handler(*params)
        return {"jsonrpc": "2.0", "id": request["id"], **answer}
