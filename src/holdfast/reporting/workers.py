"""What somebody on call asks first: who leads, what waits, what is late."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from holdfast.common.queue import depths
from holdfast.common.store import leads

if TYPE_CHECKING:
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database
    from holdfast.common.queue import Depth
    from holdfast.common.store import Lead
    from holdfast.execution.store.deals import DealStore


class WorkersReporter:
    """Reads the database alone, so it answers also when no node does and no worker runs."""

    def __init__(self, db: Database, deals: DealStore, clock: Clock) -> None:
        self._db = db
        self._deals = deals
        self._clock = clock

    async def report(self) -> dict[str, Any]:
        """Leads, queues and overdue deals as of now.

        Raises:
            Transient: `database.unavailable`.
        """
        now = self._clock.now()
        async with self._db.begin() as session:
            led, queued = await leads(session), await depths(session, now)
            overdue, since = await self._deals.overdue(session, now)
        late = 0.0 if since is None else (now - since).total_seconds()
        return {
            "leads": [_lead(each) for each in led],
            "queues": [_queue(each) for each in queued],
            "deals": {"overdue": overdue, "latest_by_seconds": round(late, 1)},
        }


def _lead(lead: Lead) -> dict[str, Any]:
    seconds = {"led_seconds": round(lead.led_seconds, 1)}
    silent = {"silent_seconds": round(lead.silent_seconds, 1)}
    return {**asdict(lead), **seconds, **silent, "is_led": lead.is_led}


def _queue(depth: Depth) -> dict[str, Any]:
    return asdict(depth)
