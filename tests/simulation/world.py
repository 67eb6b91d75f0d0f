"""Everything of one run: the chain and its nodes, the rows, the lead, chance and the trace."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

from holdfast.chain.sending import SendOutcome
from tests.simulation.chain import Chain, Node
from tests.simulation.checks import Checks
from tests.simulation.journal import Rows
from tests.simulation.leading import Lead
from tests.simulation.scenario import Scenario
from tests.simulation.signing import Signed


class World:
    """The state that everything shares; every random choice comes from `rng`."""

    def __init__(self, rng, trace=None, scenario=None):
        self.rng = rng
        self.scenario = scenario or Scenario.drawn(rng)
        self.rates = self.scenario.rates
        self.loop = asyncio.get_running_loop()
        self.trace = trace
        self.counts = Counter()
        self.violation = None
        self.is_calm = False
        self.over = asyncio.Event()
        self._ids = 0
        self.signed = Signed()
        self.rows = Rows(self.scenario.finality)
        self.checks = Checks(self)
        self.lead = Lead(self)
        self.listeners = {}
        self.mute = set()
        self.foreign = set()
        self.senders = [f"0x{number:040x}" for number in range(1, self.scenario.signers + 1)]
        self.first_nonces = {one: self.rng.randint(0, 3) for one in self.senders}
        self.chain = Chain(self.rng, self.scenario.base_fee, self.first_nonces, self.checks.mined)
        for number in range(1, 12):
            self.chain.mine(1_000 + number, 0)
        names = [f"node{number}" for number in range(self.scenario.nodes)]
        self.nodes = [Node(name, self.chain.miner.view) for name in names]

    def new_id(self):
        """An id that nobody has yet."""
        self._ids += 1
        return UUID(int=self._ids)

    # chance

    def happens(self, fault):
        return self.rng.random() < self.rates[fault]

    def strikes(self, fault):
        """Whether `fault` happens now; it is counted and noted."""
        if not self.rates[fault] or self.rng.random() >= self.rates[fault]:
            return False
        self.counts["faults"] += 1
        self.note("world", fault)
        return True

    def calm(self):
        """Stop every fault; what was set off goes on to its end."""
        self.note("world", "faults stop")
        self.is_calm = True
        self.rates = dict.fromkeys(self.rates, 0.0)
        for node in self.nodes:
            node.lags_until = node.dead_until = 0.0

    # what happened

    def count(self, what):
        self.counts[what] += 1

    def note(self, who, *what):
        if self.trace is not None:
            self.trace.append(f"{self.loop.time():9.2f} {who:8} {' '.join(map(str, what))}")

    def fail(self, text):
        """End the run: something is that must never be."""
        if self.violation is None:
            self.violation = text
            self.note("checks", "VIOLATION", text)
            self.over.set()

    def later(self, seconds, act, *arguments):
        self.loop.call_later(seconds, act, *arguments)

    def word(self):
        """Tell the processes that there are new rows; each may miss it."""
        for heard in self.listeners.values():
            if not self.strikes("lost_word"):
                heard.set()

    # the nodes between them

    def offered(self, node, tx):
        """What `node` says to `tx`; what it takes it tells the others."""
        outcome = node.offer(tx)
        if outcome is SendOutcome.ACCEPTED:
            self.note(node.name, "takes", tx.hash[:12], "nonce", tx.nonce, "cap", tx.cap)
            for other in (self.chain.miner, *self.nodes):
                if other is not node and not self.strikes("lost_gossip"):
                    self.later(self.rng.uniform(0.0, 2.0), other.offer, tx)
        return outcome
