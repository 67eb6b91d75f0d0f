"""Puts the parts of monitoring together; called by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.common.alerts import Alert, Ended
from holdfast.common.boundary import Boundary, unobserved
from holdfast.common.leader import LeaderLock
from holdfast.common.queue import ChoreQueue
from holdfast.common.system_clock import SystemClock
from holdfast.monitoring.alarm import alerts_of
from holdfast.monitoring.alerts import Delivery
from holdfast.monitoring.chores import ChoreRunner, Chores
from holdfast.monitoring.ether import EtherWatch
from holdfast.monitoring.hearing import Parts
from holdfast.monitoring.listener import Listener
from holdfast.monitoring.monitor import Monitor
from holdfast.monitoring.risk_metrics import RiskMetrics
from holdfast.monitoring.store.alerts import DELIVERY
from holdfast.monitoring.tick_watch import TickWatch
from holdfast.monitoring.ticker import Parts as TickerParts
from holdfast.monitoring.venues import Venues
from holdfast.monitoring.watchlist import Watchlist
from holdfast.risk.market_reader import MarketReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

    from holdfast.chain.node import Node
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database
    from holdfast.execution.book import BookReader
    from holdfast.execution.ports import Wakes
    from holdfast.execution.store.deals import DealStore
    from holdfast.monitoring.alerts import Alerts
    from holdfast.monitoring.chores import Work
    from holdfast.monitoring.metrics import MonitoringMetrics
    from holdfast.monitoring.ports import OwnTransactions, Target
    from holdfast.protocols.suite import Protocols
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.service import DynamicLimits
    from holdfast.risk.switch import KillSwitch


@dataclass(frozen=True, slots=True)
class Notices:
    """Alerts and chores: all that works without a node."""

    db: Database
    alerts: Alerts
    chores: Chores
    chore_queue: ChoreQueue
    chore_runner: ChoreRunner
    works: dict[str, Work]

    async def tell(self, *news: Alert | Ended) -> None:
        """Raise alerts, or close those that ended, in a transaction of their own."""
        async with self.db.begin() as session:
            await self.alerts.ended(session, *(one for one in news if isinstance(one, Ended)))
            await self.alerts.raised(session, *(one for one in news if isinstance(one, Alert)))

    def does(self, kind: str, work: Work) -> None:
        """Have chores of that kind done by `work`; called while the system is put together."""
        self.works[kind] = work

    async def do_chores(self) -> None:
        """Do chores until cancelled; raises as `ChoreQueue.run`."""
        await self.chore_queue.run(self.chore_runner)


def notices_of(
    url: str, db: Database, targets: Sequence[Target], boundary: Boundary = unobserved
) -> Notices:
    """Alerts and chores in the database `db` at `url`."""
    queue = ChoreQueue(url)
    chores = Chores(queue)
    alerts = alerts_of(chores)
    works: dict[str, Work] = {DELIVERY: Delivery(db, targets)}
    runner = ChoreRunner(db, queue, works, at=boundary)
    return Notices(db, alerts, chores, queue, runner, works)


@dataclass(frozen=True, slots=True)
class ChainParts:
    """What the listener of one chain is made of."""

    node: Node
    protocols: Protocols
    own: OwnTransactions
    deals: DealStore
    clock: Clock
    notices: Notices
    metrics: MonitoringMetrics
    boundary: Boundary = unobserved


def listener_of(url: str, parts: ChainParts) -> Listener:
    """The listener of the chain of `parts`, led through the database at `url`."""
    node, profile = parts.node, parts.node.profile
    chain_id = profile.chain_id
    made = Parts(
        chain_id=chain_id,
        chain=node,
        db=parts.notices.db,
        venues=Venues(node, parts.protocols),
        watchlist=Watchlist(chain_id, profile.require_accounts(), parts.clock),
        own=parts.own,
        ether=EtherWatch(node, chain_id, parts.own, parts.deals),
        alarm=parts.notices.alerts,
        metrics=parts.metrics,
        at=parts.boundary,
    )
    return Listener(made, LeaderLock(url, f"events:{chain_id}"))


@dataclass(frozen=True, slots=True)
class Watching:
    """What the risk monitor of one chain is made of."""

    node: Node
    protocols: Protocols
    books: BookReader
    limits: RiskLimits
    dynamic: DynamicLimits
    wakes: Wakes
    switch: KillSwitch
    notices: Notices
    registry: CollectorRegistry


def monitor_of(url: str, watching: Watching) -> tuple[Monitor, TickWatch]:
    """The monitor of a chain, led through the database at `url`, and what watches over it."""
    node, notices, clock = watching.node, watching.notices, SystemClock()
    chain_id = node.profile.chain_id
    lead = LeaderLock(url, f"risk:{chain_id}")
    parts = TickerParts(
        chain_id=chain_id,
        db=notices.db,
        books=watching.books,
        markets=MarketReader(node, watching.protocols, clock),
        limits=watching.limits,
        dynamic=watching.dynamic,
        alarm=notices.alerts,
        wakes=watching.wakes,
        switch=watching.switch,
        clock=clock,
        fence=lead.lease,
        metrics=RiskMetrics(watching.registry),
    )
    watch = TickWatch(
        db=notices.db,
        chain_id=chain_id,
        alarm=notices.alerts,
        clock=clock,
        switch=watching.switch,
    )
    return Monitor(parts, lead, clock), watch
