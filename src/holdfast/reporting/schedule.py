"""Has reports made when they are due, keeps them, tells of them, and raises what did not come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Broken, Rejected
from holdfast.common.retry import patiently
from holdfast.reporting.runs import GRACE, RunKind, begun, due, parse_subject
from holdfast.reporting.store import runs as store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from holdfast.common.alerts import Alarm
    from holdfast.common.clock import Clock, Sleeper
    from holdfast.common.db import Database, Session
    from holdfast.common.errors import HoldfastError

CHORE: Final = "report"
"""The kind of the chore that makes a report; its subject is the run's."""

MISSED: Final = "report.missed"
FAILED: Final = "report.failed"

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
    severity: Severity = Severity.INFO


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
            Broken: `report.run` for a kind that this version does not make.
            Rejected: it cannot be made as things are; `report.failed` tells why.
            Transient: what it is made from cannot be read; `report.missed` tells, if it stays so.
        """
        kind, period = parse_subject(subject)
        made = await self._made(kind, period, subject)
        document, now = json.dumps(made.values), self.clock.now()
        async with self.db.begin() as session:
            kept = await store.keep(session, subject, document=document, page=made.page, at=now)
            if not kept:
                return  # another worker has made it meanwhile
            await self.alarm.ended(session, Ended(MISSED, subject), Ended(FAILED, subject))
            code = f"report.{kind}"
            await self.alarm.raised(session, Alert(code, made.severity, subject, made.text))
            # It is delivered all the same; what is told once needs nobody to acknowledge it.
            await self.alarm.ended(session, Ended(code, subject))

    async def _made(self, kind: RunKind, period: str, subject: str) -> Document:
        """What waiting does not mend is told at once, not only when the run is late."""
        try:
            return await self.makers[kind](period)
        except (Rejected, Broken) as error:
            async with self.db.begin() as session:
                await self.alarm.raised(session, _failed(subject, error))
            raise


def _failed(subject: str, error: HoldfastError) -> Alert:
    text = (
        f"The report {subject} cannot be made: {error.message} [{error.code}]. It is tried again; "
        "mend the cause, then `holdfast chores retry report` with its name has it made at once."
    )
    return Alert(FAILED, Severity.WARNING, subject, text, fields=error.as_dict())


def _missed(subject: str) -> Alert:
    text = (
        f"The report {subject} was due more than {GRACE} ago and is not made: see "
        "`holdfast chores list`; a worker must run, and the chain answer for a stress run."
    )
    return Alert(MISSED, Severity.WARNING, subject, text)
