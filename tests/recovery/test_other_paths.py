"""Deaths on the paths that an ordinary deal does not take: paid from the bucket, and frozen.

Ether that is sold to pay a debt pays its interest too, so amounts move with time here: legs are
compared by what they are, and the ledger with the chain.
"""

import pytest

from holdfast.model.deal import DealStatus, Funding
from tests.recovery.scene import assert_ledger_is_the_chain
from tests.support.checker import SAME_SHAPE, judge_all
from tests.support.worker_process import KILLED

PURCHASE = 3  # groups are counted as in groups.py: fund, open, purchase
HOMEWARD = 5  # after the first tranche: the reserve pays the debt
RESUMED = 8  # after cash and ether went home: the second tranche

# These are passed once a group. Where a deal waits for a thaw it looks again and again, so the
# boundaries of `advance` cannot be counted there.
POINTS = ["tx.after_sign", "tx.before_broadcast", "tx.after_broadcast"]


def assert_right(deal, outcome, expected):
    chain, start = deal.scene.chain, deal.start
    verdict = judge_all(chain, start, [deal.places], expected.effects, by=SAME_SHAPE)
    assert verdict.is_clean, verdict
    assert outcome.status is expected.status is DealStatus.COMPLETED
    assert_ledger_is_the_chain(outcome)


def kinds_of(observed):
    return [effect.kind for effect in observed.effects]


async def through_a_freeze(deal):
    """Thaw the desk, which froze after the first tranche, once the deal waits for nothing else."""
    await deal.until(lambda one: one.status is DealStatus.HOLDING and one.group_id is None)
    deal.scene.devnet.control.thaw()


@pytest.fixture(scope="module")
def bucket_deal(undisturbed_run):
    """A deal paid from the bucket that nothing happens to."""
    return undisturbed_run(lambda deal: deal.finished(), funding=Funding.BUCKET)


@pytest.fixture(scope="module")
def frozen_deal(undisturbed_run):
    """A deal that a freeze happens to, and nothing else."""

    async def run(deal):
        deal.scene.devnet.control.freeze_after(1)
        async with deal.scene.working():
            await through_a_freeze(deal)
            return await deal.over()

    return undisturbed_run(run)


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_while_the_bucket_is_sold_leaves_the_same_deal(
    scene, bucket_deal, point
):
    deal = await scene.deal(funding=Funding.BUCKET)
    await deal.dies_at(f"{point}:{PURCHASE}")
    assert_right(deal, await deal.finished(), bucket_deal)


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_while_the_reserve_pays_the_debt_leaves_the_same_deal(
    scene, frozen_deal, point
):
    deal = await scene.deal()
    scene.devnet.control.freeze_after(1)
    await deal.dies_at(f"{point}:{HOMEWARD}")
    assert kinds_of(deal.observed()).count("claim_redemption") == 1
    async with scene.working():
        await through_a_freeze(deal)
        assert_right(deal, await deal.over(), frozen_deal)


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_after_a_thaw_leaves_the_same_deal(scene, frozen_deal, point):
    deal = await scene.deal()
    scene.devnet.control.freeze_after(1)
    worker = scene.worker(crash_at=f"{point}:{RESUMED}")
    await through_a_freeze(deal)
    assert await worker.ended() == KILLED
    assert "return_native" in kinds_of(deal.observed())
    assert_right(deal, await deal.finished(), frozen_deal)


def test_a_frozen_deal_repays_from_its_reserve_and_redeems_the_rest_later(frozen_deal):
    kinds = kinds_of(frozen_deal.observed)
    assert kinds.index("repay") < [at for at, kind in enumerate(kinds) if "claim" in kind][1]
    assert kinds.count("swap") == 2  # the purchase, and the ether that paid the debt
