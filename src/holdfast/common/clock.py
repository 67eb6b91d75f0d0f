"""Time as a port: nothing else in the product asks the machine what time it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """The current time and a monotonic counter."""

    def now(self) -> datetime:
        """The current time, in UTC with its zone."""
        ...

    def monotonic_seconds(self) -> float:
        """Seconds on a counter that never goes back; only differences mean anything."""
        ...


class Sleeper(Protocol):
    """Waiting as a port, so that tests need not."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...
