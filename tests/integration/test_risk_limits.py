"""Limits and the open book in Postgres: what is kept, what is refused, and who waits for whom."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from holdfast.common.errors import Rejected
from holdfast.common.ids import BankId, ChainId, ModuleId, new_group_id
from holdfast.common.money import BPS, USD8
from holdfast.common.system_clock import SystemClock
from holdfast.execution.open_book import OpenBook
from holdfast.execution.store.deals import DealStore
from holdfast.execution.store.legs import record_legs
from holdfast.execution.store.sums import book_sums
from holdfast.model.deal import DealStatus
from holdfast.risk.caps import BookSums
from holdfast.risk.limits import RiskLimits
from holdfast.risk.market import settings
from holdfast.risk.service import DynamicLimits
from holdfast.risk.store import limits as store
from holdfast.risk.tightening import InForce
from tests.integration.test_execution_store import stored
from tests.support.alarm import KeptAlarm
from tests.unit.execution.scene import CALLS
from tests.unit.planning.world import REQUEST
from tests.unit.risk.markets import NOON, market

CHAIN = ChainId(138)
VALUE, SPEND = 10_000_000 * USD8, 600_000 * USD8
BROKEN = {"cash": 0.95}


class Clock:
    """A clock that stands still."""

    def __init__(self, now):
        self.time = now

    def now(self):
        return self.time

    def monotonic_seconds(self):
        return 0.0


class Published:
    """Limits that no market moves."""

    def __init__(self, **limits):
        self.limits = RiskLimits(**limits)

    async def in_force(self, session):
        return InForce(self.limits)


def now():
    return SystemClock().now()


async def begun(database, number, at=None, **values):
    """A deal whose first leg was recorded, now or at another time, and then a second one now."""
    deal = await stored(database, number, **values)
    async with database.begin() as session:
        await record_legs(session, deal, new_group_id(), [CALLS.fund(1), CALLS.supply(1)])
        if at is not None:
            update = "UPDATE legs SET created_at = :at WHERE deal_id = :deal AND seq = 0"
            await session.execute(text(update), {"at": at, "deal": deal.deal_id})
    return deal


async def sums(database, request=REQUEST, day=None):
    async with database.begin() as session:
        return await book_sums(session, request, day or now() - timedelta(hours=1))


async def test_a_state_comes_back_as_it_was_kept(database):
    limits = DynamicLimits(CHAIN, RiskLimits(), KeptAlarm())
    async with database.begin() as session:
        assert await limits.kept(session) is None
        await limits.observe(session, market())
        await limits.observe(session, market(NOON + 5, **BROKEN))
        after = await limits.observe(session, market(NOON + 65))
    async with database.begin() as session:
        kept = await store.load(session, CHAIN)
        assert kept.state == after
        assert kept.settings == settings(market())
        in_force = (await limits.in_force(session)).limits
        assert in_force.max_ltv == 1_500
        assert in_force.max_deal == RiskLimits().max_deal // 2
        (change,) = await store.newest_changes(session, CHAIN, 10)
    assert (change["before_bps"], change["after_bps"], change["cause"]) == (BPS, 5_000, "score")


async def test_chains_keep_their_own_limits(database):
    first, other = (
        DynamicLimits(ChainId(number), RiskLimits(), KeptAlarm()) for number in (138, 1)
    )
    async with database.begin() as session:
        await first.observe(session, market(**BROKEN))
        assert await other.kept(session) is None
        assert (await other.in_force(session)).limits == RiskLimits()


async def test_a_change_is_never_changed_again(database):
    limits = DynamicLimits(CHAIN, RiskLimits(), KeptAlarm())
    async with database.begin() as session:
        await limits.observe(session, market(**BROKEN))
    for statement in (
        "UPDATE risk_limit_changes SET after_bps = 10000",
        "DELETE FROM risk_limit_changes",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.begin() as session:
                await session.execute(text(statement))


async def test_no_scale_above_the_published_limits_can_be_stored(database):
    limits = DynamicLimits(CHAIN, RiskLimits(), KeptAlarm())
    async with database.begin() as session:
        await limits.observe(session, market())
    with pytest.raises(DBAPIError, match="scale"):
        async with database.begin() as session:
            await session.execute(text("UPDATE risk_limits SET scale_bps = 10001"))


async def test_only_open_deals_are_in_the_book(database):
    for number, status in enumerate(DealStatus, start=1):
        await begun(database, number, status=str(status))
    found = await sums(database)
    # approved, executing, holding and closing are open; completed twice and failed were today.
    assert found == BookSums(bank=4 * VALUE, module=4 * VALUE, asset=4 * SPEND, day=7 * VALUE)


async def test_banks_modules_and_days_are_told_apart(database):
    before = now() - timedelta(days=2)
    await begun(database, 1, status="executing")
    await begun(database, 2, status="executing", participant_bank_id="BANK002")
    await begun(database, 3, status="executing", module_id="MODULE002")
    await begun(database, 4, status="completed", at=before)
    await begun(database, 5, status="executing", at=before)
    found = await sums(database)
    assert found == BookSums(bank=3 * VALUE, module=3 * VALUE, asset=4 * SPEND, day=3 * VALUE)


async def test_a_deal_counts_on_the_day_it_begins_to_use_capital_over_midnight(database):
    """Planned and approved before midnight; one begins before it, one after, one not yet."""
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    evening, morning = midnight - timedelta(minutes=5), midnight + timedelta(minutes=5)
    old = {"created_at": midnight - timedelta(days=3), "status": "executing"}
    await begun(database, 1, at=evening, **old)
    await begun(database, 2, at=morning, **old)
    await stored(database, 3, **{**old, "status": "approved"})

    async def day(at):
        return (await OpenBook(database, Published(), Clock(at)).sums(REQUEST)).day

    assert await day(midnight - timedelta(seconds=1)) == 3 * VALUE
    assert await day(midnight) == 2 * VALUE
    # a day on, only what may still begin counts
    assert await day(midnight + timedelta(days=1)) == VALUE


async def test_a_deal_of_an_older_worker_counts_with_the_most_it_may_spend(database):
    await stored(database, 1, status="executing", spend_usd8=None)
    assert (await sums(database)).asset == VALUE // 4


@pytest.mark.parametrize(
    ("cap", "limit", "value"),
    [
        ("deal", VALUE - 1, VALUE),
        ("bank", 2 * VALUE - 1, 2 * VALUE),
        ("module", 2 * VALUE - 1, 2 * VALUE),
        ("asset", 2 * SPEND - 1, 2 * SPEND),
        ("day", 2 * VALUE - 1, 2 * VALUE),
    ],
)
async def test_a_full_book_admits_no_further_deal(database, cap, limit, value):
    await stored(database, 1, status="executing")
    waiting = await stored(database, 2, status="awaiting_approval")
    book = OpenBook(database, Published(**{f"max_{cap}": limit}), Clock(now()))
    with pytest.raises(Rejected) as caught:
        async with database.begin() as session:
            await book.admit(session, waiting)
    error = caught.value
    assert (error.code, error.fields) == (f"caps.{cap}", {"limit": limit, "value": value})


async def test_an_approval_that_a_tightened_cap_refuses_says_so(database):
    limits = DynamicLimits(CHAIN, RiskLimits(max_deal=VALUE), KeptAlarm())
    async with database.begin() as session:
        await limits.observe(session, market())
        await limits.observe(session, market(NOON + 5, **BROKEN))
    waiting = await stored(database, 1, status="awaiting_approval")
    with pytest.raises(Rejected) as caught:
        async with database.begin() as session:
            await OpenBook(database, limits, Clock(now())).admit(session, waiting)
    assert (caught.value.code, caught.value.fields["limit"]) == ("caps.deal", VALUE // 2)
    tightened = "tightened this limit from $10,000,000.00 to $5,000,000.00: 50 % of the published"
    assert tightened in caught.value.message


async def test_a_loan_beyond_a_cap_that_was_tightened_since_the_plan_is_not_approved(database):
    """Half of 30 % is 15 %: a deal planned to open at 20 % a minute before is refused."""
    limits = DynamicLimits(CHAIN, RiskLimits(), KeptAlarm())
    waiting = await stored(database, 1, status="awaiting_approval")
    book = OpenBook(database, limits, Clock(now()))
    async with database.begin() as session:
        await limits.observe(session, market())
        await book.admit(session, waiting)
        await limits.observe(session, market(NOON + 5, **BROKEN))
        with pytest.raises(Rejected) as caught:
            await book.admit(session, waiting)
    assert (caught.value.code, caught.value.fields) == ("I6.ltv", {"limit": 1_500, "value": 2_000})
    assert "tightened this limit from 30.00 % to 15.00 %" in caught.value.message
    assert "plan the deal anew with less" in caught.value.message


async def test_of_two_deals_that_do_not_fit_together_one_waits_and_is_refused(database):
    first, second = [await stored(database, n, status="awaiting_approval") for n in (1, 2)]
    book = OpenBook(database, Published(max_bank=VALUE), Clock(now()))
    deals, entered = DealStore(), asyncio.Event()

    async def join(deal):
        async with database.begin() as session:
            await book.admit(session, deal)
            entered.set()
            await asyncio.sleep(0.3)  # the other one is at the book's door by now
            await deals.change(session, deal, {"status": "approved"})

    results = await asyncio.gather(join(first), join(second), return_exceptions=True)
    assert sorted(type(each) for each in results if each is not None) == [Rejected]
    assert entered.is_set()
    assert (await sums(database)).bank == VALUE


async def test_the_day_is_the_clocks_in_utc(database):
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    await begun(database, 1, at=noon, status="executing")
    tomorrow = OpenBook(database, Published(), Clock(noon + timedelta(days=1)))
    assert (await tomorrow.sums(REQUEST)).day == 0
    today = OpenBook(database, Published(), Clock(noon))
    assert (await today.sums(REQUEST)).day == VALUE
    assert (await today.in_force()).limits == RiskLimits()


async def test_other_banks_see_their_own_book(database):
    await stored(database, 1, status="executing")
    request = REQUEST.__class__(
        total_eth_value=REQUEST.total_eth_value,
        bank=BankId("BANK009"),
        module=ModuleId("MODULE009"),
        chain_id=REQUEST.chain_id,
    )
    assert await sums(database, request) == BookSums(asset=SPEND, day=VALUE)


async def test_limits_that_nobody_has_kept_for_an_hour_are_halved(database):
    limits = DynamicLimits(CHAIN, RiskLimits(), KeptAlarm())
    async with database.begin() as session:
        await limits.observe(session, market())
        assert (await limits.in_force(session)).limits == RiskLimits()
        old = "UPDATE risk_limits SET updated_at = now() - interval '61 minutes'"
        await session.execute(text(old))
        found = await limits.in_force(session)
        assert found.limits.max_ltv == 1_500
        assert 3_600 < found.unseen_seconds < 3_700
        other = DynamicLimits(ChainId(1), RiskLimits(), KeptAlarm())
        assert (await other.in_force(session)).limits == RiskLimits()
    waiting = await stored(database, 1, status="awaiting_approval")
    with pytest.raises(Rejected, match="nobody has read the market for") as caught:
        async with database.begin() as session:
            await OpenBook(database, limits, Clock(now())).admit(session, waiting)
    assert caught.value.code == "I6.ltv"
