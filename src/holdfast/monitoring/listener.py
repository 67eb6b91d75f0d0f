"""One chain's listener: a single leader hears, from the cursor, and again from it after a fault."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.errors import Transient
from holdfast.common.retry import patiently
from holdfast.monitoring.hearing import Hearing

if TYPE_CHECKING:
    from holdfast.monitoring.hearing import Parts
    from holdfast.monitoring.ports import Leadership

PAUSE_SECONDS: Final = 1.0
"""Between two looks at the chain: a person acts on what is found, and takes longer."""

_log = structlog.stdlib.get_logger(__name__)


class Listener:
    """Runs while it leads; several processes may run one for the same chain, and one works."""

    def __init__(
        self, parts: Parts, leadership: Leadership, *, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._parts = parts
        self._leadership = leadership
        self._pause_seconds = pause_seconds

    async def run(self) -> None:
        """Lead, and listen until cancelled.

        Raises:
            Transient: `leader.lost`; another process may lead by now: end or start again.
        """
        await self._leadership.lead(self.work)

    async def work(self) -> None:
        """Listen, without asking for the lead: what `run` does once it leads."""
        try:
            await self._work()
        finally:
            self._parts.metrics.stopped(self._parts.chain_id)

    async def _work(self) -> None:
        while True:
            try:
                await self._listen(await patiently(self._begun))
            except Transient as error:
                # Whatever was lost in memory, the cursor in the database tells where to go on.
                _log.warning("events.retry", **error.as_dict())
                await asyncio.sleep(self._pause_seconds)

    async def _begun(self) -> Hearing:
        return await Hearing.begun(self._parts)

    async def _listen(self, hearing: Hearing) -> None:
        while True:
            if not await hearing.step():
                await asyncio.sleep(self._pause_seconds)
