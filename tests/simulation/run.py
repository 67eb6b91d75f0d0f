"""One seed: build its world, let it run, calm it, and see that everything came to its end."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from random import Random

from holdfast.chain.profiles import FeeModel
from holdfast.common.errors import Transient
from holdfast.common.ids import ChainId
from holdfast.transactions.loop import ChainLoop
from holdfast.transactions.parts import Pace, Parts
from holdfast.transactions.send_state import Patience
from tests.simulation.desk import Desk
from tests.simulation.journal import Journal
from tests.simulation.leading import Announcements, Leadership, Lease
from tests.simulation.network import Network
from tests.simulation.process import Process
from tests.simulation.scenario import BLOCK_SECONDS
from tests.simulation.scheduler import Standstill, run_virtually
from tests.simulation.signing import Keys, stand_ins
from tests.simulation.weather import Weather
from tests.simulation.world import World

_CALM_BLOCKS = 120
_PACE = Pace(head=BLOCK_SECONDS / 4, block=BLOCK_SECONDS, scan=5.0, reload=20.0, place=40.0)
_PATIENCE = Patience(
    blocks=2, seconds=40.0, push_seconds=8.0, retry_seconds=3.0, timeout_seconds=400.0
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one seed came to; `violation` is empty when everything held."""

    seed: int
    violation: str
    counts: dict
    trace: list = field(repr=False)

    @property
    def digest(self):
        """A fingerprint of everything that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


def run_seed(seed, *, traced=False):
    """Run the world of `seed`."""
    trace = [] if traced else None
    try:
        return run_virtually(_run(seed, trace))
    except Standstill as error:
        return Result(seed, str(error), {}, trace or [])


async def _run(seed, trace):
    world = World(Random(seed), trace)  # noqa: S311 - chance that can be repeated is the point
    world.note("world", world.scenario)
    with stand_ins(world):
        await _until_over(world)
    return Result(seed, world.violation or "", dict(world.counts), trace or [])


async def _until_over(world):
    loop = asyncio.get_running_loop()
    desk = loop.create_task(Desk(world).trade())
    others = [loop.create_task(Weather(world).blow())]
    others += [loop.create_task(worker(world, n)) for n in range(world.scenario.processes)]
    story = loop.create_task(_story(world, desk))
    ends = [story, loop.create_task(world.over.wait())]
    await asyncio.wait([*ends, *others], return_when=asyncio.FIRST_COMPLETED)
    for task in (*ends, desk, *others):
        task.cancel()
    await asyncio.gather(*ends, desk, *others, return_exceptions=True)
    for task in (story, desk, *others):
        if not task.cancelled() and task.exception() is not None and world.violation is None:
            raise task.exception()


async def _story(world, desk):
    """Faults for a while, then calm, in which everything must settle."""
    await asyncio.sleep(world.scenario.blocks * BLOCK_SECONDS)
    world.calm()
    for _ in range(_CALM_BLOCKS):
        await asyncio.sleep(BLOCK_SECONDS)
        if desk.done() and all(map(world.checks.is_settled, world.rows.intents.values())):
            break
    world.checks.end()
    if not desk.done():
        world.fail("a deal waits for ever")


async def worker(world, number):
    """A worker process, and the next one in its place whenever it ends."""
    started = 0
    while True:
        started += 1
        process = Process(world, f"w{number}.{started}")
        chain_loop = ChainLoop(_parts(process), Leadership(process), Announcements(process))
        process.work = asyncio.get_running_loop().create_task(chain_loop.run())
        try:
            await asyncio.wait([process.work])
        finally:
            process.is_dead = True
            process.work.cancel()
            world.listeners.pop(process.name, None)
        _require_known_end(world, process)
        await asyncio.sleep(world.rng.uniform(0.1, 10.0))


def _require_known_end(world, process):
    if process.work.cancelled():
        return
    error = process.work.exception()
    world.note(process.name, "ends with", repr(error))
    if not isinstance(error, Transient):
        world.fail(f"{process.name} ended with {error!r}")


def _parts(process):
    return Parts(
        chain_id=ChainId(1),
        fee_model=FeeModel.EIP1559,
        network=Network(process),
        journal=Journal(process),
        keys=Keys(),
        clock=process,
        boundary=process.boundary,
        lease=Lease(process),
        patience=replace(_PATIENCE, finality=process.world.scenario.finality),
        pace=_PACE,
    )
