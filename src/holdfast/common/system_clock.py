"""The machine's clock, behind the ports of `clock`."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Wall clock, monotonic counter and asyncio's sleep."""

    def now(self) -> datetime:
        """The current time, in UTC with its zone."""
        return datetime.now(UTC)

    def monotonic_seconds(self) -> float:
        """Seconds on the machine's monotonic counter."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` without blocking the event loop."""
        await asyncio.sleep(seconds)
