"""The devnet's own plain JSON-RPC: one blocking request at a time, to a node on this machine."""

from __future__ import annotations

import http.client
import json
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from eth_abi.abi import decode, encode

from holdfast.chain.abi import selector
from holdfast.common.errors import Rejected, Transient

if TYPE_CHECKING:
    from holdfast.common.evm import Address

_TIMEOUT_SECONDS = 60  # deployments and long mines answer late on a busy machine


class NodeRpc:
    """JSON-RPC to one node; safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 8545
        self._ids = count(1)

    def call(self, method: str, *params: object) -> Any:  # noqa: ANN401 - JSON is any shape
        """The result of one method.

        Raises:
            Transient: `devnet.unreachable` when the node does not answer.
            Rejected: `devnet.rpc` when it answers with an error.
        """
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        answer = self._post(json.dumps(request).encode())
        if "error" in answer:
            error = answer["error"]
            raise Rejected(
                "devnet.rpc",
                f"{method}: {error.get('message', error)}",
                rpc_code=error.get("code"),
                data=error.get("data"),
            )
        return answer["result"]

    def block(self, tag: str = "latest") -> dict[str, Any]:
        """The header of a block; raises as `call` does."""
        header: dict[str, Any] = self.call("eth_getBlockByNumber", tag, False)  # noqa: FBT003
        return header

    def view(self, target: Address, signature: str, returns: str, *args: object) -> Any:  # noqa: ANN401
        """What a view function returns now: one value, or a tuple of several.

        Args:
            target: the contract.
            signature: such as `balanceOf(address)`.
            returns: the types, such as `uint256` or `bool,address`.
            args: the function's arguments.
        """
        data = calldata(signature, *args).hex()
        raw: str = self.call("eth_call", {"to": target, "data": f"0x{data}"}, "latest")
        values = decode(returns.split(","), bytes.fromhex(raw[2:]))
        return values[0] if len(values) == 1 else values

    def _post(self, body: bytes) -> Any:  # noqa: ANN401
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException) as error:
            raise Transient(
                "devnet.unreachable",
                f"the devnet does not answer at {self.url}: start it with `holdfast devnet up`",
            ) from error
        finally:
            connection.close()


def calldata(signature: str, *args: object) -> bytes:
    """The call of a function: its selector and encoded arguments.

    Args:
        signature: canonical, such as `transfer(address,uint256)`; structs as tuples.
        args: the arguments; structs as tuples.
    """
    return selector(signature) + arguments(signature, *args)


def arguments(signature: str, *args: object) -> bytes:
    """The encoded arguments alone, as a constructor takes them."""
    return encode(_types(signature[signature.index("(") + 1 : -1]), args)


def _types(written: str) -> list[str]:
    """The types in a list of them; the commas inside a struct's parentheses do not part it."""
    types: list[str] = []
    depth = start = 0
    for end, character in enumerate(f"{written},"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0 and end > start:
            types.append(written[start:end])
            start = end + 1
    return types
