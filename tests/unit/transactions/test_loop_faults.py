"""Any order of groups, blocks, reorgs, fees, cancels, deaths and foreign uses: one effect each.

The same world as the seeded simulation, moved by Hypothesis, which looks for the shortest way to
break it. Time passes only in `wait` and between blocks.
"""

import asyncio
from contextlib import ExitStack
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.signing.model import Fees
from tests.simulation.calls import PAYS, REVERTS
from tests.simulation.quiet import quiet
from tests.simulation.run import worker
from tests.simulation.scenario import BLOCK_SECONDS, GWEI, Scenario
from tests.simulation.scheduler import VirtualLoop, finish
from tests.simulation.signing import stand_ins
from tests.simulation.weather import Weather
from tests.simulation.wishes import Wish, insert, wishes_of
from tests.simulation.world import World

DEPTH = 3
FINALITY = 6
BLOCKS_TO_SETTLE = 60
SIGNERS = (0, 1)


class ANonceHasOneIntentAndALegOneEffect(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(quiet())
        self.loop = VirtualLoop()
        self.run(self.begin())

    async def begin(self):
        scenario = Scenario.plain(processes=2, signers=len(SIGNERS), depth=DEPTH, finality=FINALITY)
        self.world = World(Random(0), trace=[], scenario=scenario)  # noqa: S311 - not a secret
        self.weather = Weather(self.world)
        self.stack.enter_context(stand_ins(self.world))
        for number in range(scenario.processes):
            self.loop.create_task(worker(self.world, number))

    def run(self, work):
        return self.loop.run_until_complete(work)

    def pass_time(self, seconds):
        self.run(asyncio.sleep(seconds))

    def teardown(self):
        try:
            self.world.calm()
            for _ in range(BLOCKS_TO_SETTLE):
                self.mine()
                if all(one.status.is_final for one in self.world.rows.intents.values()):
                    break
            self.world.checks.end()
            self.nothing_that_must_never_be_has_happened()
        finally:
            finish(self.loop)
            self.stack.close()

    @rule(
        signer=st.sampled_from(SIGNERS),
        size=st.integers(1, 3),
        late=st.none() | st.integers(1, 60),
        reverts=st.booleans(),
    )
    def record_a_group(self, signer, size, late, reverts):
        world, sender = self.world, self.world.senders[signer]
        chain = world.chain
        if chain.tip.nonces[sender] > world.rows.next_nonce.get(sender, 99):
            return  # used elsewhere: no group before it is proved
        deadline = None if late is None else chain.tip.head.ref.timestamp + late
        wish = Wish(sender, REVERTS if reverts else PAYS, deadline)
        group = wishes_of(world, world.new_id(), [world.new_id() for _ in range(size)], wish)
        insert(world, group, Fees(3 * GWEI, GWEI), {sender: chain.tip.nonces[sender]})

    @rule(seconds=st.sampled_from([0.5, 3, 10, 45]))
    def wait(self, seconds):
        self.pass_time(seconds)

    @rule()
    def mine(self):
        self.weather.mine()
        self.pass_time(BLOCK_SECONDS)

    @rule(blocks=st.integers(2, 6))
    def mine_some(self, blocks):
        for _ in range(blocks):
            self.mine()

    @rule(share=st.sampled_from([0.0, 0.5, 0.99]), keeps=st.booleans(), blocks=st.integers(1, 3))
    def reorg(self, share, keeps, blocks):
        self.world.rates["forgotten"] = 0.0 if keeps else 1.0
        self.weather.reorg(share)
        for _ in range(blocks):
            self.mine()
        self.world.rates["forgotten"] = 0.0

    @rule(gwei=st.sampled_from([1, 2, 4, 9, 30]))
    def change_the_base_fee(self, gwei):
        self.world.chain.base_fee = gwei * GWEI

    @rule(fault=st.sampled_from(["lost_answer", "lost_request", "lost_gossip", "journal_error"]))
    def disturb(self, fault):
        rates = self.world.rates
        rates[fault] = 0.0 if rates[fault] else 0.5

    @rule()
    def empty_the_pools(self):
        for node in (self.world.chain.miner, *self.world.nodes):
            node.pool.clear()

    @precondition(lambda self: self.world.lead.holder is not None)
    @rule()
    def kill_the_leader(self):
        self.world.lead.holder.crash("a rule")

    @precondition(lambda self: self.world.lead.holder is not None)
    @rule(notices_after=st.sampled_from([1, 20]))
    def let_two_lead(self, notices_after):
        self.world.lead.give_away(notices_after)

    @precondition(lambda self: self.world.rows.intents)
    @rule(data=st.data())
    def ask_to_cancel(self, data):
        groups = sorted({one.new.group_id for one in self.world.rows.intents.values()})
        self.world.rows.request_cancel(data.draw(st.sampled_from(groups)))
        self.world.word()

    @rule(signer=st.sampled_from(SIGNERS))
    def use_a_key_elsewhere(self, signer):
        self.weather.use_a_key(self.world.senders[signer])

    @invariant()
    def nothing_that_must_never_be_has_happened(self):
        assert self.world.violation is None, "\n".join(self.world.trace)


ANonceHasOneIntentAndALegOneEffect.TestCase.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, derandomize=True
)
test_any_order_of_faults_leaves_one_effect_each = pytest.mark.slow(
    ANonceHasOneIntentAndALegOneEffect.TestCase
)
