"""Before a deal starts it is stressed afresh, with every other open deal."""

from dataclasses import replace

import pytest

from holdfast.common.money import USD8, Bps, Usd8
from holdfast.execution.start_check import StartCheck, stress_drift
from holdfast.model.deal import DealStatus
from holdfast.model.plan import Plan, ScenarioVerdict
from holdfast.risk.book import OpenBook
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.limits import RiskLimits
from holdfast.risk.scenarios import STANDARD
from tests.unit.execution.scene import AT, deal, seen
from tests.unit.planning.world import drafted

LIMITS = RiskLimits()
EXPOSED = drafted().exposed
POOL = ExitPool(Usd8(500_000_000 * USD8), 500)
ONE = deal(status=DealStatus.APPROVED)


def book(others=0, mine=EXPOSED, deal_id=ONE.deal_id):
    deals = [(str(deal_id), mine), *((f"other-{n}", EXPOSED) for n in range(others))]
    return OpenBook(AT, Usd8(2_000 * USD8), POOL, deals)


class Books:
    def __init__(self, found):
        self.found, self.reads = found, 0

    async def read(self):
        self.reads += 1
        return self.found


class Observer:
    def __init__(self, drift=()):
        self.drift = drift

    async def observe(self, deal_):
        return seen(venue_changes={"drift": self.drift})

    async def has_lost(self, place, followed):
        return (place, followed) == ("gone", 9)


def test_a_deal_that_is_as_approved_may_start_beside_others():
    assert stress_drift(ONE, book(), LIMITS) == ()
    assert stress_drift(ONE, book(others=20), LIMITS) == ()


def test_a_book_too_crowded_for_its_pool_voids_the_approval():
    # 612,395.59 each: 130 deals raise 79.6 M of 353.6 M, which leaves 60 % of the price; cover 0.98
    assert stress_drift(ONE, book(others=129), LIMITS) == ("plan.book",)


def test_a_verdict_that_has_turned_voids_the_approval():
    thin = replace(EXPOSED, threshold=Bps(4_000))  # liquidated when ETH halves
    assert stress_drift(ONE, book(mine=thin), LIMITS) == ("plan.stress",)


def test_a_verdict_that_was_approved_as_it_is_voids_nothing():
    thin = replace(EXPOSED, threshold=Bps(4_000))
    envelope = ONE.plan.envelope
    known = tuple(ScenarioVerdict(shock.name, principal_whole=False) for shock in STANDARD)
    plan = Plan(replace(envelope, scenarios=known), ONE.plan.quoted_at, {})
    assert stress_drift(replace(ONE, plan=plan), book(mine=thin), LIMITS) == ()


def test_a_scenario_of_another_version_is_nobodys_business():
    verdicts = (*ONE.plan.envelope.scenarios, ScenarioVerdict("of_tomorrow", principal_whole=True))
    plan = Plan(replace(ONE.plan.envelope, scenarios=verdicts), ONE.plan.quoted_at, {})
    assert stress_drift(replace(ONE, plan=plan), book(), LIMITS) == ()


def test_a_deal_that_is_open_no_more_has_moved_on():
    assert stress_drift(ONE, book(others=200, deal_id="else"), LIMITS) == ()


@pytest.mark.parametrize(("others", "drift"), [(0, ()), (129, ("plan.book",))])
async def test_an_approved_deal_is_stressed_as_it_is_looked_at(others, drift):
    books, recent = Books(book(others)), Books(book(others))
    found = await StartCheck(Observer(), books, recent, LIMITS).observe(ONE)
    assert (found.venues.drift, recent.reads, books.reads) == (drift, 1, len(drift))


async def test_no_approval_is_void_by_a_book_that_was_not_read_anew():
    books, recent = Books(book(0)), Books(book(129))
    found = await StartCheck(Observer(), books, recent, LIMITS).observe(ONE)
    assert (found.venues.drift, recent.reads, books.reads) == ((), 1, 1)


async def test_deals_under_way_and_deals_that_cannot_start_are_not_stressed():
    books = Books(book(129))
    running = replace(ONE, status=DealStatus.EXECUTING)
    assert (await StartCheck(Observer(), books, books, LIMITS).observe(running)).venues.drift == ()
    moved = await StartCheck(Observer(("plan.quote",)), books, books, LIMITS).observe(ONE)
    assert (moved.venues.drift, books.reads) == (("plan.quote",), 0)


async def test_whether_a_block_is_lost_is_the_inner_observers_matter():
    check = StartCheck(Observer(), Books(book()), Books(book()), LIMITS)
    assert await check.has_lost("gone", 9)
    assert not await check.has_lost("kept", 9)
