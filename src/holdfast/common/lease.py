"""A leader's lease: what lets it work, and what keeps one that only believes so from harm.

A process that was frozen does not know it. So its lead counts only while a renewal is young, and
each of its writes carries the epoch of its lead, which the database compares with the newest.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final

from holdfast.common.errors import Transient
from holdfast.common.store import LEASE_SECONDS, may_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.common.db import Session

_TRUSTED_SECONDS: Final = LEASE_SECONDS - 0.5  # so that a leader stops before it is replaced

_COUNTER: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def lease_seconds_now() -> float:
    """Seconds on a counter that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(_COUNTER)


class Lease:
    """The lease `name` as its holder knows it.

    Args:
        trusted_seconds: how long a renewal is believed.
        now_seconds: a monotonic counter.
    """

    def __init__(
        self,
        name: str,
        *,
        trusted_seconds: float = _TRUSTED_SECONDS,
        now_seconds: Callable[[], float] = lease_seconds_now,
    ) -> None:
        self.name = name
        self.write_key = lock_key(f"{name}#writes")
        self._trusted_seconds = trusted_seconds
        self._now_seconds = now_seconds
        self._epoch: int | None = None
        self._renewed_seconds = 0.0

    @property
    def epoch(self) -> int | None:
        """The number of our lead; None while we do not lead."""
        return self._epoch

    def begin(self, epoch: int, asked_seconds: float) -> None:
        """We lead, by an answer to what was asked at `asked_seconds`."""
        self._epoch, self._renewed_seconds = epoch, asked_seconds

    def renew(self, asked_seconds: float) -> None:
        """We still led when it was asked."""
        self._renewed_seconds = asked_seconds

    def end(self) -> None:
        """We no longer lead."""
        self._epoch = None

    def require(self) -> int:
        """The epoch, if we may work now.

        Raises:
            Transient: `leader.lost` when we do not lead; `leader.lapsed` when the lead was not
                confirmed lately: another may lead by now. Nothing was done.
        """
        if self._epoch is None:
            raise _lost(self.name)
        age = self._now_seconds() - self._renewed_seconds
        if age > self._trusted_seconds:
            raise Transient(
                "leader.lapsed",
                f"the lead of {self.name} was not confirmed for {age:.1f} s: nothing is done until "
                "it is",
                lease=self.name,
                age_seconds=round(age, 1),
            )
        return self._epoch

    async def fence(self, session: Session) -> None:
        """Let `session` write only if no newer leader has begun; none begins until it ends.

        Raises:
            Transient: as `require`; `leader.lost` also when the database knows a newer leader.
        """
        if not await may_write(session, self.name, self.require(), self.write_key):
            raise _lost(self.name)


class Unrivalled:
    """The lease of one that nobody else can replace: every test with a single loop."""

    def require(self) -> None:
        """Always."""

    async def fence(self, session: Session) -> None:
        """Always."""


def lock_key(name: str) -> int:
    """The signed 64-bit number that PostgreSQL knows an advisory lock by."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _lost(name: str) -> Transient:
    return Transient("leader.lost", f"no longer the leader for {name}", lease=name)
