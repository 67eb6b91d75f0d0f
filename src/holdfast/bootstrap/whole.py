"""What the composition root hands to entry points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from holdfast.chain.node import Node
    from holdfast.chain.pool import Pool
    from holdfast.chain.profiles import ChainProfile
    from holdfast.chain.watch import Watch
    from holdfast.common.db import Database
    from holdfast.common.queue import Queue
    from holdfast.config import Settings
    from holdfast.execution.book import BookReader
    from holdfast.execution.desk import DealDesk
    from holdfast.execution.jobs import Sweep
    from holdfast.execution.service import Advance
    from holdfast.execution.stress_book import StressBook
    from holdfast.monitoring.exits import ExitChecks
    from holdfast.monitoring.listener import Listener
    from holdfast.monitoring.metrics import Counting
    from holdfast.monitoring.monitor import Monitor
    from holdfast.monitoring.tick_watch import TickWatch
    from holdfast.monitoring.wiring import Notices
    from holdfast.planning.gatekeeper import Gatekeeper
    from holdfast.reporting.schedule import Schedule
    from holdfast.reporting.scheduled import StressRun
    from holdfast.reporting.service import DealReporter
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.market_reader import MarketReader
    from holdfast.risk.service import DynamicLimits
    from holdfast.risk.switch import KillSwitch
    from holdfast.transactions.inbox import Inbox
    from holdfast.transactions.loop import ChainLoop


@dataclass(frozen=True, slots=True)
class System:
    """Everything that an entry point may use, built for one chain and one database."""

    settings: Settings
    profile: ChainProfile
    database_url: str
    db: Database
    pool: Pool
    node: Node
    watch: Watch
    limits: RiskLimits
    market: MarketReader
    dynamic: DynamicLimits
    desk: DealDesk
    gatekeeper: Gatekeeper
    reporter: DealReporter
    advance: Advance
    queue: Queue
    sweep: Sweep
    chain_loops: tuple[ChainLoop, ...]
    inbox: Inbox
    listener: Listener
    book: BookReader
    stress_book: StressBook
    monitor: Monitor
    tick_watch: TickWatch
    exit_checks: ExitChecks
    notices: Notices
    switch: KillSwitch
    reports: Schedule
    stress_run: StressRun
    counting: Counting
    metrics: CollectorRegistry
