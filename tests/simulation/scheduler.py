"""An asyncio loop on which time passes only when nothing can happen now.

Nothing outside the process is waited for, so the order of everything is a function of the order in
which callbacks and timers are made: the same program makes the same run.
"""

from __future__ import annotations

import asyncio
from itertools import count

_MOST_ROUNDS = 2_000  # in one instant; a busy one has some dozens


class Standstill(RuntimeError):
    """Time cannot go on: nothing is ready and no timer is set, or something never pauses."""


class _Numbered(asyncio.Task):
    """A task whose hash is its number: sets of tasks (in task groups) are walked in one order."""

    def __init__(self, *args, number, **options):
        self.number = number
        super().__init__(*args, **options)

    def __hash__(self):
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """Starts at second 0 and jumps from timer to timer."""

    def __init__(self):
        super().__init__()
        self._seconds = 0.0
        self._rounds = 0
        self._selector = self
        self._clock_resolution = 1e-9
        self._numbers = count(1)
        self.set_task_factory(self._numbered)

    def time(self):
        return self._seconds

    def select(self, timeout):
        """What the base class calls to sleep; there is no input to wait for."""
        if timeout is None:
            raise Standstill(f"nothing will ever happen after second {self._seconds}")
        if timeout > 0:
            self._seconds, self._rounds = self._scheduled[0].when(), 0
        self._rounds += 1
        if self._rounds > _MOST_ROUNDS:
            self._rounds = 0
            raise Standstill(f"somebody works without a pause at second {self._seconds}")
        return ()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass

    @staticmethod
    def _numbered(loop, coroutine, context=None):
        return _Numbered(coroutine, loop=loop, number=next(loop._numbers), context=context)


def run_virtually(main):
    """What the coroutine `main` returns, run in virtual time from second 0."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        finish(loop)


def finish(loop):
    """Cancel whatever still runs on `loop`, and close it."""
    left = sorted(asyncio.all_tasks(loop), key=lambda task: task.number)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.close()
