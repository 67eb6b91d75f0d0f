"""What a person may tell a deal, and when: hold, resume, close, cancel."""

import asyncio
from dataclasses import replace

import pytest

from holdfast.bootstrap import opened
from holdfast.common.errors import Rejected
from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.ledger import service as ledger
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from tests.support.deals import ALICE, settings_for, until
from tests.support.onchain import Holdings, OnChain
from tests.support.scenes import (
    EMPTY,
    HOLD,
    Orders,
    Principal,
    assert_nothing_left,
    assert_stands_still,
    ended,
    history,
    holding,
    loops,
    meddled,
    planned,
    started,
)

RESUME = Order(DealEvent.RESUME, ALICE)
CLOSE = Order(DealEvent.CLOSE, ALICE)
CLOSE_WITHOUT = Order(DealEvent.CLOSE, ALICE, keep_claim=True)
CANCEL = Order(DealEvent.CANCEL, ALICE)


async def test_a_hold_beats_a_decision_under_way_and_resume_goes_on(devnet, database_url, tmp_path):
    chain, orders = OnChain(devnet), Orders()
    before = Principal.of(chain)
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.OPERATOR)
        held = await assert_stands_still(chain, deal.plan.accounts.deal)
        assert held.debt > 0
        with pytest.raises(Rejected) as refused:
            await system.desk.give(made.deal_id, CANCEL)
        assert refused.value.code == "deal.has_effects"
        await system.desk.give(made.deal_id, RESUME)
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


class Deaf:
    """A queue that loses every wake-up."""

    async def wake(self, session, *deals, at=None):
        """Nothing comes of it."""


async def test_an_order_whose_wake_up_is_lost_is_found_by_the_sweep(devnet, database_url, tmp_path):
    chain, orders = OnChain(devnet), Orders()
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        await holding(system, made, HoldReason.OPERATOR)
        await until(system, made.deal_id, lambda deal: deal.group_id is None)
        await replace(system.desk, wakes=Deaf()).give(made.deal_id, RESUME)
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)


async def test_a_deal_cancelled_after_it_started_frees_its_core(devnet, database_url, tmp_path):
    """Started, it has core booked; with a float that is short it has sent nothing."""
    float_ = devnet.profile.require_accounts().float_
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        devnet.control.set_balance(float_, made.plan.terms.split.moved.units - 1)
        devnet.control.mine()
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        await until(system, made.deal_id, lambda deal: deal.trouble is not None)
        assert await core_booked(system, made) == made.plan.terms.split.core.units
        await system.desk.give(made.deal_id, CANCEL)
        deal = await until(system, made.deal_id, lambda deal: deal.wake_at is None)
        assert deal.status is DealStatus.CANCELLED
        assert await core_booked(system, made) == 0


async def core_booked(system, deal):
    """The wei that the ledger books on the deal's core address, over all deals."""
    async with system.db.begin() as session:
        return await ledger.core_booked(session, system.advance.books.book(deal))


async def test_a_deal_closed_before_its_purchase_buys_nothing(devnet, database_url, tmp_path):
    chain, orders = OnChain(devnet), Orders()
    before = Principal.of(chain)
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: orders.give(CLOSE)}) as system:
        orders.system = system
        made = await started(system, devnet)
        deal, report = await ended(system, made)
        told = await history(system, deal)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)
    assert chain.moved("USDTz", receiver=deal.plan.accounts.deal) == 0
    assert "deal.hold" not in [action for action, _ in told]


async def test_a_claim_is_given_up_only_when_said_and_goes_to_the_treasury(
    devnet, database_url, tmp_path
):
    chain = OnChain(devnet)
    before = Principal.of(chain)
    devnet.control.freeze_after(1)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await started(system, devnet)
        held = await holding(system, made, HoldReason.REDEMPTION_FROZEN)
        with pytest.raises(Rejected) as refused:
            await system.desk.give(made.deal_id, CLOSE)
        assert refused.value.code == "deal.claim_open"
        assert (await system.desk.find(made.deal_id)).status is DealStatus.HOLDING
        await system.desk.give(made.deal_id, CLOSE_WITHOUT)
        deal, report = await ended(system, made, DealStatus.COMPLETED_WITH_CLAIM)
    home = deal.plan.accounts.treasury_return
    bought = chain.moved("USDTz", sender=chain.pool_with_usdt("USDTz"))
    assert held.exposure == bought - 50_000 * 10**6  # the first tranche was paid
    assert chain.balance("USDTz", home) - before.home.usdtz == held.exposure
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


async def test_a_claim_in_the_queue_stays_the_deal_keys_own(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    before = Principal.of(chain)
    devnet.control.set_queue_delay(3_600)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await started(system, devnet)
        account = made.plan.accounts.deal
        await until(system, made.deal_id, lambda d: chain.in_desk(account) > 0 and not d.group_id)
        await system.desk.give(made.deal_id, CLOSE_WITHOUT)
        deal, report = await ended(system, made, DealStatus.COMPLETED_WITH_CLAIM)
    first = deal.plan.terms.tranches[0].units
    assert chain.in_desk(account) == first
    left = chain.holdings(account)
    # Ether stays behind for the one transaction that will claim what is in the queue.
    assert left == Holdings(deal.plan.terms.gas_reserve.units, 0, 0, 0, 0, 0)
    assert chain.allowances(account) == {}
    assert report["ledger"]["mismatch_wei"] == "0"
    before.assert_whole(chain, deal)


async def test_a_deal_is_cancelled_only_before_it_has_done_anything(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        waiting = await planned(system, devnet)
        approved = await started(system, devnet)
        for made in (waiting, approved):
            deal = await system.desk.give(made.deal_id, CANCEL)
            assert deal.status is DealStatus.CANCELLED
        async with loops(system):
            running = await started(system, devnet)
            devnet.control.set_manual_mining()
            await until(system, running.deal_id, lambda deal: deal.group_id)
            with pytest.raises(Rejected) as refused:
                await system.desk.give(running.deal_id, CANCEL)
            assert refused.value.code == "deal.under_way"
            devnet.control.set_automine()
            devnet.control.mine()
            await ended(system, running)
        for made in (waiting, approved):
            deal = await system.desk.find(made.deal_id)
            assert (deal.status, deal.legs) == (DealStatus.CANCELLED, ())
            assert chain.holdings(deal.plan.accounts.deal) == EMPTY


async def test_an_order_is_shown_without_being_given(devnet, database_url, tmp_path):
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        changed = await system.desk.check(made.deal_id, CANCEL)
        assert (changed.before, changed.after) == (
            DealStatus.AWAITING_APPROVAL,
            DealStatus.CANCELLED,
        )
        assert (await system.desk.find(made.deal_id)).version == made.version
        with pytest.raises(Rejected) as refused:
            await system.desk.check(made.deal_id, RESUME)
        assert refused.value.code == "deal.transition"


async def test_an_order_waits_for_a_change_under_way_instead_of_being_refused(
    devnet, database_url, tmp_path
):
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        made = await started(system, devnet)
        async with system.db.begin() as session:
            deal = await system.advance.deals.load(session, made.deal_id)
            await system.advance.deals.lock(session, deal)
            order = asyncio.create_task(system.desk.give(made.deal_id, CANCEL))
            await asyncio.sleep(0.2)
            assert not order.done()
            await system.advance.deals.change(session, deal, {"wake_at": None})
        assert (await order).status is DealStatus.CANCELLED
