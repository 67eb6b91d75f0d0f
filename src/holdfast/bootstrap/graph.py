"""Builds the object graph: each part once, from the settings of one chain and one database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from holdfast.audit.service import AuditTrail
from holdfast.authorization.policy import Rule
from holdfast.authorization.service import Authorization
from holdfast.bootstrap.exits import Around, exit_checks_of
from holdfast.bootstrap.planning import Planning
from holdfast.bootstrap.reports import schedule_of
from holdfast.bootstrap.sending import Sending
from holdfast.bootstrap.settings import keys_of, limits_of
from holdfast.bootstrap.whole import System
from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.watch import Watch
from holdfast.common.crash import crash_boundary
from holdfast.common.queue import Queue
from holdfast.common.system_clock import SystemClock
from holdfast.execution.book import BookReader
from holdfast.execution.bookkeeping import Bookkeeping
from holdfast.execution.builder import LegBuilder
from holdfast.execution.calls import DealTokens
from holdfast.execution.desk import DealDesk, Treasury
from holdfast.execution.experience import Experience
from holdfast.execution.foresight import Foresight
from holdfast.execution.jobs import Sweep
from holdfast.execution.observer import ChainObserver
from holdfast.execution.open_book import OpenBook
from holdfast.execution.open_deals import OpenDeals
from holdfast.execution.packaging import EoaAccount
from holdfast.execution.patience import Patience
from holdfast.execution.recent_book import RecentBook
from holdfast.execution.service import Advance
from holdfast.execution.start_check import StartCheck
from holdfast.execution.store.deals import DealStore
from holdfast.execution.stress_book import StressBook
from holdfast.execution.waiting import TradingWaits
from holdfast.ledger.model import TokenBook
from holdfast.monitoring.metrics import Counting, MonitoringMetrics
from holdfast.monitoring.store import history
from holdfast.monitoring.targets import targets
from holdfast.monitoring.wiring import (
    ChainParts,
    Watching,
    listener_of,
    monitor_of,
    notices_of,
)
from holdfast.planning.model import PlanPolicy
from holdfast.protocols.registry import protocols
from holdfast.reporting.price_file import daily_prices
from holdfast.reporting.scheduled import DailyReport, StressRun
from holdfast.reporting.service import DealReporter
from holdfast.risk.market_reader import MarketReader
from holdfast.risk.service import DynamicLimits
from holdfast.risk.switch import KillSwitch
from holdfast.signing.hd import FLOAT_INDEX
from holdfast.transactions.metrics import TransactionMetrics
from holdfast.transactions.service import Transactions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

    from holdfast.chain.pool import Pool
    from holdfast.chain.profiles import ChainProfile
    from holdfast.common.db import Database
    from holdfast.common.notify import Signal
    from holdfast.config import Settings
    from holdfast.execution.ports import Observer
    from holdfast.monitoring.listener import Listener
    from holdfast.monitoring.monitor import Monitor
    from holdfast.monitoring.tick_watch import TickWatch

_DEVNET_PATIENCE_BLOCK_SECONDS = 0.2
"""Where each transaction is mined at once, the next look need not wait for a block."""


class Graph:
    """Puts the parts of one system together, each made once."""

    def __init__(
        self,
        settings: Settings,
        profile: ChainProfile,
        url: str,
        db: Database,
        *,
        metrics: CollectorRegistry,
    ) -> None:
        self._settings, self._profile, self._url, self._db = settings, profile, url, db
        self._clock = SystemClock()
        self._metrics = metrics
        self._figures = MonitoringMetrics(metrics)
        self._limits = limits_of(settings, profile)
        self._experience = Experience(db, profile.chain_id)
        self._keys = keys_of(settings, profile)
        self._protocols = protocols(profile)
        self._deals = DealStore()
        self._boundary = crash_boundary(settings.crash_at, is_devnet=profile.is_devnet)
        self._queue = Queue(url, self._boundary)
        reached = targets(settings.alert_urls, settings.alert_severity)
        self._notices = notices_of(url, db, reached, self._boundary)
        self._audit = AuditTrail(self._clock)
        self._switch = KillSwitch(
            self._audit, self._notices.alerts, self._clock, TradingWaits(self._queue)
        )
        self._authorization = Authorization(Rule())
        self._tokens = TokenBook(profile.native, profile.weth, profile.usdt, profile.usdtz)
        self._books = Bookkeeping(self._deals, self._tokens)
        self._sending = Sending(
            timeout_seconds=settings.transaction_timeout_seconds,
            profile=profile,
            url=url,
            db=db,
            keys=self._keys,
            deals=self._deals,
            books=self._books,
            audit=self._audit,
            queue=self._queue,
            alarm=self._notices.alerts,
            clock=self._clock,
            boundary=self._boundary,
            metrics=TransactionMetrics(metrics),
        )
        history = partial(daily_prices, settings.price_history)
        alarm = self._notices.alerts
        self._dynamic = DynamicLimits(profile.chain_id, self._limits, alarm, history)
        self._standing = OpenBook(db, self._dynamic, self._clock)
        policy = PlanPolicy(limits=self._limits)
        self._planning = Planning(self._protocols, policy, self._experience, self._standing)

    def system(self, pool: Pool, signals: Sequence[Signal]) -> System:
        """The finished graph."""
        node = Node(Rpc(pool), self._profile)
        observer = ChainObserver(node, self._protocols, self._limits)
        book, anew, recent = self._books_of_deals(node, observer)
        monitor, tick_watch = self._monitor(node, book)
        stress_run = StressRun(anew, self._profile.chain_id, self._clock, self._limits)
        settings, notices = self._settings, self._notices
        return System(
            settings=settings,
            profile=self._profile,
            database_url=self._url,
            db=self._db,
            pool=pool,
            node=node,
            watch=Watch(self._profile.chain_id, pool, self._notices, self._clock),
            limits=self._limits,
            market=MarketReader(node, self._protocols, self._clock),
            dynamic=self._dynamic,
            desk=self._desk(node, recent),
            gatekeeper=self._planning.gatekeeper(node),
            reporter=self._reporter(node, observer),
            advance=self._advance(node, StartCheck(observer, anew, recent, self._limits)),
            queue=self._queue,
            sweep=self._sweep(),
            chain_loops=self._sending.loops(node, signals),
            inbox=self._sending.inbox(node),
            listener=self._listener(node),
            book=book,
            stress_book=anew,
            monitor=monitor,
            tick_watch=tick_watch,
            exit_checks=exit_checks_of(
                self._url, pool, node, Around(self._deals, notices, self._metrics, settings)
            ),
            notices=notices,
            switch=self._switch,
            reports=schedule_of(notices, self._daily(), stress_run),
            stress_run=stress_run,
            counting=Counting(self._db, self._figures, self._clock),
            metrics=self._metrics,
        )

    def _reporter(self, node: Node, observer: ChainObserver) -> DealReporter:
        return DealReporter(
            db=self._db,
            deals=self._deals,
            observer=observer,
            node=node,
            protocols=self._protocols,
            books=self._books,
            tokens=self._tokens,
            limits=self._limits,
            trading=self._switch,
        )

    def _sweep(self) -> Sweep:
        return Sweep(
            db=self._db,
            deals=self._deals,
            wakes=self._queue,
            clock=self._clock,
            sleeper=self._clock,
            seconds=self._settings.sweep_seconds,
            at=self._boundary,
        )

    def _desk(self, node: Node, stress_book: StressBook) -> DealDesk:
        return DealDesk(
            db=self._db,
            deals=self._deals,
            planner=self._planning.planner(node, stress_book),
            keys=self._keys,
            authorization=self._authorization,
            trading=self._switch,
            audit=self._audit,
            wakes=self._queue,
            groups=Transactions(self._keys),
            clock=self._clock,
            treasury=Treasury.of(self._profile),
            book=self._standing,
            at=self._boundary,
            alarm=self._notices.alerts,
        )

    def _advance(self, node: Node, observer: Observer) -> Advance:
        book, alarm = self._tokens, self._notices.alerts
        transactions = self._sending.transactions()
        tokens = DealTokens(book.native, book.weth, book.usdt, book.usdtz)
        block = self._profile.block_time_seconds or _DEVNET_PATIENCE_BLOCK_SECONDS
        return Advance(
            db=self._db,
            deals=self._deals,
            transactions=transactions,
            account=EoaAccount(
                transactions=transactions,
                keys=self._keys,
                float_key=self._keys.ref(FLOAT_INDEX),
                depths=self._profile.depths,
            ),
            observer=observer,
            builder=LegBuilder(node, self._protocols, tokens),
            books=self._books,
            authorization=self._authorization,
            trading=self._switch,
            audit=self._audit,
            clock=self._clock,
            foresight=Foresight(self._standing, self._experience, self._protocols.desk.address),
            patience=Patience(block=block, holding=self._settings.holding_check_seconds),
            at=self._boundary,
            alarm=alarm,
        )

    def _daily(self) -> DailyReport:
        prices = self._settings.price_history
        return DailyReport(
            self._db, self._audit, self._clock, self._limits, history, price_history=prices
        )

    def _books_of_deals(
        self, node: Node, observer: ChainObserver
    ) -> tuple[BookReader, StressBook, StressBook]:
        """The open deals: as they stand, under stress read anew, and with what is at hand."""
        deals = OpenDeals(self._db, self._deals, self._tokens, self._profile.chain_id)
        book = BookReader(deals, node, observer, self._limits)
        recent = RecentBook(book, deals, observer, self._limits)
        return (
            book,
            StressBook(book, node, self._protocols),
            StressBook(recent, node, self._protocols),
        )

    def _monitor(self, node: Node, book: BookReader) -> tuple[Monitor, TickWatch]:
        watching = Watching(
            node=node,
            protocols=self._protocols,
            books=book,
            limits=self._limits,
            dynamic=self._dynamic,
            wakes=self._queue,
            switch=self._switch,
            notices=self._notices,
            registry=self._metrics,
        )
        return monitor_of(self._url, watching)

    def _listener(self, node: Node) -> Listener:
        parts = ChainParts(
            node=node,
            protocols=self._protocols,
            own=self._sending.transactions(),
            deals=self._deals,
            clock=self._clock,
            notices=self._notices,
            metrics=self._figures,
            boundary=self._boundary,
        )
        return listener_of(self._url, parts)
