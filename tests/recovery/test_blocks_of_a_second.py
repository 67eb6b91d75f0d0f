"""The same promise where blocks come once a second, for workers started by the command line.

Here a transaction that was sent waits in the node's pool: a worker can die between the two.
"""

from tests.recovery.groups import GROUPS
from tests.recovery.scene import assert_same_deal

OPEN, REPAY = GROUPS[1], GROUPS[6]


async def test_a_worker_killed_while_its_group_waits_for_a_block_leaves_the_same_deal(
    slow_scene, undisturbed
):
    deal, control = await slow_scene.deal(), slow_scene.devnet.control
    await deal.dies_at(f"advance.after_commit:{OPEN.number}", executed=True)
    control.set_interval(60)  # so that what is sent now is still in the pool when we look
    await deal.dies_at("tx.after_broadcast", executed=True)
    assert int(control.rpc.call("txpool_status")["pending"], 16) == OPEN.after - OPEN.before
    assert len(deal.observed().effects) == OPEN.before
    control.set_interval(1)
    outcome = await deal.finished(executed=True)
    assert_same_deal(deal, outcome, undisturbed)


async def test_a_worker_killed_before_it_commits_the_repayment_leaves_the_same_deal(
    slow_scene, undisturbed
):
    deal = await slow_scene.deal()
    await deal.dies_at(f"advance.before_commit:{REPAY.number}", executed=True)
    assert deal.signed() == len(deal.observed().effects) == REPAY.before
    outcome = await deal.finished(executed=True)
    assert_same_deal(deal, outcome, undisturbed)
