"""Keeps a number of workers running, as a supervisor would, and counts how they end."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.support.worker_process import KILLED, WorkerProcess

_FOREVER_SECONDS = 86_400
_BREATH_SECONDS = 0.2  # before a worker that ended by itself is started again


@dataclass
class Keepers:
    """One worker for each slot, started again whenever it ends.

    `armed` holds the boundary at which a slot's next workers die, until one has. `ended` counts
    workers by how they ended: `worker` by our signal, `boundary` by their own at one, `by_itself`
    otherwise.
    """

    stage: object
    slots: int
    armed: dict[int, str] = field(default_factory=dict)
    ended: Counter = field(default_factory=Counter)
    codes: Counter = field(default_factory=Counter)
    on_death: object = None
    workers: dict[int, WorkerProcess] = field(default_factory=dict)
    _number: int = 0
    _struck: set[int] = field(default_factory=set)
    _tasks: list[asyncio.Task] = field(default_factory=list)

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self._keep(slot)) for slot in range(self.slots)]
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self.workers.values():
            if worker.exit_code is None:
                await worker.kill()

    async def kill(self, slot):
        """SIGKILL the slot's worker, if it still lives."""
        worker = self.workers[slot]
        if worker.exit_code is None:
            self._struck.add(worker.pid)
            await worker.kill()

    async def _keep(self, slot):
        while True:
            point = self.armed.get(slot)
            more = {"crash_at": point} if point else {}
            worker = self.workers[slot] = self.started(**more)
            code = await worker.ended(_FOREVER_SECONDS)
            self._count(slot, worker, code)
            if code != KILLED:
                await asyncio.sleep(_BREATH_SECONDS)

    def started(self, *, sabotage=None, **settings):
        """A new worker, with a log of its own."""
        self._number += 1
        log = self.stage.folder / "logs" / f"worker-{self._number:05}.log"
        return self.stage.nursery.fork(self.stage.environment(**settings), log, sabotage)

    def _count(self, slot, worker, code):
        if code != KILLED:
            self.ended["by_itself"] += 1
            self.codes[code] += 1
            return
        kind = "worker" if worker.pid in self._struck else "boundary"
        self._struck.discard(worker.pid)
        if kind == "boundary":
            self.armed.pop(slot, None)
        self.ended[kind] += 1
        if self.on_death is not None:
            self.on_death()

    @property
    def kills(self):
        """How many workers died by SIGKILL."""
        return self.ended["worker"] + self.ended["boundary"]
