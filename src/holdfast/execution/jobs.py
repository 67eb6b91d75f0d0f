"""The sweep: wakes every deal whose time has come, which makes any lost wake-up harmless."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from holdfast.common.boundary import unobserved
from holdfast.common.retry import patiently

if TYPE_CHECKING:
    from holdfast.common.boundary import Boundary
    from holdfast.common.clock import Clock, Sleeper
    from holdfast.common.db import Database
    from holdfast.execution.ports import Wakes
    from holdfast.execution.store.deals import DealStore

BATCH: Final = 500
"""Deals woken in one transaction; more follow at once in the next."""

AGAIN_SECONDS: Final = 10.0
"""When a deal that was woken is due again if nothing comes of it."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Looks for overdue deals every `seconds`."""

    db: Database
    deals: DealStore
    wakes: Wakes
    clock: Clock
    sleeper: Sleeper
    seconds: float
    at: Boundary = unobserved

    async def run(self) -> None:
        """Sweep until cancelled; a database that is away is asked again."""
        while True:
            if await patiently(self.once) < BATCH:
                await self.sleeper.sleep(self.seconds)

    async def once(self) -> int:
        """Wake what is due now; returns how many deals that was."""
        now = self.clock.now()
        later = now + timedelta(seconds=AGAIN_SECONDS)
        async with self.db.begin() as session:
            due = await self.deals.take_due(session, now, later, BATCH)
            await self.wakes.wake(session, *due)
            passed = self.at if due else unobserved  # nothing due is no boundary
            passed("sweep.before_commit")
        passed("sweep.after_commit")
        return len(due)
