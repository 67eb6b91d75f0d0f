"""Puts together what plans deals, and what judges purchase lots that nobody has planned yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.planning.gatekeeper import Gatekeeper
from holdfast.planning.market import ChainMarket
from holdfast.planning.service import Planner

if TYPE_CHECKING:
    from holdfast.chain.node import Node
    from holdfast.planning.model import PlanPolicy
    from holdfast.planning.ports import OpenDeals, Standing, TrackRecord
    from holdfast.protocols.suite import Protocols


@dataclass(frozen=True, slots=True)
class Planning:
    """What both are made of, on one chain."""

    protocols: Protocols
    policy: PlanPolicy
    record: TrackRecord
    standing: Standing

    def planner(self, node: Node, open_deals: OpenDeals) -> Planner:
        """The planner that reads the market through `node`."""
        return Planner(
            ChainMarket(node, self.protocols),
            self.protocols,
            self.policy,
            self.record,
            open_deals=open_deals,
            standing=self.standing,
        )

    def gatekeeper(self, node: Node) -> Gatekeeper:
        """What judges lots at the newest block of `node`."""
        market = ChainMarket(node, self.protocols)
        return Gatekeeper(market, self.protocols, self.policy, self.record)
