"""Who wants transactions: deals that record groups, repeat what failed, and change their mind."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from holdfast.chain.profiles import FeeModel
from holdfast.common.errors import Rejected, Transient
from holdfast.transactions.errors import ForeignNonce
from holdfast.transactions.fees import FeePolicy, quote
from tests.simulation.calls import PAYS, REVERTS, SAYS_NOTHING
from tests.simulation.journal import FREES_LEG
from tests.simulation.network import Network
from tests.simulation.process import Process
from tests.simulation.scenario import BLOCK_SECONDS
from tests.simulation.wishes import Wish, insert, wishes_of

_REPEATS = 2


class Desk:
    """Records the groups of one world, several of them at the same time."""

    def __init__(self, world):
        self._world = world
        self._rng = world.rng

    async def trade(self):
        """Bring every deal to its end: a group of legs, and again those that failed."""
        last = BLOCK_SECONDS * self._world.scenario.blocks
        async with asyncio.TaskGroup() as deals:
            for number in range(self._world.scenario.groups):
                starts = self._rng.uniform(0.0, last * 0.8)
                deals.create_task(self._deal(number, starts))

    async def _deal(self, number, starts):
        await asyncio.sleep(starts)
        deal, kind = self._world.new_id(), self._kind()
        legs = [self._world.new_id() for _ in range(self._rng.choice((1, 2, 3)))]
        for _ in range(1 + self._rng.randint(0, _REPEATS)):
            group = self._wishes(deal, kind, legs)
            if not await self._recorded(number, group):
                return
            self._perhaps_cancel(group)
            legs = [row.new.leg_id for row in await self._settled(group) if self._failed(row)]
            if not legs:
                return

    async def _recorded(self, number, group):
        """Record `group`, whatever dies meanwhile; whether it was not refused."""
        while True:
            process = Process(self._world, f"desk{number}")
            process.work = asyncio.get_running_loop().create_task(self._record(process, group))
            await asyncio.wait([process.work])
            if not process.is_dead:
                return process.work.result()
            await asyncio.sleep(self._rng.uniform(0.5, 5.0))
            if group[0].intent_id in self._world.rows.intents:
                return True

    async def _record(self, process, group):
        while True:
            try:
                await self._record_once(process, Network(process), group)
            except Transient as error:
                self._world.note(process.name, error.code)
                await asyncio.sleep(self._rng.uniform(2.0, 10.0))
            except Rejected:  # of a commit whose answer was lost, or of legs a reorg re-opened
                return group[0].intent_id in self._world.rows.intents
            except ForeignNonce as error:
                if self._needs_a_person(error):
                    return False
                await self._catch_up(process, error)
            else:
                return True

    def _needs_a_person(self, error):
        """Whether nothing but ambiguities that stay keep the account's numbers unsettled."""
        below = self._world.rows.live_below(error.sender, error.on_chain)
        return bool(below) and all(map(self._world.checks.may_stay, below))

    async def _catch_up(self, process, error):
        """Number on after transactions that others sent, once ours at their nonces are settled."""

        def skip():
            skipped = self._world.rows.catch_up(error.sender, error.on_chain)
            self._world.checks.skipped(error.sender, skipped)

        with suppress(Transient):
            await process.call("catch_up", skip, "journal_error")
        await asyncio.sleep(BLOCK_SECONDS)

    async def _record_once(self, process, network, group):
        head = await network.head()
        nonces = await network.nonces([group[0].sender], head.ref)
        policy = FeePolicy(FeeModel.EIP1559, group[0].fee_ceiling_wei)
        fees = quote(policy, head.base_fee_wei, await network.suggest_tip_wei())
        await process.call(
            "record", lambda: insert(self._world, group, fees, nonces), "journal_error"
        )

    def _wishes(self, deal, kind, legs):
        world, sender = self._world, self._rng.choice(self._world.senders)
        deadline = None
        if self._rng.random() < 0.3:
            deadline = 1_000 + int(world.loop.time() + self._rng.uniform(10.0, 200.0))
        return wishes_of(world, deal, legs, Wish(sender, kind, deadline))

    def _kind(self):
        if not self._world.strikes("hostile_call"):
            return PAYS
        return self._rng.choice((REVERTS, SAYS_NOTHING))

    def _perhaps_cancel(self, group):
        if self._world.strikes("cancel"):
            self._world.later(self._rng.uniform(0.0, 80.0), self._cancel, group[0].group_id)

    def _cancel(self, group_id):
        self._world.note("operator", "cancels", str(group_id)[-4:])
        self._world.rows.request_cancel(group_id)
        self._world.word()

    async def _settled(self, group):
        """The group's rows once all of them are final: what failed is repeated at once."""
        world, rows = self._world, self._world.rows
        while True:
            found = [rows.intents[one.intent_id] for one in group]
            if all(one.status.is_final or world.checks.may_stay(one) for one in found):
                return found
            await asyncio.sleep(BLOCK_SECONDS)

    def _failed(self, row):
        return row.status in FREES_LEG
