"""One worker process of the model: it may freeze, and die between any two calls it makes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from holdfast.common.errors import Transient

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_LONGEST_FREEZE = 60.0


class Process:
    """What the calls of one process pass through: its clock, its faults and its end.

    `work` is the task in which it runs. A dead process never returns from a call, so nothing that
    it had in mind happens any more.
    """

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.is_dead = False
        self.frozen_until = 0.0
        self.work = self.leading = None
        self.has_lost = False
        self.epoch = None
        self._loop = asyncio.get_running_loop()
        self._skew = world.rng.uniform(-2.0, 2.0)

    # its clock

    def now(self):
        return _EPOCH + timedelta(seconds=self._loop.time() + 1_000.0 + self._skew)

    def monotonic_seconds(self):
        return self._loop.time() + 500.0

    # its end

    def boundary(self, name):
        """A point between two steps at which the process may end; there is no call to hang in."""
        if self.world.happens("crash"):
            self.crash(name)
            raise asyncio.CancelledError

    async def point(self, name):
        """Pass the start or the end of a call, unless the process dies or freezes here."""
        rates = self.world.rates
        if rates["crash"] and self.world.happens("crash"):
            self.crash(name)
        elif rates["freeze"] and self.world.happens("freeze"):
            self.freeze(self.world.rng.uniform(1.0, _LONGEST_FREEZE))
        while self.frozen_until > self._loop.time():  # noqa: ASYNC110 - it may freeze once more
            await asyncio.sleep(self.frozen_until - self._loop.time())
        if self.is_dead:
            await self._loop.create_future()

    def crash(self, where):
        self.world.count("crashes")
        self.world.note(self.name, "dies at", where)
        self.is_dead = True
        if self.work is not None:
            self.work.cancel()

    def freeze(self, seconds):
        self.world.count("freezes")
        self.world.note(self.name, "freezes for", round(seconds, 1))
        self.frozen_until = self._loop.time() + seconds

    async def call(self, name, effect, failing, lose_answer=0.5):
        """Do `effect`, which happens at one instant, after and before a wait; or fail.

        Args:
            failing: the fault that makes the call fail with `Transient`.
            lose_answer: how often such a failure comes after the effect.
        """
        world = self.world
        await self.point(name)
        await self._wait()
        await self.point(name)
        fails = world.rates[failing] and world.happens(failing)
        if fails and world.rng.random() >= lose_answer:
            raise self._no_answer(name)
        found = effect()
        if world.trace is not None:
            world.note(self.name, name, found if found is None else str(found)[:300])
        await self.point(name)
        if fails:
            raise self._no_answer(name)
        return found

    async def _wait(self):
        world = self.world
        seconds = world.scenario.latency_seconds * world.rng.random()
        if world.rates["slow"] and world.happens("slow"):
            seconds += world.rng.uniform(0.5, 15.0)
        await asyncio.sleep(seconds)

    def _no_answer(self, name):
        self.world.count("faults")
        self.world.note(self.name, name, "gets no answer")
        return Transient("model.no_answer", name)
