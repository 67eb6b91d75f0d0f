"""The chain ahead of itself: observer and builder over groups of legs that nobody sends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.chain.ahead import Ahead
from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.sharing import Shared
from holdfast.chain.simulation import SimCall
from holdfast.execution.builder import LegBuilder
from holdfast.execution.errors import MoveRefused
from holdfast.execution.observer import ChainObserver
from holdfast.model.leg import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.profiles import ChainProfile
    from holdfast.chain.rpc import Carrier
    from holdfast.common.evm import Address
    from holdfast.execution.calls import DealTokens
    from holdfast.execution.model import Move
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg
    from holdfast.protocols.suite import Protocols
    from holdfast.risk.limits import RiskLimits

_TRIAL_GAS = 100_000


@dataclass(frozen=True, slots=True)
class ChainFuture:
    """The future of one chain, from one of its blocks on."""

    ahead: Ahead
    node: Node
    observer: ChainObserver
    builder: LegBuilder

    async def is_sequential(self, account: Address) -> bool:
        """Whether the node has `eth_simulateV1`; asked with a call that does nothing."""
        head = await self.node.head()
        nothing = SimCall(account, Call(account, b""), _TRIAL_GAS)
        (tried,) = await self.node.simulate([nothing], head.ref)
        return tried.is_sequential

    async def observe(self, deal: DealRecord) -> Seen:
        """See `Future`."""
        return await self.observer.observe(deal)

    async def build(self, deal: DealRecord, move: Move, seen: Seen) -> Sequence[Leg]:
        """See `Future`."""
        return await self.builder.build(deal, move, seen)

    async def apply(self, legs: Sequence[Leg], seen: Seen) -> None:
        """See `Future`; tried once more, now with the gas limits and amounts to be signed."""
        steps = [SimCall(leg.sender, leg.call, leg.gas_limit) for leg in legs]
        tried = await self.node.simulate(steps, seen.head.ref)
        for leg, result in zip(legs, tried, strict=True):
            if not result.ok:
                raise MoveRefused(leg.kind, result.error)
        self.ahead.add(steps)


@dataclass(frozen=True, slots=True)
class Futures:
    """Begins futures of one chain."""

    carrier: Carrier
    profile: ChainProfile
    protocols: Protocols
    tokens: DealTokens
    limits: RiskLimits

    async def begin(self, count: int = 1) -> list[ChainFuture]:
        """So many futures from the newest block on, apart from each other.

        What they ask at the same time shares exchanges.

        Raises:
            Transient: when the chain does not answer.
        """
        shared = Shared(self.carrier)
        # Asked at one time, so it is one request and one head for all.
        aheads = await asyncio.gather(*(Ahead.of(shared) for _ in range(count)))
        return [self._future(ahead) for ahead in aheads]

    def _future(self, ahead: Ahead) -> ChainFuture:
        node = Node(Rpc(ahead), self.profile)
        return ChainFuture(
            ahead=ahead,
            node=node,
            observer=ChainObserver(node, self.protocols, self.limits),
            builder=LegBuilder(node, self.protocols, self.tokens),
        )
