"""The risk monitor: one leader a chain looks at every open deal every few seconds.

It decides nothing for a deal. Whatever it sees that calls for a cure or a hold, it wakes the deal,
which looks for itself and acts by its own rules; so a wrong look can cost a wake-up, never money.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import HoldfastError, Transient
from holdfast.common.retry import patiently
from holdfast.monitoring.ticker import Ticker

if TYPE_CHECKING:
    from holdfast.common.clock import Sleeper
    from holdfast.monitoring.ports import Leadership
    from holdfast.monitoring.ticker import Parts

TICK_SECONDS: Final = 5.0
"""Between the beginnings of two ticks. Source: DESIGN issue 4, monitor every 5 s."""

FAILED: Final = "risk.tick_failed"
_TOLD_AFTER: Final = 2  # a block that was reorged away under one look is no reason to call somebody

_log = structlog.stdlib.get_logger(__name__)


class Monitor:
    """The loop of one chain's monitor."""

    def __init__(
        self,
        parts: Parts,
        leadership: Leadership,
        sleeper: Sleeper,
        *,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._parts = parts
        self._leadership = leadership
        self._sleeper = sleeper
        self._tick_seconds = tick_seconds
        self._subject = f"chain:{parts.chain_id}"

    async def run(self) -> None:
        """Lead, and tick until cancelled.

        Raises:
            Transient: `leader.lost`; another process may lead by now: end or start again.
        """
        await self._leadership.lead(self.work)

    async def work(self) -> None:
        """Tick, without asking for the lead: what `run` does once it leads."""
        parts = self._parts
        try:
            ticker = await patiently(self._begun)
            await patiently(self._is_well)  # whatever a leader before could not do
            await self._tick_on(ticker)
        finally:
            parts.metrics.stopped(parts.chain_id)

    async def _tick_on(self, ticker: Ticker) -> None:
        clock, failures = self._parts.clock, 0
        due = clock.monotonic_seconds()
        while True:
            failures = await self._tick(ticker, failures)
            due += self._tick_seconds
            now = clock.monotonic_seconds()
            if now > due:
                _log.warning("risk.tick_late", by_seconds=round(now - due, 2))
                due = now  # what was missed is not made up for
            await self._sleeper.sleep(due - now)

    async def _tick(self, ticker: Ticker, failures: int) -> int:
        """One tick; how many have failed in a row. What a venue refuses now it may answer soon."""
        try:
            await ticker.once()
            if failures >= _TOLD_AFTER:
                await self._is_well()
        except HoldfastError as error:
            self._parts.metrics.failed(self._parts.chain_id)
            _log.warning("risk.tick_failed", **error.as_dict())
            if failures + 1 == _TOLD_AFTER and not await self._told(error):
                return failures
            return failures + 1
        return 0

    async def _begun(self) -> Ticker:
        return await Ticker.begun(self._parts)

    async def _is_well(self) -> None:
        async with self._parts.db.begin() as session:
            await self._parts.alarm.ended(session, Ended(FAILED, self._subject))

    async def _told(self, error: HoldfastError) -> bool:
        """Have people told; False when even that failed: next time again."""
        alert = Alert(
            FAILED,
            Severity.CRITICAL,
            self._subject,
            f"the risk monitor sees nothing: {error.message}. Deals go on by their own looks",
            self._parts.chain_id,
            fields=error.as_dict(),
        )
        try:
            async with self._parts.db.begin() as session:
                await self._parts.alarm.raised(session, alert)
        except Transient as away:
            _log.warning("risk.untold", **away.as_dict())
            return False
        return True
