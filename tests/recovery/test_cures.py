"""Deaths while a deal cures itself because ETH fell: the same deal all the same.

The tranche waits in the desk's queue meanwhile. Amounts move with time here: see test_other_paths.
"""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from holdfast.model.deal import DealStatus, Step
from holdfast.model.leg import LegKind, LegStatus
from tests.recovery.groups import CONVERT, CURES, POINTS, REPAY_PART
from tests.recovery.test_other_paths import assert_right, kinds_of
from tests.support.checker import allowances
from tests.support.cutting_proxy import cutting_proxy
from tests.support.worker_process import KILLED

QUEUE_SECONDS = 86_400
FALLEN = {
    CONVERT: Decimal(1_500),  # a cover of 1.21
    REPAY_PART: Decimal(1_300),  # 600,000 over 1,500 ETH: 30.8 %
}


@dataclass(frozen=True)
class Fall:
    """A deal in the queue that is to make `cure`."""

    deal: object
    cure: object

    async def waits(self):
        """ETH falls once the tranche waits; the worker that brought the deal there is gone."""
        async with self.deal.scene.working():
            await self.deal.until(landed(LegKind.REQUEST_REDEMPTION, Step.MONETISATION))
        self.deal.scene.devnet.control.set_price(FALLEN[self.cure])
        assert self.deal.signed() == self.cure.before

    async def ended(self):
        """The outcome after another worker took over, cured the deal and redeemed the rest."""
        self.deal.scene.bury_the_dead()
        async with self.deal.scene.working():
            await self._cured()
            return await self._redeemed()

    async def _cured(self):
        """The deal rests, cured once and with nothing allowed."""
        last = LegKind.SWAP if self.cure is CONVERT else LegKind.REPAY
        await self.deal.until(landed(last, Step.LIQUIDITY))
        seen = self.deal.observed()
        assert len(seen.effects) == self.cure.after
        assert set(allowances(self.deal.scene.chain, self.deal.places, seen).values()) == {0}

    async def _redeemed(self):
        """The queue is over; what is left is redeemed at once."""
        control = self.deal.scene.devnet.control
        control.set_queue_delay(0)
        control.advance_time(QUEUE_SECONDS + 1)
        return await self.deal.over()


def landed(kind, step):
    """Whether the deal rests and a leg of this kind has landed in this step."""

    def is_so(deal):
        done = {(leg.kind, leg.step) for leg in deal.legs if leg.status is LegStatus.LANDED}
        return deal.group_id is None and (kind, step) in done

    return is_so


@pytest.fixture(scope="module")
def cured_deals(undisturbed_run):
    """For each cure, a deal that the fall happens to, and nothing else."""

    def made(cure):
        async def run(deal):
            deal.scene.devnet.control.set_queue_delay(QUEUE_SECONDS)
            fall = Fall(deal, cure)
            await fall.waits()
            return await fall.ended()

        return undisturbed_run(run)

    return {cure: made(cure) for cure in CURES}


@pytest.fixture
async def fall(scene, request):
    """A deal that waits in the queue while ETH has fallen; nobody works."""
    scene.devnet.control.set_queue_delay(QUEUE_SECONDS)
    made = Fall(await scene.deal(), request.param)
    await made.waits()
    return made


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
@pytest.mark.parametrize("fall", CURES, ids=lambda cure: cure.name, indirect=True)
async def test_a_worker_killed_while_it_cures_a_deal_leaves_the_same_deal(fall, cured_deals, point):
    """The first group that this worker meets is the cure, so each boundary is its first."""
    deal, cure = fall.deal, fall.cure
    deal.scene.bury_the_dead()
    await deal.dies_at(point.name)
    await deal.mined(point.mined(cure))
    assert deal.signed() == point.signed(cure)
    outcome = await fall.ended()
    assert_right(deal, outcome, cured_deals[cure])


HALVES = [
    pytest.param(cure, passed, id=f"{cure.name}-{passed}")
    for cure in CURES
    for passed in (1, cure.after - cure.before - 1)
]


@pytest.mark.parametrize(("fall", "passed"), HALVES, indirect=["fall"])
async def test_a_worker_killed_while_it_sends_a_cure_leaves_the_same_deal(
    fall, cured_deals, passed
):
    """The node has the first transactions of it and not the others."""
    deal, cure = fall.deal, fall.cure
    deal.scene.bury_the_dead()
    await deal.dies_at("advance.after_commit")
    async with cutting_proxy(deal.scene.devnet.url, least=2, passed=passed) as proxy:
        worker = deal.scene.worker(rpc_url=proxy.url)
        proxy.victim.set_result(worker)
        assert await worker.ended() == KILLED
    await deal.mined(cure.before + passed)
    outcome = await fall.ended()
    assert_right(deal, outcome, cured_deals[cure])


def test_a_cured_deal_repays_a_part_before_it_redeems_and_the_rest_at_the_end(cured_deals):
    kinds = kinds_of(cured_deals[REPAY_PART].observed)
    assert cured_deals[REPAY_PART].status is DealStatus.COMPLETED
    assert kinds.count("repay") == 2
    assert kinds.index("repay") < kinds.index("claim_redemption")
    assert kinds.count("swap") == 2  # the purchase, and the ether for the part


def test_a_converted_deal_sells_before_it_redeems_and_repays_once(cured_deals):
    kinds = kinds_of(cured_deals[CONVERT].observed)
    assert cured_deals[CONVERT].status is DealStatus.COMPLETED
    assert kinds.count("repay") == 1
    assert kinds.count("swap") == 2
    sold = [at for at, kind in enumerate(kinds) if kind == "swap"][1]
    assert sold < kinds.index("claim_redemption")
