"""Runs a group of calls on top of one block without sending anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.chain.endpoint import METHOD_NOT_FOUND, Fault, Request
from holdfast.chain.pins import pinned, pinned_error
from holdfast.chain.simulation import (
    SimCall,
    SimResult,
    call_params,
    is_call_refusal,
    isolated_result,
    parse_simulation,
    refused,
    simulate_params,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.rpc import Rpc
    from holdfast.common.evm import BlockRef


class Simulator:
    """Simulation through `rpc`; learns once whether the node has `eth_simulateV1`."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._runs_groups = True

    async def simulate(
        self, steps: Sequence[SimCall], at: BlockRef, timestamp: int
    ) -> list[SimResult]:
        """What each call would do in a block at `timestamp` after `at`; see `Node.simulate`."""
        if not self._runs_groups:
            return await self._each_alone(steps, at)
        (answer,) = await self._grouped([steps], at, timestamp)
        if not isinstance(answer, Fault):
            return parse_simulation(answer, len(steps))
        if answer.code == METHOD_NOT_FOUND:
            self._runs_groups = False
            return await self._each_alone(steps, at)
        if is_call_refusal(answer):
            return await self._until_refused(steps, at, timestamp)
        raise pinned_error("eth_simulateV1", answer, at)

    async def _grouped(
        self, groups: Sequence[Sequence[SimCall]], at: BlockRef, timestamp: int
    ) -> list[Any]:
        where = pinned(at)
        return await self._rpc.batch(
            [
                Request("eth_simulateV1", (simulate_params(group, timestamp), where))
                for group in groups
            ]
        )

    async def _until_refused(
        self, steps: Sequence[SimCall], at: BlockRef, timestamp: int
    ) -> list[SimResult]:
        """Find the call for which the node refused the group: the first bad prefix ends with it."""
        prefixes = [steps[: end + 1] for end in range(len(steps))]
        done: list[SimResult] = []
        for answer in await self._grouped(prefixes, at, timestamp):
            if not isinstance(answer, Fault):
                done = parse_simulation(answer, len(done) + 1)
                continue
            if not is_call_refusal(answer):
                raise pinned_error("eth_simulateV1", answer, at)
            rest = len(steps) - len(done) - 1
            return [
                *done,
                refused(answer.message),
                *[refused("an earlier call was refused")] * rest,
            ]
        return done

    async def _each_alone(self, steps: Sequence[SimCall], at: BlockRef) -> list[SimResult]:
        where = pinned(at)
        requests = [Request("eth_call", (call_params(step), where)) for step in steps]
        return [isolated_result(answer) for answer in await self._rpc.batch(requests)]
