"""Deals never block each other: one is stuck, the others complete."""

import pytest

from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from tests.support.deals import ALICE, settings_for, until
from tests.support.onchain import OnChain
from tests.support.scenes import (
    Principal,
    assert_nothing_left,
    ended,
    meddled,
    started,
)

MILLION = 1_000_000


class Others:
    """Deals that are started only once the first one is stuck."""

    def __init__(self, system, devnet):
        self.system, self.devnet = system, devnet

    async def complete(self, chain):
        made = [
            await started(self.system, self.devnet, dollars=MILLION, funding=funding)
            for funding in (Funding.BORROW, Funding.BUCKET, Funding.BORROW)
        ]
        for deal in made:
            done, report = await ended(self.system, deal)
            assert_nothing_left(chain, done, report)


async def test_a_deal_without_ether_for_gas_is_stuck_alone_and_goes_on_when_it_has_some(
    devnet, database_url, tmp_path
):
    """Its signed bytes wait for funds at their nonce; nobody else's nonce waits with them."""
    chain = OnChain(devnet)
    taken = {}

    def impoverish(deal):
        account = deal.plan.accounts.deal
        taken[account] = chain.native(account)
        devnet.control.set_balance(account, 0)

    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: impoverish}) as system:
        stuck = await started(system, devnet)
        await until(system, stuck.deal_id, lambda deal: deal.plan.accounts.deal in taken)
        await Others(system, devnet).complete(chain)
        deal = await system.desk.find(stuck.deal_id)
        assert deal.status is DealStatus.EXECUTING
        assert [leg.status for leg in deal.legs][-1] is LegStatus.SENT
        for account, wei in taken.items():
            devnet.control.set_balance(account, wei)
        deal, report = await ended(system, stuck)
    assert_nothing_left(chain, deal, report)


async def test_a_deal_whose_key_was_used_elsewhere_is_stuck_alone(devnet, database_url, tmp_path):
    chain = OnChain(devnet)

    def use_elsewhere(deal):
        """One transaction that we did not sign takes the next nonce."""
        account = deal.plan.accounts.deal
        chain.send_as(account, account)

    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: use_elsewhere}) as system:
        stuck = await started(system, devnet)
        await until(system, stuck.deal_id, lambda d: d.hold_reason is HoldReason.FOREIGN_USE)
        await Others(system, devnet).complete(chain)
        deal = await system.desk.find(stuck.deal_id)
        assert (deal.status, deal.hold_reason) == (DealStatus.HOLDING, HoldReason.FOREIGN_USE)


async def test_a_deal_in_the_queue_or_on_hold_does_not_stop_others(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    before = Principal.of(chain)
    devnet.control.set_queue_delay(3_600)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        queued, held = await started(system, devnet), await started(system, devnet)
        for deal in (queued, held):
            await until(
                system,
                deal.deal_id,
                lambda d: waits_in_queue(chain, d),
            )
        await system.desk.give(held.deal_id, Order(DealEvent.HOLD, ALICE))
        devnet.control.set_queue_delay(0)  # for requests from now on
        await Others(system, devnet).complete(chain)
        for deal, status in ((queued, DealStatus.EXECUTING), (held, DealStatus.HOLDING)):
            found = await system.desk.find(deal.deal_id)
            assert found.status is status
            assert sum(leg.kind is LegKind.CLAIM_REDEMPTION for leg in found.legs) == 0
        devnet.control.advance_time(3_601)
        await ended(system, queued)
    assert chain.holdings(devnet.profile.require_accounts().core) == before.core


def waits_in_queue(chain, deal):
    return deal.group_id is None and chain.in_desk(deal.plan.accounts.deal) > 0


@pytest.mark.slow
async def test_many_deals_at_once_complete_each_with_every_leg_once(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = [await started(system, devnet, dollars=MILLION) for _ in range(8)]
        for deal in made:
            done, report = await ended(system, deal)
            assert_nothing_left(chain, done, report)
            kinds = [leg.kind for leg in done.legs]
            for kind in (LegKind.FUND, LegKind.SUPPLY, LegKind.BORROW, LegKind.REPAY):
                assert kinds.count(kind) == 1
            sent = chain.transactions(done.plan.accounts.deal)
            assert len(sent) == len(kinds) - 1  # all but the funding, which the float sent
