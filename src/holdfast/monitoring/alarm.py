"""Makes what raises alerts; apart from the other wiring, as the kill switch needs it alone."""

from holdfast.audit.service import AuditTrail
from holdfast.common.queue import ChoreQueue
from holdfast.common.system_clock import SystemClock
from holdfast.execution.store.deals import DealStore
from holdfast.monitoring.alerts import Alerts
from holdfast.monitoring.chores import Chores


def alerts_of(chores: Chores) -> Alerts:
    """What raises alerts, whose deliveries are `chores`."""
    return Alerts(chores, AuditTrail(SystemClock()), DealStore())


def alerts_at(url: str) -> Alerts:
    """The same for the database at `url`, where another process delivers them."""
    return alerts_of(Chores(ChoreQueue(url)))
