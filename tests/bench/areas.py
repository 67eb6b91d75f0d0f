"""What a deal's processor time goes to: node, database, and the worker by area.

The worker runs in this process, so that it can be sampled; nothing is slowed down by it.
"""

import asyncio
import contextlib

from holdfast.bootstrap import opened
from holdfast.config import load
from holdfast.entry.cli.worker import worker_parts
from tests.bench import deals
from tests.bench.sampler import Sampler
from tests.bench.stage import logging_to, node
from tests.bench.table import Table
from tests.support.room import ROOM

_AT_ONCE, _ROUNDS = 8, 4
_WARM_UP = 8
_COLUMNS = ("part of a deal", "CPU ms", "share")


def measure(postgres, options):
    """The parts, largest first."""
    table = Table("profile", f"Where a deal's CPU goes, {_AT_ONCE} at once, automine", _COLUMNS)
    table.head()
    rounds = 1 if options.quick else _ROUNDS
    with node(postgres.folder / "devnet", 0) as devnet:
        parts = asyncio.run(_measured(devnet, postgres, rounds))
    total = sum(parts.values())
    for name, ms in sorted(parts.items(), key=lambda item: -item[1]):
        table.add(name, f"{ms:.0f}", f"{100 * ms / total:.0f} %", part=name, ms=round(ms, 1))
    table.tail()
    return table


async def _measured(devnet, postgres, rounds):
    url = await postgres.fresh("bench_profile")
    settings = {"database_url": url, "profile": devnet.profile_path, "state_dir": postgres.folder}
    settings |= ROOM
    ours = load({f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()})
    sampler, roots = Sampler(), {"node": [devnet.node.pid], "database": [postgres.pid]}
    with logging_to(devnet.folder / "worker.log"):
        async with opened(ours) as system, _working(system):
            bench = deals.Bench(devnet, deals.with_rungs(system), url, {**roots, "worker": []})
            await bench.warm_up(_WARM_UP)
            # Planning is done in between: it is no part of what is sampled.
            result = await bench.measure(_AT_ONCE, rounds, during=sampler.running)
    cpu = result.cpu_ms()
    worker = 1000 * sampler.seconds / result.deals
    shares = {f"worker: {name}": share * worker for name, share in sampler.shares().items()}
    return {"node": cpu["node"], "database": cpu["database"], **shares}


@contextlib.asynccontextmanager
async def _working(system):
    """Everything that a worker runs."""
    tasks = [asyncio.create_task(part.run(), name=part.name) for part in worker_parts(system)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
