"""The chain as one process sees it: through one node or another, with faults in between."""

from __future__ import annotations

from holdfast.chain.receipts import Block, MinedTransaction
from holdfast.chain.sending import SendAnswer, SendOutcome
from holdfast.common.errors import Transient
from tests.simulation.scenario import GWEI

_BEST_FIRST = tuple(SendOutcome)


class Network:
    """The loop's `Network` port, for one process."""

    def __init__(self, process):
        self._process = process
        self._world = process.world
        self._node = self._world.rng.choice(self._world.nodes)

    async def head(self):
        return await self._ask("head", lambda node: node.tip.head)

    async def recheck(self):
        await self._ask("recheck", lambda node: None)

    async def block(self, number):
        return await self._ask("block", lambda node: _block_of(node, number).head)

    async def blocks(self, first, last):
        return await self._ask("blocks", lambda node: _blocks_of(node, first, last))

    async def nonces(self, accounts, at):
        return await self._ask("nonces", lambda node: _nonces_of(node, accounts, at))

    async def transactions(self, at):
        return await self._ask("transactions", lambda node: _transactions_of(node, at))

    async def find_receipts(self, hashes):
        return await self._ask("find_receipts", lambda node: node.receipts_of(hashes))

    async def suggest_tip_wei(self):
        return await self._ask("tip", lambda node: GWEI)

    async def send_raw(self, transactions):
        """Broadcast to one node or to all; the answers are the best of those that came."""
        world, process = self._world, self._process
        world.checks.broadcast(process.name, transactions)
        await process.point("send_raw")
        await process._wait()
        await process.point("send_raw")
        nodes = world.nodes if world.scenario.broadcasts_to_all else [self._pick()]
        answers = [self._send(node, transactions) for node in nodes]
        merged = [min(of_one, key=_rank) for of_one in zip(*answers, strict=True)]
        world.note(process.name, "send_raw", [str(one) for one in merged])
        await process.point("send_raw")
        return [SendAnswer(one, one.value) for one in merged]

    def _send(self, node, transactions):
        """Hand bytes to one node; what it takes and what it says are two things."""
        world = self._world
        if self._is_dead(node) or world.strikes("lost_request"):
            return [SendOutcome.UNKNOWN] * len(transactions)
        if world.strikes("late_request"):
            world.later(world.rng.uniform(1.0, 60.0), self._deliver, node, transactions)
            return [SendOutcome.UNKNOWN] * len(transactions)
        if world.strikes("double_request"):
            world.later(world.rng.uniform(0.1, 60.0), self._deliver, node, transactions)
        count = len(transactions)
        if world.strikes("cut_batch"):
            count = world.rng.randrange(count)
        answers = self._deliver(node, transactions[:count])
        answers += [SendOutcome.UNKNOWN] * (len(transactions) - count)
        if world.strikes("lost_answer"):
            return [SendOutcome.UNKNOWN] * len(transactions)
        return answers

    def _deliver(self, node, transactions):
        return [self._deliver_one(node, self._world.signed.by_raw[raw]) for raw in transactions]

    def _deliver_one(self, node, tx):
        world = self._world
        if world.strikes("wrong_refusal"):
            return SendOutcome.REJECTED
        if world.strikes("no_funds"):
            return SendOutcome.INSUFFICIENT_FUNDS
        return world.offered(node, tx)

    async def _ask(self, name, answer):
        def look():
            node = self._pick()
            if self._is_dead(node):
                raise Transient("model.unreachable", node.name)
            return answer(node)

        return await self._process.call(name, look, "read_error")

    def _pick(self):
        world = self._world
        wanders = world.rates["wandering"] and world.happens("wandering")
        if wanders or self._is_dead(self._node):
            self._node = world.rng.choice(world.nodes)
        return self._node

    def _is_dead(self, node):
        return node.dead_until > self._world.loop.time()


def _rank(outcome):
    return _BEST_FIRST.index(outcome)


def _block_of(node, number):
    if not 0 <= number < len(node.view):
        raise Transient("chain.block_missing", f"no block {number}")
    return node.view[number]


def _blocks_of(node, first, last):
    found = [_block_of(node, number) for number in range(first, last + 1)]
    return [Block(one.head, one.receipts) for one in found]


def _pinned(node, at):
    block = _block_of(node, at.number)
    if block.head.ref.hash != at.hash:
        raise Transient("chain.block_gone", f"block {at.number} is another one")
    return block


def _transactions_of(node, at):
    return [
        MinedTransaction(tx.hash, tx.sender, tx.nonce, tx.to, tx.value, tx.data[:4], at)
        for tx in _pinned(node, at).txs
    ]


def _nonces_of(node, accounts, at):
    block = _pinned(node, at)
    return {one: block.nonces.get(one, 0) for one in accounts}
