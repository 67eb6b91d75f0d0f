"""The lead of the chain, which two processes may believe they have, and words that may be lost."""

from __future__ import annotations

import asyncio

from holdfast.common.errors import Transient

_ASKS_EVERY = 1.0


class Lead:
    """Who leads. A leader that lost the lead works on until it notices.

    Where the scenario is fenced, its writes are refused as the lease's epoch does it; without it
    two leaders write, which has to be safe too.
    """

    def __init__(self, world):
        self._world = world
        self.holder = None
        self.epoch = 0
        self.freed = asyncio.Event()

    async def wait_until_free(self):
        """Ask again and again, at the very moments at which a poll would, without polling."""
        loop = asyncio.get_running_loop()
        while self.holder is not None:
            asked = loop.time()
            await self.freed.wait()
            await asyncio.sleep(_ASKS_EVERY - (loop.time() - asked) % _ASKS_EVERY)

    def free(self):
        """Nobody leads."""
        self.holder = None
        self.freed.set()

    def begin(self, process):
        self.epoch += 1
        self.freed.clear()
        self.holder, process.epoch = process, self.epoch

    def fence(self, process):
        """Refuse to write for a leader that was replaced; the desk's processes are none."""
        is_old = process.epoch is not None and process.epoch != self.epoch
        if is_old and self._world.scenario.is_fenced:
            raise Transient("leader.lost", "a newer leader has begun")

    def give_away(self, notices_after):
        """Let another process lead while the holder does not know it yet."""
        process = self.holder
        self.free()
        self._world.note(process.name, "loses the lead, and notices in", round(notices_after, 1))
        self._world.later(notices_after, self._notice, process)

    def _notice(self, process):
        if not process.is_dead and process.leading is not None:
            process.has_lost = True
            process.leading.cancel()


class Leadership:
    """The loop's `Leadership` port, for one process."""

    def __init__(self, process):
        self._process = process
        self._lead = process.world.lead

    async def lead(self, work):
        process, lead = self._process, self._lead
        await lead.wait_until_free()
        lead.begin(process)
        process.world.note(process.name, "leads")
        process.leading = asyncio.get_running_loop().create_task(work())
        try:
            await asyncio.wait([process.leading])
        finally:
            process.leading.cancel()
            self._leave()
        if process.has_lost:
            raise Transient("leader.lost", "another process may lead by now")
        await process.leading

    def _leave(self):
        process, lead = self._process, self._lead
        if lead.holder is not process:
            return
        if process.is_dead:  # the database notices only after a while that nobody is there
            process.world.later(process.world.rng.uniform(0.0, 6.0), self._release)
        else:
            self._release()

    def _release(self):
        if self._lead.holder is self._process:
            self._lead.free()


class Lease:
    """The loop's `Lease` port, for one process; its journal does the fencing."""

    def __init__(self, process):
        self._process = process

    def require(self):
        if self._process.has_lost:
            raise Transient("leader.lost", "no longer the leader")

    async def fence(self, session):
        raise AssertionError("only the journal on Postgres asks")


class Announcements:
    """The loop's `Announcements` port, for one process."""

    def __init__(self, process):
        self._word = asyncio.Event()
        process.world.listeners[process.name] = self._word

    async def wait(self, timeout_seconds=None):
        await self._word.wait()
        self._word.clear()
        return True
