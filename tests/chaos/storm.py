"""Runs many deals while workers are killed, and hands over what the judges need."""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from holdfast.bootstrap import opened
from holdfast.config import load
from tests.chaos.blows import Blows
from tests.chaos.feeder import Feeder
from tests.chaos.keepers import Keepers
from tests.chaos.schedule import WORKERS, schedule
from tests.chaos.verdict import LEGS, judged
from tests.chaos.watch import OVER, Watch
from tests.support.auditor import deal_rows
from tests.support.checker import Start
from tests.support.fault_proxy import fault_proxy
from tests.support.faults import Faults
from tests.support.witness import Places, observe

NODES = 2
_WINDOW = 16
_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 120  # without any change of any deal: what is not over then is stuck
_TELL_SECONDS = 10


@dataclass(frozen=True)
class Order:
    """How much is asked for."""

    kills: int
    deals: int
    seed: int

    @property
    def window(self):
        """How many deals are open at once."""
        return min(_WINDOW, self.deals)


@dataclass(frozen=True)
class Aftermath:
    """A storm that is over: what was done, what was measured, and what the judges start from."""

    stage: object
    order: Order
    kills: int
    done: Counter
    ended: Counter
    recoveries: list[float]
    unrecovered: int
    seconds: float
    start: Start
    expected: list
    before: set[str]

    def judged(self):
        """The verdict of the chain and the ledger as they are now."""
        return judged(self.stage, self.start, self.expected, self.before)


@dataclass
class Storm:
    """One storm on one stage."""

    stage: object
    order: Order
    feeder: Feeder
    blows: Blows
    watch: Watch
    before: set[str] = field(default_factory=set)

    @property
    def kills(self):
        return self.blows.kills

    async def run(self):
        """Until all deals are over, or nothing moves any more."""
        watching = asyncio.create_task(self.watch.run())
        telling = asyncio.create_task(self._tell())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed())
                group.create_task(self._strike())
            await self.blows.end()
            await self._settled()
        finally:
            for task in (watching, telling):
                task.cancel()
            await asyncio.gather(watching, telling, return_exceptions=True)

    async def _feed(self):
        """Keep pace with the kills, so that both end together."""
        order = self.order
        while self.feeder.created < order.deals or self.kills < order.kills:
            if self.watch.under_way < order.window and self.feeder.created < self._due():
                await self.feeder.create()
            else:
                await asyncio.sleep(_LOOK_SECONDS)

    def _due(self):
        """How many deals there may be by now: enough that there is always one for a kill to hit."""
        order, created = self.order, self.feeder.created
        ahead = order.window + (order.deals - order.window) * self.kills // max(1, order.kills)
        return max(min(ahead, order.deals), created if self.watch.under_way else created + 1)

    async def _strike(self):
        for blow in schedule(self.order.seed):
            if self.kills >= self.order.kills:
                return
            await asyncio.sleep(blow.pause)
            while self._is_ahead() or not self.watch.under_way:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(_LOOK_SECONDS)
            await self.blows.deal(blow)

    def _is_ahead(self):
        """Whether the kills have run away from the deals."""
        order = self.order
        over = self.watch.over - len(self.before)
        return self.kills * order.deals > (over + order.window) * order.kills

    async def _settled(self):
        while self.watch.under_way:
            if time.monotonic() - self.watch.moved_at > _PATIENCE_SECONDS:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell(self):
        began = time.monotonic()
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            watch = self.watch
            say(
                f"{time.monotonic() - began:6.0f} s  kills {self.kills:5}  "
                f"deals {self.feeder.created:5}, over {watch.over - len(self.before):5}, "
                f"under way {watch.under_way:3}  {dict(self.blows.keepers.ended)}"
            )


async def storm(stage, order):
    """What is left of `order` on `stage`."""
    began = time.monotonic()
    async with opened(load(stage.environment())) as system, _nodes(stage, order.seed) as nodes:
        feeder = Feeder(stage, system)
        expected, model = await _model_deal(stage, feeder)
        start = Start.read(stage.chain, model)
        before = {row.deal_id for row in deal_rows(stage.libpq_url)}
        feeder.created = 0
        watch = Watch(stage.libpq_url)
        async with Keepers(stage, WORKERS, on_death=watch.killed) as keepers:
            blows = Blows(stage, nodes, keepers, watch)
            await Storm(stage, order, feeder, blows, watch, before).run()
    return Aftermath(
        stage=stage,
        order=order,
        kills=blows.kills,
        done=blows.done,
        ended=keepers.ended,
        recoveries=watch.recoveries,
        unrecovered=watch.unrecovered,
        seconds=time.monotonic() - began,
        start=start,
        expected=expected,
        before=before,
    )


@contextlib.asynccontextmanager
async def _nodes(stage, seed):
    """The nodes that the workers know: two, over one chain, that may misbehave apart."""
    async with contextlib.AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(fault_proxy(stage.devnet.url, Faults(seed + number)))
            for number in range(NODES)
        ]
        stage.nodes = nodes
        yield nodes


async def _model_deal(stage, feeder):
    """The effects of a deal that nothing happens to, which must be those known by hand."""
    mark = stage.chain.number("eth_blockNumber")
    async with Keepers(stage, 1):
        await feeder.create()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (row := deal_rows(stage.libpq_url)[0]).status not in OVER:
            assert time.monotonic() < deadline, "the first deal, undisturbed, does not end"
            await asyncio.sleep(_LOOK_SECONDS)
    places = Places.of(stage.profile, row.account)
    effects = observe(stage.chain, places, mark).effects
    found = Counter(effect.kind for effect in effects)
    assert found == Counter(dict(LEGS)), f"an undisturbed deal has other legs: {found}"
    return effects, places


def say(text):
    """To whoever watches: the figures alone go to standard output."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
