"""One deal whose workers are all killed: at every boundary of every group it sends."""

import pytest

from tests.recovery.groups import GROUPS, POINTS
from tests.recovery.scene import assert_same_deal


@pytest.mark.slow
async def test_a_deal_that_loses_a_worker_at_every_boundary_is_the_same_deal(scene, undisturbed):
    deal = await scene.deal()
    for group in GROUPS:
        for point in POINTS:
            # Each worker gets just far enough to die where the one before it would have gone on.
            scene.bury_the_dead()
            await deal.dies_at(point.name)
            await deal.mined(point.mined(group))
            assert deal.signed() == point.signed(group), (group.name, point.name)
    await deal.dies_at("advance.before_commit")
    await deal.dies_at("advance.after_commit")
    outcome = await deal.finished()
    assert len(scene.workers) == len(GROUPS) * len(POINTS) + 3
    assert_same_deal(deal, outcome, undisturbed)
