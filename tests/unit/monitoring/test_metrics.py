"""The figures of monitoring: what they show, and what they no longer show."""

from prometheus_client import CollectorRegistry

from holdfast.common.alerts import Severity
from holdfast.monitoring.metrics import MonitoringMetrics
from holdfast.monitoring.model import ChoreState


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
