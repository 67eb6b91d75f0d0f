"""Watches the monitor from outside: every worker looks how old the newest tick is.

Nobody may take on risk that nobody watches: where ticks stay away for long, the chain is reduced
as the monitor itself would reduce it. Its own ticks take that back once they are there again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from holdfast.common import store as lease_store
from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.retry import patiently
from holdfast.monitoring.store import history

if TYPE_CHECKING:
    from holdfast.chain.ports import PatientClock
    from holdfast.common.alerts import Alarm
    from holdfast.common.db import Database, Session
    from holdfast.common.ids import ChainId
    from holdfast.common.store import Lead
    from holdfast.monitoring.tick_ports import Leads, Switch, TickAges

LATE: Final = "risk.tick_late"
LATE_SECONDS: Final = 15.0
"""Two ticks are missing then. A new leader takes about four seconds to begin, so that a worker
that dies is no alarm."""
LOADING_SECONDS: Final = 30.0
"""The same while a new leader is at its first tick, for which it reads every open deal: some ten
seconds for 10,000 of them."""
GRAVE_SECONDS: Final = 60.0
"""From here on the chain is reduced. A restart of all workers, or a node's, is shorter."""
_LOOK_SECONDS: Final = 5.0
_FOLLOWS: Final = {Severity.WARNING: "", Severity.CRITICAL: ", so no deal adds risk"}


@dataclass(frozen=True, slots=True)
class Seen:
    """How old the newest tick is, None without any, and who leads the monitor."""

    age_seconds: float | None
    lead: Lead | None

    @property
    def is_loading(self) -> bool:
        """Whether a leader that lives has not ticked yet since it took the lead."""
        if self.lead is None or not self.lead.is_led:
            return False
        return self.age_seconds is None or self.lead.led_seconds < self.age_seconds

    @property
    def why(self) -> str:
        """What is known of the reason."""
        lead = self.lead
        if lead is None or not lead.is_led:
            return "Nobody leads it: is a worker running? See `holdfast worker status`"
        if self.is_loading:
            return (
                f"{lead.holder} has led it for {lead.led_seconds:.0f} s and is still at its first "
                "tick, which reads every open deal"
            )
        return f"{lead.holder} leads it and does not tick: its log says why"


@dataclass(slots=True, kw_only=True)
class TickWatch:
    """Raises an alarm when the ticks of a chain stop, and ends it when they are back."""

    db: Database
    chain_id: ChainId
    alarm: Alarm
    clock: PatientClock
    switch: Switch
    ticks: TickAges = history
    leads: Leads = lease_store
    _told: Severity | None = field(init=False, default=None)
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.clock.monotonic_seconds()

    async def run(self) -> None:
        """Look until cancelled; a database that is away is asked again."""
        while True:
            await patiently(self.once)
            await self.clock.sleep(_LOOK_SECONDS)

    async def once(self) -> None:
        """Look now."""
        async with self.db.begin() as session:
            age = await self.ticks.age_seconds(session, self.chain_id)
            # Who has only just begun to look has not given the monitor the time to begin either.
            watched = self.clock.monotonic_seconds() - self._since
            late = watched if age is None else min(age, watched)
            lead = await self.leads.lead_of(session, f"risk:{self.chain_id}")
            told = await self._judged(session, late, Seen(age, lead))
        self._told = told

    async def _judged(self, session: Session, late: float, seen: Seen) -> Severity | None:
        grave = _gravity(late, LOADING_SECONDS if seen.is_loading else LATE_SECONDS)
        if grave is None:
            # Whoever raised it may be gone by now.
            if seen.age_seconds is not None and seen.age_seconds < LATE_SECONDS:
                await self.alarm.ended(session, Ended(LATE, self._subject))
            return None
        if grave is Severity.CRITICAL:
            await self.switch.watch(session, self.chain_id, [LATE])
        if grave is not self._told:
            await self.alarm.raised(session, self._alert(grave, seen))
        return grave

    @property
    def _subject(self) -> str:
        return f"chain:{self.chain_id}"

    def _alert(self, grave: Severity, seen: Seen) -> Alert:
        age = seen.age_seconds
        since = "never was" if age is None else f"was {age:.0f} s ago"
        return Alert(
            LATE,
            grave,
            self._subject,
            f"the risk monitor's last tick {since}: nobody watches the open deals as a whole"
            f"{_FOLLOWS[grave]}. {seen.why}",
            self.chain_id,
            fields={
                "age_seconds": None if age is None else round(age, 1),
                "is_loading": seen.is_loading,
            },
        )


def _gravity(late_seconds: float, bound_seconds: float) -> Severity | None:
    if late_seconds < bound_seconds:
        return None
    return Severity.WARNING if late_seconds < GRAVE_SECONDS else Severity.CRITICAL
