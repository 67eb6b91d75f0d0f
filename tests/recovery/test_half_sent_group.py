"""SIGKILL while a group is being sent: the node has its first transactions and not the others."""

import pytest

from tests.recovery.groups import GROUPS
from tests.recovery.scene import assert_same_deal
from tests.support.cutting_proxy import cutting_proxy
from tests.support.worker_process import KILLED

# step 0 sends one transaction: there is no half of it
HALVES = [
    pytest.param(group, passed, id=f"step{group.step}-{group.name}-{passed}-of-{size}")
    for group in GROUPS
    if group.name in {"open", "purchase", "second_tranche", "repay"}
    for size in [group.after - group.before]
    for passed in sorted({1, size - 1})
]


@pytest.mark.parametrize(("group", "passed"), HALVES)
async def test_a_worker_killed_while_it_sends_a_group_leaves_the_same_deal(
    scene, undisturbed, group, passed
):
    deal = await scene.deal()
    await deal.dies_at(f"advance.after_commit:{group.number}")
    size = group.after - group.before
    async with cutting_proxy(scene.devnet.url, least=size, passed=passed) as proxy:
        worker = scene.worker(rpc_url=proxy.url)
        proxy.victim.set_result(worker)
        assert await worker.ended() == KILLED
    await deal.mined(group.before + passed)
    assert deal.signed() == group.after
    outcome = await deal.finished()
    assert_same_deal(deal, outcome, undisturbed)
