"""Between the queue and the work: however often a deal is woken, it is advanced once at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from holdfast.common.errors import Ambiguous, HoldfastError, Paused, Transient
from holdfast.common.ids import DealId

Wake: TypeAlias = Callable[[DealId], Awaitable[None]]
"""What is done for a deal that was woken."""

_log = structlog.stdlib.get_logger(__name__)


class Coalesced:
    """A wake that runs once at a time for each deal of this process.

    A wake-up that comes while its deal is being advanced runs it once more afterwards, however
    many came: it neither waits for the deal's row nor takes a place among the workers. Between
    processes the row lock does the same. The job that started the run stays open until the last
    repetition, so a killed process repeats them all.
    """

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._running: set[DealId] = set()
        self._again: set[DealId] = set()

    async def __call__(self, deal: DealId) -> None:
        """Advance `deal`, or leave word to whoever is doing so."""
        if deal in self._running:
            self._again.add(deal)
            return
        self._running.add(deal)
        try:
            await self._repeat(deal)
        finally:
            self._running.discard(deal)
            self._again.discard(deal)

    async def _repeat(self, deal: DealId) -> None:
        while True:
            self._again.discard(deal)
            await self._logged(deal)
            if deal not in self._again:
                return

    async def _logged(self, deal: DealId) -> None:
        """One run; what may succeed later is raised on, any other error of ours ends it."""
        try:
            await self._wake(deal)
        except (Transient, Ambiguous) as error:
            if not isinstance(error, Paused):
                _log.warning("queue.wake_postponed", **error.as_dict())
            raise
        except HoldfastError as error:
            _log.error("queue.wake_failed", exc_info=True, **error.as_dict())
