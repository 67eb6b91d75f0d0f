"""Workers whose machines' clocks are wrong: the chain's time decides, not theirs."""

import pytest

from tests.recovery.groups import GROUPS
from tests.recovery.scene import assert_same_deal
from tests.support.sabotage import live_an_hour_ahead, live_an_hour_behind

PURCHASE = GROUPS[2]
WRONG = [live_an_hour_ahead, live_an_hour_behind]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
async def test_a_worker_with_a_wrong_clock_carries_out_the_same_deal(scene, undisturbed, wrong):
    deal = await scene.deal()
    assert_same_deal(deal, await deal.finished(sabotage=wrong.__name__), undisturbed)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
async def test_what_a_worker_with_a_wrong_clock_began_another_ends(scene, undisturbed, wrong):
    deal = await scene.deal()
    await deal.dies_at(f"advance.after_commit:{PURCHASE.number}", sabotage=wrong.__name__)
    assert_same_deal(deal, await deal.finished(), undisturbed)
