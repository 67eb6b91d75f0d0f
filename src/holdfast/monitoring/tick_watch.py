"""Watches the monitor from outside: every worker looks how old the newest tick is.

Nobody may take on risk that nobody watches: where ticks stay away for long, the chain is reduced
as the monitor itself would reduce it. Its own ticks take that back once they are there again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.retry import patiently
from holdfast.monitoring.store import history

if TYPE_CHECKING:
    from holdfast.chain.ports import PatientClock
    from holdfast.common.alerts import Alarm
    from holdfast.common.db import Database, Session
    from holdfast.common.ids import ChainId
    from holdfast.monitoring.tick_ports import Switch, TickAges

LATE: Final = "risk.tick_late"
LATE_SECONDS: Final = 15.0
"""Two ticks are missing then. A new leader takes about four seconds to begin, so that a worker
that dies is no alarm."""
GRAVE_SECONDS: Final = 60.0
"""From here on the chain is reduced. A restart of all workers, or a node's, is shorter."""
_LOOK_SECONDS: Final = 5.0
_FOLLOWS: Final = {Severity.WARNING: "", Severity.CRITICAL: ", so no deal adds risk"}


class TickWatch:
    """Raises an alarm when the ticks of a chain stop, and ends it when they are back."""

    def __init__(
        self,
        db: Database,
        chain_id: ChainId,
        alarm: Alarm,
        clock: PatientClock,
        *,
        switch: Switch,
        ticks: TickAges = history,
    ) -> None:
        self._db = db
        self._chain_id = chain_id
        self._alarm = alarm
        self._switch = switch
        self._clock = clock
        self._ticks = ticks
        self._told: Severity | None = None
        self._since = clock.monotonic_seconds()

    async def run(self) -> None:
        """Look until cancelled; a database that is away is asked again."""
        while True:
            await patiently(self.once)
            await self._clock.sleep(_LOOK_SECONDS)

    async def once(self) -> None:
        """Look now."""
        async with self._db.begin() as session:
            age = await self._ticks.age_seconds(session, self._chain_id)
            # Who has only just begun to look has not given the monitor the time to begin either.
            watched = self._clock.monotonic_seconds() - self._since
            late = watched if age is None else min(age, watched)
            told = await self._judged(session, late, age)
        self._told = told

    async def _judged(self, session: Session, late: float, age: float | None) -> Severity | None:
        grave = _gravity(late)
        if grave is None:
            if age is not None and age < LATE_SECONDS:  # whoever raised it may be gone by now
                await self._alarm.ended(session, Ended(LATE, self._subject))
            return None
        if grave is Severity.CRITICAL:
            await self._switch.watch(session, self._chain_id, [LATE])
        if grave is not self._told:
            await self._alarm.raised(session, self._alert(grave, age))
        return grave

    @property
    def _subject(self) -> str:
        return f"chain:{self._chain_id}"

    def _alert(self, grave: Severity, age: float | None) -> Alert:
        since = "never was" if age is None else f"was {age:.0f} s ago"
        return Alert(
            LATE,
            grave,
            self._subject,
            f"the risk monitor's last tick {since}: nobody watches the open deals as a whole"
            f"{_FOLLOWS[grave]}. `holdfast worker status` shows who should lead risk:<chain>",
            self._chain_id,
            fields={"age_seconds": None if age is None else round(age, 1)},
        )


def _gravity(late_seconds: float) -> Severity | None:
    if late_seconds < LATE_SECONDS:
        return None
    return Severity.WARNING if late_seconds < GRAVE_SECONDS else Severity.CRITICAL
