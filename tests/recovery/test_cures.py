"""Deaths while a deal repays a part of its debt because ETH fell: the same deal all the same.

The tranche waits in the desk's queue meanwhile. Amounts move with time here: see test_other_paths.
"""

from decimal import Decimal

import pytest

from holdfast.model.deal import DealStatus
from holdfast.model.leg import LegKind, LegStatus
from tests.recovery.test_other_paths import POINTS, assert_right, kinds_of
from tests.support.worker_process import KILLED

CURE = 5  # groups are counted as in groups.py: fund, open, purchase, the request of a tranche
QUEUE_SECONDS = 86_400
FALLEN = Decimal(1_300)  # 600,000 over 1,500 ETH: 30.8 %


def landed(kind):
    """Whether the deal rests and a leg of this kind has landed."""

    def is_so(deal):
        done = {leg.kind for leg in deal.legs if leg.status is LegStatus.LANDED}
        return deal.group_id is None and kind in done

    return is_so


async def fallen(deal):
    """ETH falls once the tranche waits in the queue."""
    await deal.until(landed(LegKind.REQUEST_REDEMPTION))
    deal.scene.devnet.control.set_price(FALLEN)


async def redeemed(deal):
    """The queue is over once the deal is cured; what is left is redeemed at once."""
    await deal.until(landed(LegKind.REPAY))
    control = deal.scene.devnet.control
    control.set_queue_delay(0)
    control.advance_time(QUEUE_SECONDS + 1)
    return await deal.over()


@pytest.fixture(scope="module")
def cured_deal(undisturbed_run):
    """A deal that the fall happens to, and nothing else."""

    async def run(deal):
        deal.scene.devnet.control.set_queue_delay(QUEUE_SECONDS)
        worker = deal.scene.worker()
        await fallen(deal)
        outcome = await redeemed(deal)
        await worker.kill()
        return outcome

    return undisturbed_run(run)


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_while_it_cures_a_deal_leaves_the_same_deal(scene, cured_deal, point):
    scene.devnet.control.set_queue_delay(QUEUE_SECONDS)
    deal = await scene.deal()
    worker = scene.worker(crash_at=f"{point}:{CURE}")
    await fallen(deal)
    assert await worker.ended() == KILLED, worker.words()
    last = scene.worker()
    outcome = await redeemed(deal)
    await last.kill()
    assert_right(deal, outcome, cured_deal)


def test_a_cured_deal_repays_a_part_before_it_redeems_and_the_rest_at_the_end(cured_deal):
    kinds = kinds_of(cured_deal.observed)
    assert cured_deal.status is DealStatus.COMPLETED
    assert kinds.count("repay") == 2
    assert kinds.index("repay") < kinds.index("claim_redemption")
    assert kinds.count("swap") == 2  # the purchase, and the ether for the part
