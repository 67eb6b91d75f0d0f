"""One chain's loop: a single leader sends what is recorded and settles it by what the chain shows.

Start-up is recovery: live intents and the last block followed are read from the journal, missed
blocks are read, and bytes that are not mined go out again.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

import structlog

from holdfast.common.retry import patiently
from holdfast.transactions.model import Place, Progress
from holdfast.transactions.parts import Shared
from holdfast.transactions.sender import Sender
from holdfast.transactions.watcher import Watcher

if TYPE_CHECKING:
    from holdfast.transactions.parts import Parts
    from holdfast.transactions.ports import Announcements, Leadership

log = structlog.stdlib.get_logger(__name__)


class ChainLoop:
    """Runs while it leads; several processes may run one for the same chain, and one works."""

    def __init__(self, parts: Parts, leadership: Leadership, announcements: Announcements) -> None:
        self._parts = parts
        self._leadership = leadership
        self._announcements = announcements

    async def run(self) -> None:
        """Lead, and do the work until cancelled.

        Raises:
            Transient: `leader.lost`; another process may lead by now: end or start again.
            Broken: a guarantee does not hold; end the process.
        """
        await self._leadership.lead(self.work)

    async def work(self) -> None:
        """Send and follow, without asking for the lead: what `run` does once it leads."""
        sender, watcher, shared = await self._started()
        try:
            await self._run(sender, watcher, shared)
        finally:
            self._parts.metrics.stopped(self._parts.shard.name)

    async def _run(self, sender: Sender, watcher: Watcher, shared: Shared) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(shared), name="tx.listen")
            group.create_task(self._send(sender, shared), name="tx.send")
            group.create_task(self._watch(watcher, shared), name="tx.watch")
            if self._parts.heads is not None:
                group.create_task(self._parts.heads.follow(shared.to_look.set), name="tx.heads")

    async def _started(self) -> tuple[Sender, Watcher, Shared]:
        return await patiently(functools.partial(start, self._parts))

    async def _listen(self, shared: Shared) -> None:
        while True:
            await self._announcements.wait()
            shared.to_send.set()

    async def _send(self, sender: Sender, shared: Shared) -> None:
        while True:
            shared.to_send.clear()
            await patiently(sender.step)
            await shared.to_send.wait()

    async def _watch(self, watcher: Watcher, shared: Shared) -> None:
        while True:
            shared.to_look.clear()
            if not await patiently(watcher.step):
                now = self._parts.clock.monotonic_seconds()
                pause = self._parts.pace.until_next_look(now - shared.noticed_seconds)
                await _wait(shared.to_look, pause)


async def start(parts: Parts) -> tuple[Sender, Watcher, Shared]:
    """Sender and watcher as the journal left them.

    Raises:
        Transient: node or journal did not answer.
    """
    head = await parts.network.head()
    place = await parts.journal.place()
    if place is None:  # written before anything is sent, so that no block of ours is ever skipped
        place = Place(head.ref.number, head.ref.hash)
        await parts.journal.advance(Progress(place=place))
    shared = Shared(head)
    shared.live.put(await parts.journal.live())
    log.info(
        "tx.started",
        chain_id=parts.chain_id,
        block=place.number,
        head=head.ref.number,
        live=len(shared.live),
    )
    return Sender(parts, shared), Watcher(parts, shared, place), shared


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
