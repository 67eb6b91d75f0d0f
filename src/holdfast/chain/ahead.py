"""The chain as it would be after groups of calls that nobody sends.

A carrier in front of another. Whoever reads through it meets the newest block of a chain that has
the groups in it, a block each, and so needs to know nothing of simulation: what a deal would do
next can be asked of the very code that does it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from holdfast.chain.blocks import head_request
from holdfast.chain.endpoint import REVERTED, Fault, Request
from holdfast.chain.receipts import parse_head
from holdfast.chain.rpc import Rpc
from holdfast.chain.simulation import of_blocks, simulated_block
from holdfast.common.errors import Broken
from holdfast.common.evm import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.chain.receipts import Json
    from holdfast.chain.rpc import Carrier
    from holdfast.chain.simulation import SimCall

SECONDS: Final = 1
"""Between two of the blocks: as a trial reckons its own block, so that trial and block agree."""

Understood: TypeAlias = "Callable[[Any], Any]"
"""Makes the answer to what was asked from the answer to what was asked instead."""


class Ahead:
    """The chain of `carrier` at the block with the header `base`, and what was added to it."""

    def __init__(self, carrier: Carrier, base: Json) -> None:
        self._carrier = carrier
        self._base = base
        self._time = parse_head(base).ref.timestamp
        self._blocks: list[Json] = []
        self._sent: Counter[str] = Counter()

    @classmethod
    async def of(cls, carrier: Carrier) -> Self:
        """The chain of `carrier` at its newest block, with nothing added.

        Raises:
            Transient: when the chain does not answer.
        """
        (base,) = await Rpc(carrier).results(head_request("latest"))
        return cls(carrier, base)

    def add(self, steps: Sequence[SimCall]) -> None:
        """Mine the calls in a block of their own; whether they work is for `simulate` to tell."""
        self._time += SECONDS
        self._blocks.append(simulated_block(steps, self._time))
        self._sent.update(step.sender.lower() for step in steps)

    async def read(self, requests: Sequence[Request]) -> list[Any]:
        """See `Carrier`; of blocks, only the newest is that of the longer chain."""
        asked = [self._instead(request) for request in requests]
        answers = await self._carrier.read([request for request, _ in asked])
        return [
            answer if isinstance(answer, Fault) else understood(answer)
            for (_, understood), answer in zip(asked, answers, strict=True)
        ]

    async def submit(self, requests: Sequence[Request]) -> list[Any]:
        """Refuse: nothing is ever sent from here."""
        raise Broken("chain.ahead", f"a simulated chain takes no {requests[0].method}")

    async def check(self) -> None:
        """Have the other carrier look anew at who answers."""
        await self._carrier.check()

    async def close(self) -> None:
        """Leave the connections alone: they are the other carrier's."""

    def _instead(self, request: Request) -> tuple[Request, Understood]:
        method, params = request
        match method:
            case "eth_getBlockByNumber" if params[0] == "latest":
                # Asked for all the same: a base that is gone has no chain on top.
                return Request("eth_getBlockByHash", (self._base["hash"], False)), self._newest
            case "eth_call" if self._blocks:
                return self._simulation([*self._blocks[:-1], _joined(self._blocks[-1], params[0])])
            case "eth_simulateV1":
                return self._simulation(
                    [*self._blocks, *params[0]["blockStateCalls"]], self._own_blocks
                )
            case "eth_call" | "eth_getCode" | "eth_getTransactionCount":
                sent = self._sent[params[0].lower()] if method.endswith("Count") else 0
                return Request(method, (params[0], self._pin)), _plus(sent)
            case _:
                return request, _as_it_is

    def _simulation(
        self, blocks: Sequence[Json], understood: Understood | None = None
    ) -> tuple[Request, Understood]:
        params = (of_blocks(blocks), self._pin)
        return Request("eth_simulateV1", params), understood or _last_call

    def _newest(self, header: Json | None) -> Json | None:
        if header is None or not self._blocks:
            return header
        above = len(self._blocks)
        own_name = keccak256(f"{header['hash']} and {above} blocks".encode())
        return {
            **header,
            "number": hex(int(header["number"], 16) + above),
            "hash": "0x" + own_name.hex(),
            "parentHash": header["hash"],
            "timestamp": hex(self._time),
        }

    def _own_blocks(self, answer: list[Json]) -> list[Json]:
        return answer[len(self._blocks) :]

    @property
    def _pin(self) -> dict[str, str | bool]:
        return {"blockHash": self._base["hash"], "requireCanonical": True}


def _joined(block: Json, call: Json) -> Json:
    """The block with one more call: it reads what the calls before it left, at the same time."""
    return {**block, "calls": [*block["calls"], call]}


def _last_call(answer: list[Json]) -> str | Fault:
    """The last call's answer, as `eth_call` would give it."""
    call = answer[-1]["calls"][-1]
    data: str = call["returnData"]
    if call["status"] == "0x1":
        return data
    message = str(call.get("error", {}).get("message", "execution reverted"))
    return Fault(REVERTED, message, bytes.fromhex(data[2:]))


def _plus(sent: int) -> Understood:
    return (lambda answer: hex(int(answer, 16) + sent)) if sent else _as_it_is


def _as_it_is(answer: Any) -> Any:  # noqa: ANN401 - JSON
    return answer
