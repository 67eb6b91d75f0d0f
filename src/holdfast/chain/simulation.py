"""A group of calls tried on top of one block before anything is signed.

With `eth_simulateV1` the calls run one after the other, each on the state the last one left. A node
without it gets each call alone at the block: then a success says only that the call works by
itself, and a failure nothing at all, since an earlier call of the group may be what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.chain.endpoint import Fault
from holdfast.chain.receipts import Json, parse_log
from holdfast.chain.reverts import revert_reason
from holdfast.common.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.evm import Address, EventLog
    from holdfast.model.leg import Call


_REFUSALS: Final = frozenset({-38_013, -38_014, -38_015, -38_024, -38_025, -32_003})
"""Codes for intrinsic gas, funds, block gas, sender and init code; -32003 is anvil's for funds."""
_REFUSAL_WORDS: Final = ("insufficient funds", "intrinsic gas", "upfront cost")


@dataclass(frozen=True, slots=True)
class SimCall:
    """One call of a group, as `sender` would send it with `gas_limit`."""

    sender: Address
    call: Call
    gas_limit: int


@dataclass(frozen=True, slots=True)
class SimResult:
    """What one call of the group did.

    `error` is the reason in words, empty when it worked. `is_sequential` says whether the calls
    before it were applied; where it is False, `gas_used` and `logs` are unknown (0 and empty).
    """

    ok: bool
    gas_used: int
    return_data: bytes
    error: str
    logs: tuple[EventLog, ...]
    is_sequential: bool = True


def simulate_params(steps: Sequence[SimCall], timestamp: int) -> dict[str, Any]:
    """The first parameter of `eth_simulateV1`: all calls in one block at `timestamp` seconds."""
    return of_blocks([simulated_block(steps, timestamp)])


def of_blocks(blocks: Sequence[Json]) -> dict[str, Any]:
    """The first parameter of `eth_simulateV1`: these blocks, one on top of the other.

    Source: Ethereum execution-apis, eth_simulateV1.
    """
    return {"blockStateCalls": [*blocks], "validation": False, "traceTransfers": False}


def simulated_block(steps: Sequence[SimCall], timestamp: int) -> Json:
    """One block of it, at `timestamp` seconds."""
    return {
        "blockOverrides": {"time": hex(timestamp)},
        "calls": [call_params(step) for step in steps],
    }


def call_params(step: SimCall) -> dict[str, str]:
    """The call object of one step."""
    return {
        "from": step.sender,
        "to": step.call.target,
        "gas": hex(step.gas_limit),
        "value": hex(step.call.value_wei),
        "input": "0x" + step.call.data.hex(),
    }


def parse_simulation(answer: Any, count: int) -> list[SimResult]:  # noqa: ANN401 - JSON
    """The results of `eth_simulateV1`, one for each of `count` calls.

    Raises:
        Broken: `chain.bad_answer` when there is not one result for each call.
    """
    try:
        calls = answer[0]["calls"]
        results = [_result(entry) for entry in calls]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Broken("chain.bad_answer", f"a malformed simulation: {error!r}") from error
    if len(results) != count:
        raise Broken("chain.bad_answer", f"{count} simulated calls got {len(results)} results")
    return results


def isolated_result(answer: Any) -> SimResult:  # noqa: ANN401 - JSON
    """The result of one call tried alone."""
    if not isinstance(answer, Fault):
        data = bytes.fromhex(answer[2:])
        return SimResult(
            ok=True, gas_used=0, return_data=data, error="", logs=(), is_sequential=False
        )
    return SimResult(
        ok=False,
        gas_used=0,
        return_data=answer.data,
        error=revert_reason(answer.data) if answer.data else answer.message,
        logs=(),
        is_sequential=False,
    )


def is_call_refusal(fault: Fault) -> bool:
    """Whether the node refused a group for what one call is, not for the block or the request.

    Source: Ethereum execution-apis, eth_simulateV1 error codes.
    """
    said = fault.message.lower()
    return fault.code in _REFUSALS or any(words in said for words in _REFUSAL_WORDS)


def refused(reason: str) -> SimResult:
    """The result of a call that the node would not run, as for lack of funds, or never reached."""
    return SimResult(ok=False, gas_used=0, return_data=b"", error=reason, logs=())


def _result(entry: Json) -> SimResult:
    data = bytes.fromhex(entry["returnData"][2:])
    ok = entry["status"] == "0x1"
    return SimResult(
        ok=ok,
        gas_used=int(entry["gasUsed"], 16),
        return_data=data,
        error="" if ok else _reason(entry, data),
        logs=tuple([parse_log(log) for log in entry["logs"]]),
    )


def _reason(entry: Json, data: bytes) -> str:
    """The revert's own reason, else the node's message (out of gas leaves no data)."""
    if data:
        return revert_reason(data)
    return str(entry.get("error", {}).get("message") or revert_reason(data))
