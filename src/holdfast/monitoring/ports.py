"""What monitoring needs: a word to the workers, and somewhere to send alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.common.alerts import Severity
    from holdfast.common.db import Session
    from holdfast.monitoring.records import KeptAlert


class ChoreBell(Protocol):
    """Tells the workers that there is a chore; a lost word costs the time to the next look."""

    async def ring(
        self, session: Session, kind: str, subject: str, *, at: datetime | None = None
    ) -> None:
        """Have the chore done, now or at `at`, if and only if `session` commits."""
        ...


class Target(Protocol):
    """One place that alerts go to."""

    @property
    def name(self) -> str:
        """What it is known by between restarts; tells nothing about how to reach it."""
        ...

    @property
    def least(self) -> Severity:
        """The least severity that it wants to hear of."""
        ...

    async def send(self, alert: KeptAlert) -> None:
        """Hand the alert over.

        Raises:
            Transient: `alert.undelivered`; the target did not take it, or did not say so.
        """
        ...
