"""Turns a move into legs that were tried on the observed block and lie inside the envelope."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from holdfast.chain.simulation import SimCall
from holdfast.common.money import TokenAmount
from holdfast.execution.calls import DealCalls, DealTokens
from holdfast.execution.envelope import require_inside
from holdfast.execution.errors import MoveRefused
from holdfast.execution.moves import ALONE, legs_of
from holdfast.execution.task import Task
from holdfast.model.leg import LegKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.node import Node
    from holdfast.chain.simulation import SimResult
    from holdfast.execution.model import Move
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Call, Leg
    from holdfast.protocols.suite import Protocols

TRIAL_GAS: Final = 3_000_000
"""More than any leg needs, so that the trial tells what it really uses."""

GAS_ROOM_PERCENT: Final = 160
"""Refunds hide up to a fifth of the gas a call needs while it runs (EIP-3529: x 1.25), and state
moves between trial and block; exact estimates made legs revert in every run of the peers."""

GAS_ROOM: Final = 20_000


@dataclass(frozen=True, slots=True)
class LegBuilder:
    """Builds, simulates and bounds the legs of one chain's deals."""

    node: Node
    protocols: Protocols
    tokens: DealTokens

    async def build(self, deal: DealRecord, move: Move, seen: Seen) -> Sequence[Leg]:
        """The legs of `move`, ready to be signed.

        Raises:
            MoveRefused: when a leg would fail at the observed block, or no longer fits the plan;
                a leg that no other rests on is left out instead, unless all of them would fail.
        """
        task = Task(deal, seen, DealCalls(self.protocols, self.tokens, deal.plan.accounts))
        legs = await legs_of(self.node, task, move)
        require_inside(deal.plan.envelope, deal, legs)
        tried = await self.node.simulate(
            [SimCall(leg.sender, _trial(leg), TRIAL_GAS) for leg in legs], seen.head.ref
        )
        works = _working(list(zip(legs, tried, strict=True)))
        return [self._limited(leg, result.gas_used, seen) for leg, result in works]

    def _limited(self, leg: Leg, gas_used: int, seen: Seen) -> Leg:
        if leg.kind is not LegKind.RETURN_NATIVE:
            limit = gas_used * GAS_ROOM_PERCENT // 100 + GAS_ROOM
            return replace(leg, gas_limit=limit)
        # A sweep pays its whole gas limit, so the limit is exactly what the trial used.
        wei = leg.call.value_wei - gas_used * seen.fees.cap_wei
        if wei <= 0:
            raise MoveRefused(leg.kind, "less is left than its own gas costs", code="leg.dust")
        amount = TokenAmount(self.tokens.native, wei)
        return replace(
            leg,
            call=replace(leg.call, value_wei=wei),
            amount=amount,
            label=f"return native {amount}",
            gas_limit=gas_used,
        )


def _working(tried: Sequence[tuple[Leg, SimResult]]) -> list[tuple[Leg, SimResult]]:
    """The legs to send: all, or all but those that would fail and that no other rests on (I7).

    Leaving them out is what their reverting would be, and every subset of a group is allowed.
    """
    works = [(leg, result) for leg, result in tried if result.ok]
    failing = [(leg, result) for leg, result in tried if not result.ok]
    vital = [(leg, result) for leg, result in failing if leg.kind not in ALONE]
    if vital or (failing and not works):
        leg, result = (vital or failing)[0]
        raise MoveRefused(leg.kind, result.error)
    return works


def _trial(leg: Leg) -> Call:
    """The call as it is tried: a sweep without value, as what it may carry depends on its gas."""
    return replace(leg.call, value_wei=0) if leg.kind is LegKind.RETURN_NATIVE else leg.call
