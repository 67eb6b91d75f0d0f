"""The books of monitoring made of plain values; each keeps what was written in it."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from holdfast.common.alerts import Severity
from holdfast.monitoring.model import Attempt, Chore, ChoreState
from holdfast.monitoring.records import DeliveryState, KeptAlert

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)


def kept(alert_id=1, severity=Severity.WARNING, reached=()):
    """An alert as it is kept, and as nobody has seen it yet."""
    return KeptAlert(
        alert_id=alert_id,
        code="core.fell",
        severity=severity,
        subject="0xcore",
        text="the core balance fell",
        fields={},
        chain_id=None,
        deal_id=None,
        bank_id=None,
        count=1,
        opened_at=NOW,
        last_seen_at=NOW,
        acknowledged_by=None,
        acknowledged_at=None,
        resolved_at=None,
        reached=frozenset(reached),
        delivery=DeliveryState.PENDING,
        error=None,
    )


class Db:
    """Transactions whose number is their session; `rolled_back` are those that failed."""

    def __init__(self):
        self.begun = 0
        self.rolled_back = []

    @contextlib.asynccontextmanager
    async def begin(self):
        self.begun += 1
        session = self.begun
        try:
            yield session
        except BaseException:
            self.rolled_back.append(session)
            raise


class AlertRows:
    """Alerts by number; those in `told` are on their way already."""

    def __init__(self, *alerts, told=()):
        self.rows = {one.alert_id: one for one in alerts}
        self.told = set(told)
        self.put_in_order = []
        self.noted = []
        self.ended = []

    async def put(self, session, alert):
        self.put_in_order.append((alert.code, alert.subject))
        return None if alert.subject in self.told else len(self.put_in_order)

    async def load(self, session, alert_id):
        return self.rows.get(alert_id)

    async def recent(self, session, *, with_closed, limit):
        rows = self.rows.values()
        return [one for one in rows if with_closed or one.acknowledged_by is None][:limit]

    async def resolve(self, session, ended):
        self.ended.append((ended.codes, ended.subject))

    async def acknowledge(self, session, alert_id, by):
        row = self.rows.get(alert_id)
        is_open = row is not None and row.acknowledged_by is None
        if is_open:
            self.rows[alert_id] = replace(row, acknowledged_by=by)
        return is_open

    async def note_reached(self, session, alert, reached, *, is_all):
        self.noted.append((alert.alert_id, sorted(reached), is_all))


class Records:
    """The rows of deals and the audit: what was locked, and what was recorded."""

    def __init__(self):
        self.locked = []
        self.acts = []

    async def lock_row(self, session, deal_id):
        self.locked.append(deal_id)

    async def lock_desk(self, session):
        self.locked.append("desk")

    async def record(self, session, act):
        self.acts.append(act)


class ChoreRows:
    """Chores with how often each was tried; `asked_again` are those asked for meanwhile."""

    def __init__(self, **tried):
        self.tried = dict(tried)
        self.asked_again = set()
        self.late = []
        self.done = []

    async def put(self, session, kind, subject):
        self.done.append(("put", session, kind, subject))

    async def find(self, session, kind, subject):
        if kind not in self.tried:
            return None
        return Chore(kind, subject, ChoreState.FAILED, self.tried[kind], NOW, "no", NOW)

    async def listed(self, session, limit):
        return [await self.find(session, kind, "1") for kind in self.tried][:limit]

    async def due(self, session, kind, subject):
        return self.tried.get(kind)

    async def take(self, session, kind, subject, pause_seconds):
        self.tried[kind] += 1
        self.done.append(("take", round(pause_seconds, 3)))
        return Attempt(kind, subject, self.tried[kind], LATER)

    async def end(self, session, attempt):
        self.done.append(("end", attempt.number))

    async def fail(self, session, attempt, error, state):
        self.done.append(("fail", attempt.number, error, state))
        return attempt.kind not in self.asked_again

    async def give_up(self, session, kind, subject):
        self.done.append(("give_up", kind, subject))

    async def overdue(self, session, late_seconds, limit):
        return self.late[:limit]


class Bell:
    """Every word to the workers, with the session that it belongs to."""

    def __init__(self):
        self.rung = []

    async def ring(self, session, kind, subject, *, at=None):
        self.rung.append((session, kind, subject, at))
