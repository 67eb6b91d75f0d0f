"""Deals the blows of a schedule: to workers, the database, the node, and what lies between."""

import asyncio
import contextlib
import signal
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.schedule import Kind
from tests.support.fault_answers import Lies
from tests.support.faults import Fault
from tests.support.sabotage import lead_without_the_lock

ODDS = {
    Fault.DROPPED_BEFORE: 0.03,
    Fault.DROPPED_AFTER: 0.03,
    Fault.DELAYED: 0.04,
    Fault.DOUBLED: 0.03,
    Fault.TRUNCATED: 0.03,
    Fault.TOO_MANY: 0.03,
    Fault.BAD_GATEWAY: 0.03,
    Fault.PARTIAL: 0.03,
    Fault.HALF_OPEN: 0.01,
    Fault.STALE: 0.04,
    Fault.NOT_FOUND: 0.03,
    Fault.WRONG_CHAIN: 0.01,
}
"""Of each exchange while the node misbehaves: about one in three goes wrong."""


@dataclass
class Blows:
    """What can be done to the desk; `done` counts it by kind."""

    stage: object
    nodes: list
    keepers: object
    watch: object
    done: Counter = field(default_factory=Counter)
    _lasting: set[asyncio.Task] = field(default_factory=set)

    @property
    def kills(self):
        """How many processes were killed."""
        return self.keepers.kills + self.done[Kind.DATABASE] + self.done[Kind.NODE]

    async def deal(self, blow):
        """Do it; what lasts goes on beside whatever comes next."""
        match blow.kind:
            case Kind.WORKER:
                await self.keepers.kill(blow.slot)
            case Kind.BOUNDARY:
                self.keepers.armed[blow.slot] = blow.point
                await self.keepers.kill(blow.slot)
            case Kind.DATABASE:
                await self._crash_database(blow.seconds)
            case Kind.NODE:
                await self._kill_node(blow.seconds)
            case Kind.FREEZE:
                self._begin(self._freeze(blow))
            case Kind.USURPER:
                self._begin(self._usurp(blow.seconds))
            case Kind.FAULTS:
                self._begin(self._misbehave(blow))
        self.done[blow.kind] += 1

    async def end(self):
        """Wait for what still lasts."""
        await asyncio.gather(*self._lasting)

    def _begin(self, lasting):
        task = asyncio.create_task(lasting)
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)

    async def _crash_database(self, seconds):
        self.watch.killed()
        await asyncio.to_thread(self.stage.postgres.stop, immediate=True)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.stage.postgres.start)

    async def _kill_node(self, seconds):
        async with self.stage.node_lock:
            self.watch.killed()
            for node in self.nodes:
                await node.cut()
            await asyncio.to_thread(self.stage.kill_node)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.stage.revive_node)
            for node in self.nodes:
                await node.restore()

    async def _freeze(self, blow):
        worker = self.keepers.workers[blow.slot]
        worker.send(signal.SIGSTOP)
        await asyncio.sleep(2 * blow.seconds)
        with contextlib.suppress(ProcessLookupError):
            worker.send(signal.SIGCONT)

    async def _usurp(self, seconds):
        worker = self.keepers.started(sabotage=lead_without_the_lock.__name__)
        await asyncio.sleep(2 + 2 * seconds)  # it takes a second to start
        if worker.exit_code is None:
            await worker.kill()

    async def _misbehave(self, blow):
        """One of the nodes goes wrong by the dice, and perhaps in one way all the time."""
        node = self.nodes[blow.slot % len(self.nodes)]
        if blow.lasting is Fault.LYING:
            newest = await asyncio.to_thread(self.stage.chain.number, "eth_blockNumber")
            node.view.lies = Lies(since=newest)
        node.faults.odds = ODDS
        node.faults.lasting = {blow.lasting} - {None}
        await asyncio.sleep(2 * blow.seconds)
        node.faults.clear()
