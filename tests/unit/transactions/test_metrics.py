"""Every figure that guarantee 10 asks for, moved by the loop itself."""

from dataclasses import replace

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from holdfast.chain.sending import SendAnswer, SendOutcome
from holdfast.transactions.metrics import TransactionMetrics
from holdfast.transactions.shard import Shard
from tests.support.transactions import GWEI, Fees, group
from tests.unit.transactions.test_loop import Rig

SHARD = {"shard": "0/1"}


class Figures:
    def __init__(self):
        self.registry = CollectorRegistry()

    def __call__(self, name, **labels):
        return self.registry.get_sample_value(f"holdfast_tx_{name}", labels)


@pytest.fixture
def figures():
    return Figures()


@pytest_asyncio.fixture
async def rig(figures):
    made = Rig()
    made.parts = replace(made.parts, shard=Shard(), metrics=TransactionMetrics(figures.registry))
    await made.restart()
    return made


async def test_queue_flight_age_answers_gas_and_latency_follow_the_loop(rig, figures):
    wishes = group(2)
    await rig.record(wishes)
    rig.shared.live.put(await rig.journal.live())
    rig.clock.seconds += 2
    await rig.watcher.step()
    assert figures("queued", **SHARD) == 2
    assert figures("in_flight", **SHARD) == 0
    await rig.sender.step()
    assert figures("broadcasts_total", answer="accepted") == 2
    await rig.settle(5)
    assert (figures("queued", **SHARD), figures("in_flight", **SHARD)) == (0, 2)
    assert figures("oldest_seconds", **SHARD) == pytest.approx(5)
    rig.chain.mine()
    await rig.settle()
    assert figures("settled_total", status="landed") == 2
    # 21,000 gas each at base 1 + tip 1 gwei, the cap
    assert figures("gas_wei_total") == 2 * 21_000 * 2 * GWEI
    # sent at block 0, mined in block 1
    assert figures("latency_blocks_bucket", le="0.0") == 0
    assert figures("latency_blocks_bucket", le="1.0") == 2
    await rig.settle()
    assert figures("in_flight", **SHARD) == 0


async def test_replacements_cancels_and_stuck_ones_are_counted(rig, figures):
    wishes = group(1, fee_ceiling_wei=5 * GWEI)
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.base_fee = 3 * GWEI
    for _ in range(3):
        rig.chain.mine()
        await rig.settle()
    assert figures("attempts_total", purpose="call") == 1
    rig.chain.base_fee = 9 * GWEI
    for _ in range(8):
        rig.chain.mine()
        await rig.settle()
    assert figures("stuck", **SHARD) == 1
    rig.chain.base_fee = GWEI
    rig.journal._update(wishes[0].intent_id, cancel_requested=True)
    rig.chain.pool.clear()
    await rig.settle(6)
    assert figures("attempts_total", purpose="cancel") is None  # no room under the ceiling


async def test_an_ambiguous_intent_is_a_figure(rig, figures):
    wishes = group(1)
    await rig.record(wishes)
    await rig.sender.step()
    rig.chain.has_states = False
    foreign = await rig.record(group(1, index=1), 0, Fees(9 * GWEI, 9 * GWEI))
    del rig.journal.intents[foreign[0].intent_id]
    await rig.chain.send_raw([foreign[0].last.raw])
    for _ in range(3):
        rig.chain.mine()
    await rig.settle()
    await rig.settle()
    assert figures("ambiguous", **SHARD) == 1


async def test_answers_are_told_apart(rig, figures):
    await rig.record(group(1))
    rig.chain.answer = SendAnswer(SendOutcome.UNKNOWN, "timed out")
    await rig.sender.step()
    assert figures("broadcasts_total", answer="unknown") == 1
    assert figures("broadcasts_total", answer="accepted") is None


async def test_a_loop_that_no_longer_leads_shows_no_gauges(rig, figures):
    await rig.settle()
    assert figures("in_flight", **SHARD) == 0
    rig.parts.metrics.stopped("0/1")
    assert figures("in_flight", **SHARD) is None
    rig.parts.metrics.stopped("0/1")  # a loop may end before its first look
