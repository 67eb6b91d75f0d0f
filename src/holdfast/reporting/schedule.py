"""Has reports made when they are due, keeps them, tells of them, and raises what did not come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.retry import patiently
from holdfast.reporting.runs import GRACE, RunKind, begun, due, parse_subject
from holdfast.reporting.store import runs as store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from holdfast.common.alerts import Alarm
    from holdfast.common.clock import Clock, Sleeper
    from holdfast.common.db import Database, Session

CHORE: Final = "report"
"""The kind of the chore that makes a report; its subject is the run's."""

MISSED: Final = "report.missed"

_SECONDS: Final = 60.0


class Later(Protocol):
    """Has a chore done once a transaction commits."""

    async def later(self, session: Session, kind: str, subject: str) -> None:
        """Ask for it; asked again, it starts from the beginning."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """A report that was made: for machines, as a page, and in one sentence."""

    values: Mapping[str, Any]
    page: str
    text: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Looks every minute for what is due, and for what is late; any number of workers may.

    `kinds` is what this desk makes.
    """

    db: Database
    kinds: Collection[RunKind]
    chores: Later
    alarm: Alarm
    clock: Clock
    sleeper: Sleeper

    async def run(self) -> None:
        """Look until cancelled; a database that is away is asked again."""
        while True:
            await patiently(self.once)
            await self.sleeper.sleep(_SECONDS)

    async def once(self) -> None:
        """Ask for what is due and raise what should have been made an hour ago."""
        now = self.clock.now()
        async with self.db.begin() as session:
            newest = await store.newest(session)
            for first in begun(now):
                if first.kind in self.kinds and first.kind not in newest:
                    await store.begin(session, first, now)
            for run in due(now, newest):
                if run.kind in self.kinds and await store.put(session, run):
                    await self.chores.later(session, CHORE, run.subject)
            late = await store.late(session, now - GRACE)
            await self.alarm.raised(session, *map(_missed, late))


@dataclass(frozen=True, slots=True)
class ScheduledReport:
    """The chore: makes one run's report, keeps it and tells of it; again, it changes nothing."""

    db: Database
    alarm: Alarm
    clock: Clock
    makers: Mapping[RunKind, Callable[[str], Awaitable[Document]]]

    async def __call__(self, subject: str) -> None:
        """Make the report of `subject`.

        Raises:
            Broken: `report.run` for a kind that this version, or this worker, does not make.
            Transient: what it is made from cannot be read.
        """
        kind, period = parse_subject(subject)
        made = await self.makers[kind](period)
        document, now = json.dumps(made.values), self.clock.now()
        async with self.db.begin() as session:
            kept = await store.keep(session, subject, document=document, page=made.page, at=now)
            if not kept:
                return  # another worker has made it meanwhile
            await self.alarm.ended(session, Ended(MISSED, subject))
            code = f"report.{kind}"
            await self.alarm.raised(session, Alert(code, Severity.INFO, subject, made.text))
            # It is delivered all the same; what is told once needs nobody to acknowledge it.
            await self.alarm.ended(session, Ended(code, subject))


def _missed(subject: str) -> Alert:
    text = (
        f"The report {subject} was due more than {GRACE} ago and is not made: see "
        "`holdfast chores list`; a worker must run, and the chain answer for a stress run."
    )
    return Alert(MISSED, Severity.WARNING, subject, text)
