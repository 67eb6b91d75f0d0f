"""Blocks, fees, reorgs and the nodes' troubles: everything that happens without our doing."""

from __future__ import annotations

import asyncio

from holdfast.signing.model import Fees, TxFields
from tests.simulation.scenario import BLOCK_SECONDS, GWEI

_ROOM = 1_000
_CALM_FEE = GWEI


class Weather:
    """Makes the blocks of one world."""

    def __init__(self, world):
        self._world = world
        self._rng = world.rng

    async def blow(self):
        """Mine for ever."""
        while True:
            await asyncio.sleep(BLOCK_SECONDS * self._rng.uniform(0.6, 1.4))
            self._between_blocks()
            self.mine()

    def _between_blocks(self):
        world = self._world
        self._move_the_fee()
        if world.strikes("reorg"):
            self.reorg(self._rng.random())
        for node in world.nodes:
            self._trouble(node)
        if world.strikes("eviction"):
            self._evict(world.chain.miner, _ROOM)
        if world.strikes("foreign"):
            self.use_a_key(self._rng.choice(world.senders))
        if world.lead.holder is not None and world.strikes("second_leader"):
            world.lead.give_away(self._rng.uniform(0.0, 60.0))

    def mine(self):
        """Append a block and let the nodes know of it."""
        self._mine()
        self._publish()

    def _mine(self):
        world = self._world
        timestamp = max(1_000 + int(world.loop.time()), world.chain.tip.head.ref.timestamp + 1)
        room = self._rng.choice((0, 1, 2)) if world.strikes("full_blocks") else _ROOM
        block = world.chain.mine(timestamp, room)
        if world.trace is not None:
            mined = [f"{tx.hash[:12]}@{tx.nonce}" for tx in block.txs]
            world.note("chain", "block", block.head.ref.number, world.chain.base_fee, mined)
        world.count("blocks")

    def _publish(self):
        world = self._world
        for node in world.nodes:
            world.later(self._rng.uniform(0.0, 1.5), self._reach, node, world.chain.miner.view)

    def _reach(self, node, view):
        world = self._world
        if max(node.lags_until, node.dead_until) > world.loop.time():
            return
        if view is world.chain.miner.view:  # an older one is on its way after a newer one
            node.adopt(view, self._keeps)
        for tx in list(node.pool.values()):
            if not world.strikes("lost_gossip"):
                world.chain.miner.offer(tx)
        self._drop_what_is_too_cheap(node)

    def _keeps(self, tx):
        return tx.hash not in self._world.foreign and not self._world.strikes("forgotten")

    # what goes wrong

    def _move_the_fee(self):
        world, chain = self._world, self._world.chain
        if world.is_calm:
            chain.base_fee = _CALM_FEE
            return
        if world.strikes("fee_spike"):
            chain.base_fee *= self._rng.choice((3, 10))
        chain.base_fee = max(_CALM_FEE, int(chain.base_fee * self._rng.uniform(7 / 8, 9 / 8)))
        self._drop_what_is_too_cheap(chain.miner)

    def _drop_what_is_too_cheap(self, node):
        world = self._world
        if world.rates["dropped_when_dear"]:
            dear = [slot for slot, tx in node.pool.items() if tx.cap < world.chain.base_fee]
            for slot in dear:
                if world.strikes("dropped_when_dear"):
                    del node.pool[slot]

    def reorg(self, share):
        """Replace some of the last blocks: `share` of as many as finality allows at the most."""
        world, chain = self._world, self._world.chain
        number = chain.tip.head.ref.number
        deepest = number - (chain.highest - (world.scenario.finality - 1))
        if deepest < 1:
            return
        depth = 1 + int(share * deepest)
        world.count("reorgs")
        world.note("chain", "reorg of", depth, "at", number)
        chain.cut(depth, self._keeps)
        for _ in range(depth - self._rng.choice((0, 0, 1))):
            self._mine()

    def _trouble(self, node):
        world, now = self._world, self._world.loop.time()
        if world.strikes("lagging_node"):
            node.lags_until = now + self._rng.uniform(5.0, 120.0)
        if world.strikes("dead_node"):
            node.dead_until = now + self._rng.uniform(5.0, 60.0)
        if world.strikes("restarted_node"):
            node.pool.clear()
        if world.strikes("eviction"):
            self._evict(node, 1)

    def _evict(self, node, most):
        for slot in sorted(node.pool)[:most]:
            del node.pool[slot]

    def use_a_key(self, sender):
        """Somebody else signs with the key of `sender`."""
        world = self._world
        nonce = world.chain.tip.nonces[sender] + self._rng.choice((0, 0, 0, 1))
        fees = Fees(world.chain.base_fee * 3, world.chain.base_fee)
        tx = world.signed.sign(
            sender, TxFields(1, nonce, sender, b"", self._rng.randint(1, 99), 21_000, fees)
        )
        world.foreign.add(tx.hash)
        world.note("foreign", tx.hash[:12], "of", sender[-1], "nonce", nonce)
        world.offered(self._rng.choice(world.nodes), tx)
        world.chain.miner.offer(tx)
