"""The figures of monitoring: what they show, and what they no longer show."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from holdfast.common.alerts import Severity
from holdfast.monitoring.metrics import MonitoringMetrics
from holdfast.monitoring.model import ChoreState
from holdfast.risk.trading import Setting, Source, TradingState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def shown():
    registry = CollectorRegistry()
    metrics = MonitoringMetrics(registry)
    return metrics, lambda name, **labels: registry.get_sample_value(f"holdfast_{name}", labels)


def test_the_lag_is_shown_while_the_listener_leads():
    metrics, value = shown()
    metrics.stopped(138)  # it never began
    assert value("events_lag_blocks", chain="138") is None
    metrics.behind(138, 7)
    assert value("events_lag_blocks", chain="138") == 7
    metrics.behind(138, -1)  # another node is behind our cursor
    assert value("events_lag_blocks", chain="138") == 0
    metrics.stopped(138)
    assert value("events_lag_blocks", chain="138") is None


def test_what_is_no_longer_open_is_zero():
    metrics, value = shown()
    metrics.counted({Severity.CRITICAL: 2}, {ChoreState.FAILED: 3})
    assert value("alerts_open", severity="critical") == 2
    assert value("alerts_open", severity="warning") == 0
    assert value("chores", state="failed") == 3
    metrics.counted({}, {ChoreState.PENDING: 1})
    assert value("alerts_open", severity="critical") == 0
    assert [value("chores", state=state) for state in ("pending", "failed")] == [1, 0]


def test_each_scope_shows_its_tightest_state():
    metrics, value = shown()

    def setting(scope, state, source=Source.PERSON):
        return Setting(scope, source, state, "why", "alice", since=NOON, seen_at=NOON)

    metrics.trades(
        [
            setting("desk", TradingState.ACTIVE),
            setting("chain:138", TradingState.ACTIVE),
            setting("chain:138", TradingState.REDUCING, Source.MONITOR),
            setting("bank:BANK001", TradingState.HALTED),
        ]
    )
    scopes = ("desk", "chain:138", "bank:BANK001")
    assert [value("trading_state", scope=scope) for scope in scopes] == [0, 1, 2]
    metrics.trades([setting("bank:BANK001", TradingState.ACTIVE)])
    assert value("trading_state", scope="bank:BANK001") == 0
