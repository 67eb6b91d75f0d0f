"""Deals, plans, legs and steps in Postgres: what goes in comes out, and nobody is written over."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from holdfast.common.errors import Broken, Transient
from holdfast.common.ids import BankId, PrincipalId, new_deal_id, new_group_id, new_leg_id
from holdfast.execution.errors import DealNotFound
from holdfast.execution.store.deals import DealStore, NewDeal
from holdfast.execution.store.labels import Booking, bookings_of
from holdfast.execution.store.legs import (
    load_steps,
    purchases_made,
    record_legs,
    record_steps,
    settle_legs,
)
from holdfast.execution.store.plans import PlanStore
from holdfast.execution.store.tables import legs
from holdfast.model.deal import DealStatus, Funding, Step
from holdfast.model.leg import LegKind, LegStatus
from holdfast.model.plan import plan_hash
from holdfast.protocols.uniswap_v3.swaps import ExactInput
from holdfast.reporting.views import deal_view, leg_view
from tests.unit.execution.scene import CALLS, plan, receipt
from tests.unit.planning import world as market

ALICE = PrincipalId("alice")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def stored(database, number=1, *, funding=Funding.BORROW, store=None, **values):
    """A deal in the database; `values` are written over its first row."""
    accounts = market.Accounts(
        market.CORE, market.FLOAT, market.place(0x100 + number), market.TREASURY, number
    )
    made = plan(funding, accounts=accounts)
    deal_id, store = new_deal_id(), store or DealStore()
    async with database.begin() as session:
        await store.insert(session, NewDeal(deal_id, ALICE, DealStatus.PLANNED, made))
        deal = await store.load(session, deal_id)
        if values:
            await store.change(session, deal, values)
        return await store.load(session, deal_id)


async def load(database, deal_id):
    async with database.begin() as session:
        return await DealStore().load(session, deal_id)


@pytest.mark.parametrize("funding", Funding)
async def test_a_plan_keeps_its_hash_through_the_database(database, funding):
    deal = await stored(database, funding=funding)
    found = await load(database, deal.deal_id)  # by a store that has not seen it
    assert found.plan.envelope == deal.plan.envelope
    assert found.plan.plan_hash == plan_hash(deal.plan.envelope)
    assert found.plan == deal.plan


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("{envelope,terms,borrow,units}", "600000000001"),
        ("{envelope,accounts,treasury_return}", '"0x00000000000000000000000000000000000000EE"'),
        ("{envelope,expires_at}", "99999999999"),
        ("{envelope,calls,0,recipients,0}", '"0x00000000000000000000000000000000000000EE"'),
        ("{envelope}", "{}"),
    ],
)
async def test_a_stored_plan_that_was_tampered_with_is_not_used(database, where, what):
    deal = await stored(database)
    async with database.begin() as session:
        statement = text("UPDATE plans SET plan = jsonb_set(plan, :at, CAST(:to AS jsonb))")
        await session.execute(statement, {"at": where, "to": what})
    with pytest.raises(Broken) as found:
        await load(database, deal.deal_id)
    assert found.value.code == "plan.tampered"


async def test_who_looks_at_thousands_reads_the_plan_without_its_report(database):
    deal = await stored(database)
    async with database.begin() as session:
        (found,) = await DealStore().without_legs(session, [deal.deal_number])
    assert found.plan == replace(deal.plan, report={})
    assert (await load(database, deal.deal_id)).plan.report == deal.plan.report


async def test_a_plan_that_is_gone_is_broken_not_empty(database):
    with pytest.raises(Broken) as found:
        async with database.begin() as session:
            await PlanStore().load(session, ["0x" + "00" * 32])
    assert found.value.code == "plan.missing"


async def test_the_same_plan_stored_again_changes_nothing(database):
    deal = await stored(database)
    async with database.begin() as session:
        await PlanStore().save(session, deal.deal_id, deal.plan)
        count = await session.execute(text("SELECT count(*) FROM plans"))
        assert count.scalar_one() == 1


async def test_a_deal_that_is_not_there_is_said_not_to_be(database):
    with pytest.raises(DealNotFound):
        await load(database, new_deal_id())


async def test_of_two_changes_at_once_one_is_told_that_the_deal_moved_on(database):
    deal = await stored(database)
    ready = asyncio.Barrier(2)

    async def change(bank):
        store = DealStore()
        async with database.begin() as session:
            seen = await store.load(session, deal.deal_id)
        await ready.wait()
        async with database.begin() as session:
            await store.lock(session, seen)
            await store.change(session, seen, {"participant_bank_id": bank})

    results = await asyncio.gather(change("BANK1"), change("BANK2"), return_exceptions=True)
    (lost,) = [one for one in results if one is not None]
    assert isinstance(lost, Transient)
    assert lost.code == "deal.moved_on"
    winner = "BANK1" if results[0] is None else "BANK2"
    found = await load(database, deal.deal_id)
    assert (found.version, found.bank) == (deal.version + 1, winner)
    assert found.updated_at > deal.updated_at


async def test_the_lock_lasts_until_the_transaction_ends(database):
    deal = await stored(database)
    store, order = DealStore(), []

    async def first(locked, release):
        async with database.begin() as session:
            await store.lock(session, deal)
            locked.set()
            await release.wait()
            order.append("first")

    async def second():
        async with database.begin() as session:
            await store.lock(session, deal)
            order.append("second")

    locked, release = asyncio.Event(), asyncio.Event()
    holder = asyncio.create_task(first(locked, release))
    await locked.wait()
    waiter = asyncio.create_task(second())
    await asyncio.sleep(0.1)
    release.set()
    await asyncio.gather(holder, waiter)
    assert order == ["first", "second"]


async def test_deals_that_are_due_are_taken_once_oldest_first(database):
    """Two sweeps at the same time share what is due, and what was taken is due again later."""
    store = DealStore()
    deals = [
        await stored(database, n, wake_at=NOW + timedelta(seconds=n), status="executing")
        for n in (3, 1, 2)
    ]
    await stored(database, 4, wake_at=NOW + timedelta(hours=1), status="executing")
    await stored(database, 5)
    now, later = NOW + timedelta(seconds=10), NOW + timedelta(seconds=20)
    async with database.begin() as one, database.begin() as other:
        first = await store.take_due(one, now, later, 2)
        second = await store.take_due(other, now, later, 2)
    assert set(first) == {deals[1].deal_id, deals[2].deal_id}
    assert second == [deals[0].deal_id]
    async with database.begin() as session:
        assert await store.take_due(session, now, later, 9) == []
        assert len(await store.take_due(session, later, later, 9)) == 3


async def test_core_is_booked_by_deals_that_may_move_money(database):
    store = DealStore()
    statuses = list(DealStatus)
    for number, status in enumerate(statuses, start=1):
        await stored(database, number, status=str(status))
    async with database.begin() as session:
        booked = await store.booked_core(session, market.CHAIN)
        assert await store.booked_core(session, 1) == 0
    # Approved, executing, holding and closing; each deal of $10M keeps 2,500 ETH in core.
    assert booked == 4 * 2_500 * 10**18
    async with database.begin() as session:
        assert await store.started_core(session, market.CHAIN) == 3 * 2_500 * 10**18


async def test_what_an_unreadable_deal_has_booked_is_known_without_its_plan(database):
    deal = await stored(database, 3)
    await stored(database, 4)
    async with database.begin() as session:
        await session.execute(text("UPDATE plans SET plan = '{}'"))
        (found,) = await bookings_of(session, [3])
    assert found == Booking(deal.deal_id, 3, deal.bank, 2_500 * 10**18)


async def test_purchases_are_counted_until_money_has_gone_home(database):
    deal = await stored(database)
    token = deal.plan.terms.min_tokens.token.symbol
    buy = CALLS.buy(ExactInput(market.VENUES.buy_usdtz, 10**6, 1, market.DEAL, 0))
    sale = CALLS.sell_eth(ExactInput(market.VENUES.sell_eth, 10**15, 1, market.DEAL, 0))

    async def made_after(*sent, settled=True):
        async with database.begin() as session:
            now = await DealStore().load(session, deal.deal_id)
            await record_legs(session, now, new_group_id(), sent)
            landed = {leg.leg_id: (LegStatus.LANDED, receipt()) for leg in sent}
            await settle_legs(session, landed if settled else {})
            return (await purchases_made(session, [deal.deal_id], token)).get(deal.deal_id)

    assert await made_after(buy, settled=False) is None  # under way, not landed
    assert await made_after(sale, replace(buy, leg_id=new_leg_id())) == 1
    assert await made_after(replace(buy, leg_id=new_leg_id())) == 2
    assert await made_after(CALLS.withdraw_all(1)) is None
    async with database.begin() as session:
        assert await purchases_made(session, [deal.deal_id], token) == {deal.deal_id: None}
        assert await purchases_made(session, [], token) == {}


async def test_a_cure_ends_a_ladder(database):
    deal = await stored(database)
    sale = CALLS.sell_eth(ExactInput(market.VENUES.sell_eth, 10**15, 1, market.DEAL, 0))
    cure = replace(sale, step=Step.LIQUIDITY)
    async with database.begin() as session:
        await record_legs(session, deal, new_group_id(), [cure])
        await settle_legs(session, {cure.leg_id: (LegStatus.LANDED, receipt())})
        assert await purchases_made(session, [deal.deal_id], "USDTz") == {deal.deal_id: None}


async def test_deals_are_listed_newest_first_by_status_and_bank(database):
    store = DealStore()
    first = await stored(database, 1)
    second = await stored(database, 2, status="holding")
    third = await stored(database, 3, participant_bank_id="BANK002")
    async with database.begin() as session:

        async def listed(**asked):
            usual = {"status": None, "bank": None, "limit": 9}
            found = await store.recent(session, **{**usual, **asked})
            return [deal.deal_id for deal in found]

        assert await listed() == [third.deal_id, second.deal_id, first.deal_id]
        assert await listed(limit=1) == [third.deal_id]
        assert await listed(status=DealStatus.HOLDING) == [second.deal_id]
        assert await listed(bank=BankId("BANK002")) == [third.deal_id]
        assert await listed(bank=BankId("BANK002"), status=DealStatus.HOLDING) == []


async def test_words_of_a_later_version_are_listed_as_they_stand_and_never_acted_on(database):
    deal = await stored(database)
    later = {"status": "mothballed", "hold_reason": "a_later_reason", "trouble_kind": "teleport"}
    async with database.begin() as session:
        await DealStore().change(session, deal, {**later, "trouble_times": 1})
        (found,) = await DealStore().recent(session, status=None, bank=None, limit=1)
    shown = deal_view(found)
    assert [shown["status"], shown["trouble"]["leg"]] == ["mothballed", "teleport"]
    assert deal_view(found)["hold_reason"] == "a_later_reason"
    with pytest.raises(ValueError, match="mothballed"):
        await load(database, found.deal_id)


async def test_a_deal_with_words_of_a_later_version_is_shown_with_its_legs(database):
    deal, store = await stored(database), DealStore()
    async with database.begin() as session:
        await record_legs(session, deal, new_group_id(), [CALLS.fund(1)])
        await store.change(session, deal, {"status": "mothballed"})
        later = {"kind": "teleport", "status": "adrift", "step": 9}
        await session.execute(update(legs).values(later))
        found = await store.shown(session, deal.deal_id)
    (leg,) = found.legs
    assert deal_view(found)["status"] == "mothballed"
    assert [leg_view(leg)[name] for name in later] == list(later.values())


async def test_no_two_deals_get_the_same_number(database):
    store = DealStore()

    async def number():
        async with database.begin() as session:
            return await store.next_number(session)

    numbers = await asyncio.gather(*(number() for _ in range(20)))
    assert sorted(numbers) == list(range(1, 21))
    async with database.begin() as session:
        assert await store.peek_number(session) == 1  # of deals, of which there is none yet
    await stored(database, 7)
    async with database.begin() as session:
        assert await store.peek_number(session) == 8


async def test_legs_come_back_as_they_were_sent_and_settled(database):
    deal, store = await stored(database), DealStore()
    group = new_group_id()
    sent = [CALLS.fund(2**200), CALLS.supply(5), CALLS.claim(7)]
    async with database.begin() as session:
        await record_legs(session, deal, group, sent)
        found = await store.load(session, deal.deal_id)
        await record_legs(session, found, new_group_id(), [CALLS.return_native(3)])
        await settle_legs(
            session,
            {
                sent[0].leg_id: (LegStatus.LANDED, receipt(91)),
                sent[1].leg_id: (LegStatus.CANCELLED, None),
            },
        )
        found = await store.load(session, deal.deal_id)
    assert [one.seq for one in found.legs] == [0, 1, 2, 3]
    assert [one.kind for one in found.legs][:3] == [one.kind for one in sent]
    assert [one.status for one in found.legs] == [
        LegStatus.LANDED,
        LegStatus.CANCELLED,
        LegStatus.SENT,
        LegStatus.SENT,
    ]
    fund, supply, *_ = found.legs
    assert (fund.amount, fund.call) == (2**200, sent[0].call)
    assert (fund.tx_hash, fund.block_number) == (receipt(91).tx_hash, 91)
    assert fund.fee_wei == receipt(91).fee_wei
    assert (supply.call, supply.tx_hash, supply.fee_wei) == (sent[1].call, None, None)
    assert {one.group_id for one in found.legs[:3]} == {group}


async def test_legs_of_several_deals_are_not_mixed(database):
    store = DealStore()
    one, other = await stored(database, 1), await stored(database, 2)
    async with database.begin() as session:
        await record_legs(session, one, new_group_id(), [CALLS.supply(1)])
        await record_legs(session, other, new_group_id(), [CALLS.claim(2), CALLS.claim(3)])
        assert [leg.kind for leg in (await store.load(session, one.deal_id)).legs] == [
            LegKind.SUPPLY
        ]
        assert len((await store.load(session, other.deal_id)).legs) == 2


async def test_a_step_is_written_once_and_then_brought_up_to_date(database):
    deal = await stored(database)
    running = {"step": 1, "status": "running", "result": None, "executed_at": NOW}
    failed = {"step": 1, "status": "failed", "result": {"legs": 4}, "error": "borrow: no"}
    done = {"step": 1, "status": "done", "result": None}
    async with database.begin() as session:
        for rows in ([running], [failed, {"step": 0, "status": "done"}]):
            await record_steps(session, deal, rows)
        split, liquidity = await load_steps(session, deal.deal_id)
        assert (split["step"], split["status"]) == (Step.SPLIT, "done")
        assert (liquidity["status"], liquidity["error"]) == ("failed", "borrow: no")
        await record_steps(session, deal, [done])
        _, liquidity = await load_steps(session, deal.deal_id)
    # What was known stays, the error does not.
    assert liquidity["result"] == {"legs": 4}
    assert liquidity["executed_at"] == NOW
    assert (liquidity["status"], liquidity["error"]) == ("done", None)


async def test_only_a_deal_that_looks_again_by_itself_is_put_off(database):
    later = NOW + timedelta(minutes=5)
    awake = await stored(database, wake_at=NOW)
    asleep = await stored(database, 2)
    async with database.begin() as session:
        for one in (awake, asleep):
            await DealStore().put_off(session, one.deal_id, later)
    assert (await load(database, awake.deal_id)).wake_at == later
    assert (await load(database, asleep.deal_id)).wake_at is None
