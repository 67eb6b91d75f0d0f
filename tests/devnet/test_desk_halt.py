"""The kill switch on a live chain: what waits, what goes on, and that all comes home in the end."""

import asyncio
from decimal import Decimal

import pytest

from holdfast.bootstrap import opened
from holdfast.common.errors import Rejected
from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent, DealStatus
from holdfast.model.leg import LegKind, LegStatus
from holdfast.risk.trading import DESK, Scope, TradingState
from tests.support.deals import ALICE, request_for, settings_for, until
from tests.support.onchain import OnChain
from tests.support.scenes import (
    Principal,
    assert_nothing_left,
    assert_stands_still,
    ended,
    loops,
    meddled,
    planned,
    started,
)

CLOSE = Order(DealEvent.CLOSE, ALICE)


async def turn(system, state, scope=DESK):
    async with system.db.begin() as session:
        await system.switch.turn(session, scope, state, by=ALICE, reason="looking into it")


class Turning:
    """Turns the switch when a decision was made and nothing of it is written yet."""

    def __init__(self):
        self.system = None

    def to(self, state):
        async def turned(deal):
            await turn(self.system, state)

        return turned


async def waiting(system, deal, what="trading"):
    return await until(system, deal.deal_id, lambda one: one.waits_for == what)


async def test_nothing_is_planned_or_approved_and_an_approved_deal_does_not_start(
    devnet, database_url, tmp_path
):
    chain = OnChain(devnet)
    scope = Scope(chain=devnet.profile.chain_id)
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        made = await started(system, devnet)
        other = await planned(system, devnet)
        await turn(system, TradingState.REDUCING, scope)
        for refused in (
            system.desk.preview(request_for(devnet)),
            planned(system, devnet),
            system.desk.approve(other.deal_id, ALICE, other.plan.plan_hash),
        ):
            with pytest.raises(Rejected) as caught:
                await refused
            assert caught.value.code == "desk.reducing"
        async with loops(system):
            deal = await waiting(system, made)
            assert (deal.status, deal.legs) == (DealStatus.APPROVED, ())
            await assert_stands_still(chain, deal.plan.accounts.deal)
            shown = await system.reporter.report(made.deal_id)
            assert (shown["waits_for"], shown["trading"]["reason"]) == (
                "trading",
                "looking into it",
            )
            await turn(system, TradingState.ACTIVE, scope)
            deal, report = await ended(system, made)
    assert deal.waits_for is None
    assert_nothing_left(chain, deal, report)


@pytest.mark.parametrize("move", [m.Fund, m.Open, m.Purchase])
async def test_a_halt_between_decision_and_record_stops_the_move(
    devnet, database_url, tmp_path, move
):
    chain, turning = OnChain(devnet), Turning()
    before = Principal.of(chain)
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={move: turning.to(TradingState.HALTED)}) as system:
        turning.system = system
        made = await started(system, devnet)
        deal = await waiting(system, made)
        held = await assert_stands_still(chain, deal.plan.accounts.deal)
        landed = {leg.kind for leg in deal.legs}
        stopped = {m.Fund: LegKind.FUND, m.Open: LegKind.SUPPLY, m.Purchase: LegKind.SWAP}[move]
        assert stopped not in landed
        assert (held.debt > 0) == (move is m.Purchase)
        await turn(system, TradingState.ACTIVE)
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


async def test_a_half_built_deal_goes_home_when_told_while_the_desk_reduces(
    devnet, database_url, tmp_path
):
    chain, turning = OnChain(devnet), Turning()
    before = Principal.of(chain)
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: turning.to(TradingState.REDUCING)}) as system:
        turning.system = system
        made = await started(system, devnet)
        await waiting(system, made)
        await system.desk.give(made.deal_id, CLOSE)
        deal, report = await ended(system, made)
    assert not any(leg.kind is LegKind.REQUEST_REDEMPTION for leg in deal.legs)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


async def test_what_cannot_be_cured_goes_home_though_the_desk_is_halted_and_the_rest_waits(
    devnet, database_url, tmp_path
):
    """With the loan spent, 1,000 ETH at $1,200 no longer cover it: 594,000 of 612,000 dollars."""
    chain, turning = OnChain(devnet), Turning()
    before = Principal.of(chain)
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Redeem: turning.to(TradingState.HALTED)}) as system:
        turning.system = system
        made = await started(system, devnet)
        account = (await waiting(system, made)).plan.accounts.deal
        assert chain.holdings(account).debt > 0
        await asyncio.to_thread(devnet.control.set_price, Decimal(1200))
        await until(
            system,
            made.deal_id,
            lambda one: (one.status, one.waits_for) == (DealStatus.HOLDING, "trading"),
        )
        kept = await assert_stands_still(chain, account)
        assert (kept.debt, kept.collateral) == (0, 0)
        assert kept.native + kept.weth > 0  # home only after the halt
        assert kept.usdtz > 0
        await turn(system, TradingState.ACTIVE)
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)
    before.assert_whole(chain, deal)


def is_cured(deal):
    # A leg that is only sent may be read with the row as it was before.
    repaid = [leg.status for leg in deal.legs if leg.kind is LegKind.REPAY]
    return repaid == [LegStatus.LANDED] and deal.waits_for == "trading"


async def test_a_loan_over_its_cap_is_cured_though_the_desk_is_halted(
    devnet, database_url, tmp_path
):
    """600,000 dollars over 1,500 ETH at $1,200 are 33 %: a part is repaid, the purchase waits."""
    chain, turning = OnChain(devnet), Turning()
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Purchase: turning.to(TradingState.HALTED)}) as system:
        turning.system = system
        made = await started(system, devnet)
        account = (await waiting(system, made)).plan.accounts.deal
        owed = chain.holdings(account).debt
        await asyncio.to_thread(devnet.control.set_price, Decimal(1200))
        deal = await until(system, made.deal_id, is_cured)
        cured = await assert_stands_still(chain, account)
    assert 0 < cured.debt < owed
    assert (deal.status, cured.usdtz) == (DealStatus.EXECUTING, 0)
