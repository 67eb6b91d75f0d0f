"""Somebody else sends with a deal's key, or with the float's: nothing is done twice or for ever."""

import asyncio

from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from tests.support.deals import ALICE, settings_for
from tests.support.onchain import OnChain
from tests.support.scenes import (
    HOLD,
    Orders,
    Principal,
    assert_stands_still,
    ended,
    history,
    holding,
    meddled,
    started,
)

RESUME = Order(DealEvent.RESUME, ALICE)


def foreign_transaction(chain, sent):
    """An action that sends one plain transaction with the deal's key."""

    def act(deal):
        account = deal.plan.accounts.deal
        sent.append(chain.send_as(account, account, value=1, gas=21_000))

    return act


async def test_a_foreign_transaction_in_place_of_a_leg_stops_the_deal_until_a_person_resumes_it(
    devnet, database_url, tmp_path
):
    chain, sent = OnChain(devnet), []
    before = Principal.of(chain)
    settings = settings_for(devnet, database_url, tmp_path)
    displaces = {m.Purchase: foreign_transaction(chain, sent)}
    async with meddled(settings, after=displaces) as system:
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.FOREIGN_USE)
        await assert_stands_still(chain, deal.plan.accounts.deal)
        displaced = [leg for leg in deal.legs if leg.status is LegStatus.DISPLACED]
        assert [leg.kind for leg in displaced] == [LegKind.APPROVE]
        await system.desk.give(made.deal_id, RESUME)
        deal, report = await ended(system, made)
    bought = [leg for leg in deal.legs if leg.kind is LegKind.SWAP and leg.step == 2]
    assert [leg.status for leg in bought] == [LegStatus.REVERTED, LegStatus.LANDED]
    # The one thing that the ledger cannot know is what the foreign transaction paid for gas.
    assert report["ledger"]["mismatch_wei"] == str(gas_of(chain, sent))
    assert chain.holdings(deal.plan.accounts.core) == before.core


def gas_of(chain, sent):
    return sum(int(one["gasUsed"], 16) * int(one["effectiveGasPrice"], 16) for one in sent)


async def test_a_foreign_transaction_between_two_groups_stops_the_deal_before_it_signs_again(
    devnet, database_url, tmp_path
):
    chain, sent, orders = OnChain(devnet), [], Orders()
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.OPERATOR)
        foreign_transaction(chain, sent)(deal)
        legs = len(deal.legs)
        await system.desk.give(made.deal_id, RESUME)
        deal = await holding(system, made, HoldReason.FOREIGN_USE)
        assert len(deal.legs) == legs
        foreign_transaction(chain, sent)(deal)  # an operator repairs by hand
        await asyncio.sleep(1.5)
        await system.desk.give(made.deal_id, RESUME)
        # Its nonce is expected, but a fee went with it that no hold has shown to a person yet.
        await holding(system, made, HoldReason.UNEXPLAINED)
        await system.desk.give(made.deal_id, RESUME)
        deal, report = await ended(system, made)
        told = await history(system, made)
    assert ("deal.hold", "foreign_use") in told
    assert told.count(("deal.hold", "foreign_use")) == 1
    assert told.count(("deal.hold", "unexplained")) == 1  # what was shown once stops it no more
    assert report["ledger"]["mismatch_wei"] == str(gas_of(chain, sent))


async def test_a_foreign_use_of_the_float_blocks_nobodys_funding(devnet, database_url, tmp_path):
    chain = OnChain(devnet)
    float_ = devnet.profile.require_accounts().float_
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings) as system:
        first = await started(system, devnet)
        await ended(system, first)
        chain.send_as(float_, float_, value=1, gas=21_000)
        second = await started(system, devnet)
        await ended(system, second)
        told = await history(system, second)
    assert "deal.hold" not in [action for action, _ in told]
