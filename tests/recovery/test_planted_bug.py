"""The whole method can fail: a bug planted in the real worker turns it red."""

from collections import Counter

import pytest

from tests.recovery.scene import assert_same_deal

ETHER = 10**18


async def test_a_worker_that_broadcasts_before_it_commits_funds_the_deal_twice(scene, undisturbed):
    deal = await scene.deal()
    await deal.dies_at("advance.before_commit", sabotage="broadcast_before_commit")
    await deal.mined(1)
    assert deal.signed() == 0  # on chain, and nobody knows
    outcome = await deal.finished()
    verdict = deal.judged_by(undisturbed.effects)
    assert verdict.duplicated == Counter({("fund", "ETH", "", 2_500 * ETHER): 1})
    assert outcome.journal.mismatches > 0
    with pytest.raises(AssertionError):
        assert_same_deal(deal, outcome, undisturbed)
