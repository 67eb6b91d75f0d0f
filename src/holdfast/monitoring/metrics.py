"""How far the listener is, what is open and what is left to do, as figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge

from holdfast.common.alerts import Severity
from holdfast.common.retry import patiently
from holdfast.monitoring.model import ChoreState
from holdfast.monitoring.store import alerts as alert_store
from holdfast.monitoring.store import chores as chore_store
from holdfast.risk.store import trading as trading_store
from holdfast.risk.trading import in_force

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.clock import Sleeper
    from holdfast.common.db import Database
    from holdfast.common.ids import ChainId
    from holdfast.risk.trading import Setting

COUNT_SECONDS: Final = 15.0
"""Between two counts of what all workers share: a monitoring system asks no more often."""


class MonitoringMetrics:
    """The figures of one process, in `registry`; the lag is shown by the listener that leads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag = Gauge(
            "holdfast_events_lag_blocks",
            "Blocks between the chain's head and what the listener has read.",
            ("chain",),
            registry=registry,
        )
        self.alerts = Gauge(
            "holdfast_alerts_open", "Alerts that are open.", ("severity",), registry=registry
        )
        self.chores = Gauge(
            "holdfast_chores",
            "Chores waiting (pending) or given up.",
            ("state",),
            registry=registry,
        )

        self.trading = Gauge(
            "holdfast_trading_state",
            "What may be done: 0 everything (active), 1 nothing new (reducing), 2 halted.",
            ("scope",),
            registry=registry,
        )

    @classmethod
    def unread(cls) -> MonitoringMetrics:
        """Figures that nobody reads, for where there is no registry."""
        return cls(CollectorRegistry())

    def behind(self, chain_id: ChainId, blocks: int) -> None:
        """Show how far the listener is behind the head."""
        self.lag.labels(str(chain_id)).set(max(0, blocks))

    def stopped(self, chain_id: ChainId) -> None:
        """Show no lag any more: somebody else leads."""
        self.lag.remove_by_labels({"chain": str(chain_id)})

    def counted(self, alerts: Mapping[Severity, int], chores: Mapping[ChoreState, int]) -> None:
        """Show how much is open; what is not counted is 0."""
        for severity in Severity:
            self.alerts.labels(str(severity)).set(alerts.get(severity, 0))
        for state in ChoreState:
            self.chores.labels(str(state)).set(chores.get(state, 0))

    def trades(self, settings: Sequence[Setting]) -> None:
        """Show the state of each scope, a person's or the monitor's, whichever is tighter."""
        for scope in {one.scope for one in settings}:
            state = in_force([one for one in settings if one.scope == scope]).state
            self.trading.labels(scope).set(state.rank)


@dataclass(frozen=True, slots=True)
class Counting:
    """Counts what is open in the database, which all workers share, for this process's figures."""

    db: Database
    metrics: MonitoringMetrics
    sleeper: Sleeper

    async def run(self) -> None:
        """Count until cancelled; a database that is away is asked again."""
        while True:
            await patiently(self.once)
            await self.sleeper.sleep(COUNT_SECONDS)

    async def once(self) -> None:
        """Count now."""
        async with self.db.begin() as session:
            alerts = await alert_store.count_open(session)
            chores = await chore_store.count(session)
            settings = await trading_store.settings(session)
        self.metrics.counted(alerts, chores)
        self.metrics.trades(settings)
