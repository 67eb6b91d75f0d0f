"""SIGKILL at every boundary of each of the five steps: one death, a restart, the same deal."""

import pytest

from tests.recovery.groups import GROUPS, POINTS
from tests.recovery.scene import assert_same_deal

BY_NAME = {group.name: group for group in GROUPS}
# One group of each step; the last step has two that matter, since nothing follows its last one.
CHOSEN = [
    BY_NAME[name]
    for name in ("fund", "open", "purchase", "second_tranche", "repay", "return_native")
]


@pytest.mark.parametrize("group", CHOSEN, ids=lambda group: f"step{group.step}-{group.name}")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
async def test_a_worker_killed_there_leaves_the_same_deal(scene, undisturbed, point, group):
    deal = await scene.deal()
    if "receipts" in point.name:
        # How many of a group's transactions are read at once is the node's affair: so one worker
        # comes as far as the group, and the next one dies at its first receipts.
        await deal.dies_at(f"advance.after_commit:{group.number}")
        await deal.dies_at(point.name)
    else:
        await deal.dies_at(f"{point.name}:{group.number}")
    await deal.mined(point.mined(group))
    assert deal.signed() == point.signed(group)
    scene.bury_the_dead()  # what the next worker waits for is measured in test_two_workers.py
    outcome = await deal.finished()
    assert_same_deal(deal, outcome, undisturbed)


@pytest.mark.parametrize("point", ["advance.before_commit", "advance.after_commit"])
async def test_a_worker_killed_while_it_completes_the_deal_leaves_the_same_deal(
    scene, undisturbed, point
):
    deal = await scene.deal()
    await deal.dies_at(f"{point}:{len(GROUPS) + 1}")
    assert len(deal.observed().effects) == GROUPS[-1].after
    outcome = await deal.finished()
    assert_same_deal(deal, outcome, undisturbed)
