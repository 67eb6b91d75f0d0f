"""ETH falls while a deal waits in the redemption queue: what it does about it, seen on chain.

$10M at $2,000: 1,500 ETH of collateral, $600,000 owed, 1,000 ETH in the bucket (`borrow` funding).
"""

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal

import pytest

from holdfast.audit import store as audit_store
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason, Step
from holdfast.model.leg import LegKind, LegStatus
from tests.support.deals import ALICE, running, settings_for, until
from tests.support.onchain import BORROW, REPAY, OnChain
from tests.support.scenes import (
    Principal,
    assert_nothing_left,
    assert_stands_still,
    ended,
    holding,
    planned,
    started,
)

QUEUE_SECONDS = 30 * 86_400
FALLS = (1_800, 1_500, 1_300, 1_000)  # 10 %, 25 %, 35 % and 50 % under $2,000
DOLLAR = 10**6


@dataclass
class Fall:
    """A deal in a falling market; `slip` is what selling ether lost against the oracle so far."""

    system: object
    devnet: object
    chain: OnChain
    deal_id: object
    account: str
    price: int = 2_000
    slip: float = 0.0

    async def to(self, dollars, cures=0):
        """Let ETH fall and wait for the deal to have cured itself so often in all, and to rest."""
        await asyncio.to_thread(self.devnet.control.set_price, Decimal(dollars))
        self.price = dollars
        before = self.sold()
        deal = await self.rests(cures)
        ether, cash = (now - then for now, then in zip(self.sold(), before, strict=True))
        self.slip += ether / 10**18 * dollars - cash / DOLLAR
        await self.sends_nothing()
        report = await self.system.reporter.report(self.deal_id)
        assert report["ledger"]["mismatch_wei"] == "0"
        return deal

    async def rests(self, cures=0):
        """The deal with nothing under way, `cures` of its groups having been cures."""
        return await until(
            self.system,
            self.deal_id,
            lambda deal: deal.group_id is None and len(cured(deal)) == cures,
        )

    async def sends_nothing(self, looks_seconds=1.5):
        """Several looks pass; interest may accrue meanwhile."""
        then = self.chain.transactions(self.account)
        await asyncio.sleep(looks_seconds)
        assert self.chain.transactions(self.account) == then

    def sold(self):
        """The ether that was ever sold for cash, in wei, and the cash, in base units."""
        pool = self.chain.pool_with_usdt("WETH")
        return (
            self.chain.moved("WETH", sender=self.account, receiver=pool),
            self.chain.moved("USDT", sender=pool, receiver=self.account),
        )

    def held(self):
        return self.chain.holdings(self.account)

    def ltv(self):
        held = self.held()
        return held.debt / DOLLAR / (held.collateral / 10**18 * self.price)

    def lost(self, deal):
        """Dollars: S + i + f, less what was redeemed; gas counts at the price before the fall."""
        spent = self.chain.moved(
            "USDT", sender=self.account, receiver=self.chain.pool_with_usdt("USDTz")
        )
        desk = self.devnet.profile.require_redemption_desk()
        redeemed = self.chain.moved("USDT", sender=desk, receiver=self.account)
        gas = self.chain.gas_paid(self.account) / 10**18 * 2_000
        return (spent + self.interest() - redeemed) / DOLLAR + gas + self.slip

    def interest(self):
        """What was repaid beyond what was lent, and what is owed still, in base units."""
        a_token = self.chain._position_tokens["USDT"][0]
        lent = self.chain.moved("USDT", sender=a_token, receiver=self.account)
        repaid = self.chain.moved("USDT", sender=self.account, receiver=a_token)
        return repaid + self.held().debt - lent


def cured(deal):
    """The groups in which the deal cured itself, each with its landed legs."""
    groups = {}
    for leg in deal.legs:
        if leg.status is LegStatus.LANDED:
            groups.setdefault(leg.group_id, []).append(leg)
    return [legs for legs in groups.values() if any(sold_or_repaid(leg) for leg in legs)]


def sold_or_repaid(leg):
    return leg.step is Step.LIQUIDITY and leg.kind in {LegKind.SWAP, LegKind.REPAY}


async def waiting(system, devnet, **fields):
    """A deal whose first tranche waits in the desk's queue."""
    devnet.control.set_queue_delay(QUEUE_SECONDS)
    made = await started(system, devnet, **fields)
    asked = LegKind.REQUEST_REDEMPTION
    deal = await until(
        system,
        made.deal_id,
        lambda one: one.group_id is None and any(leg.kind is asked for leg in one.legs),
    )
    chain = OnChain(devnet)
    return Fall(system, devnet, chain, deal.deal_id, deal.plan.accounts.deal)


async def told(system, deal_id, action):
    """What the audit keeps of each such action."""
    async with system.db.begin() as session:
        entries = await audit_store.entries_of(session, deal_id)
    return [json.loads(one.detail) for one in entries if one.action == action]


async def alerts(system):
    async with system.db.begin() as session:
        return {one.code for one in await system.notices.alerts.listed(session)}


def assert_whole(chain, principal, deal):
    """Core untouched, all collateral back, and every wei of ether accounted for."""
    principal.assert_whole(chain, deal)
    assert chain.withdrawn(deal.plan.accounts.deal) >= deal.plan.terms.split.working.units
    assert chain.holdings(deal.plan.accounts.deal).debt == 0


async def test_a_deal_converts_at_25_percent_repays_at_35_and_comes_home_whole_at_50(
    interval_devnet, database_url, tmp_path
):
    """10 %: nothing. 25 %: cover 1.21, cash for all that is owed. 35 %: LTV 30.8 %, back to 20 %.

    50 %: 26 % and cash covers: nothing. Blocks come every second.
    """
    devnet, chain = interval_devnet, OnChain(interval_devnet)
    principal = Principal.of(chain)
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet)
        await fall.to(1_800)
        assert fall.held().usdt == 0
        await fall.to(1_500, cures=1)
        # 600,000, 6 % for 90 days and the plan's gas: from 611,000 up, and at most 1 % more.
        assert 611_000 * DOLLAR < fall.held().usdt < 618_000 * DOLLAR
        sold, _ = fall.sold()
        await fall.to(1_300, cures=2)
        assert 0.199 < fall.ltv() <= 0.20
        assert fall.sold()[0] == sold  # cash paid it
        deal = await fall.to(1_000, cures=2)
        looks = [detail["block"] for detail in await told(system, deal.deal_id, "deal.cure")]
        for look, legs in zip(looks, cured(deal), strict=True):
            assert {leg.block_number - look for leg in legs} <= {1, 2}
        assert "deal.cure" not in await alerts(system)  # over
        assert deal.status is DealStatus.EXECUTING
        await system.desk.give(deal.deal_id, Order(DealEvent.CLOSE, ALICE, keep_claim=True))
        deal, report = await ended(system, deal, DealStatus.COMPLETED_WITH_CLAIM)
    assert_whole(chain, principal, deal)
    assert report["ledger"]["mismatch_wei"] == "0"
    apart = report["pnl"]["eth_sold"]
    # The oracle moves before the pool, so the sale may fetch more than its price; ETH is 1,000 now.
    behind = Decimal(apart["sold"]["amount"]) * 1_000 - Decimal(apart["proceeds"]["amount"])
    both = Decimal(apart["sale_cost_usd"]) + Decimal(apart["upside_forgone_usd"])
    assert abs(both - behind) < Decimal("0.0000001")
    bound = deal.plan.envelope.worst_case_loss / 10**8
    assert 600_000 < fall.lost(deal) <= bound
    assert sold < deal.plan.terms.split.bucket.units // 2


async def test_a_deal_paid_from_the_bucket_repays_from_its_cash_and_redeems_on(
    devnet, database_url, tmp_path
):
    chain, principal = OnChain(devnet), Principal.of(OnChain(devnet))
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet, funding=Funding.BUCKET)
        sold = fall.sold()
        for dollars, cures in zip(FALLS, (0, 0, 1, 1), strict=True):
            deal = await fall.to(dollars, cures)
        assert fall.sold() == sold
        assert 0.25 < fall.ltv() < 0.27  # 20 % of $1,300 is 26 % of $1,000
        devnet.control.set_queue_delay(0)
        devnet.control.advance_time(QUEUE_SECONDS + 1)
        deal, report = await ended(system, deal)
    assert_nothing_left(chain, deal, report)
    assert_whole(chain, principal, deal)
    assert chain.count(BORROW, None, fall.account) == 1
    assert chain.count(REPAY, None, fall.account) == 2
    assert fall.lost(deal) < 0  # it earned what the tokens were cheaper


async def test_a_deal_whose_desk_froze_owes_nothing_when_the_market_falls(
    devnet, database_url, tmp_path
):
    chain, principal = OnChain(devnet), Principal.of(OnChain(devnet))
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet)
        await fall.to(1_800)
        devnet.control.freeze()
        deal = await holding(system, fall, HoldReason.REDEMPTION_FROZEN)
        await until(system, fall.deal_id, home)
        fall.slip += slip_of_the_way_home(fall)
        for dollars in FALLS[1:]:
            deal = await fall.to(dollars)
        assert fall.held().debt == fall.held().collateral == 0
    assert_whole(chain, principal, deal)
    assert 600_000 < fall.lost(deal) <= deal.plan.envelope.worst_case_loss / 10**8


def home(deal):
    kinds = [leg.kind for leg in deal.legs if leg.status is LegStatus.LANDED]
    return deal.group_id is None and LegKind.RETURN_NATIVE in kinds


def slip_of_the_way_home(fall):
    ether, cash = fall.sold()
    return ether / 10**18 * fall.price - cash / DOLLAR


@pytest.mark.parametrize("dollars", [1_500, 1_300])
async def test_on_a_stale_price_a_deal_cures_nothing_and_says_so_until_the_feed_is_back(
    devnet, database_url, tmp_path, dollars
):
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet)
        devnet.control.set_price_staleness(10_000)
        deal = await fall.to(dollars)
        assert deal.status is DealStatus.EXECUTING
        assert "deal.price_stale" in await alerts(system)
        devnet.control.set_price_staleness(0)
        await fall.rests(cures=1)
        await fall.sends_nothing()
        assert not {"deal.price_stale", "deal.cure"} & await alerts(system)
        if dollars == 1_300:
            assert fall.ltv() <= 0.20
        else:
            assert fall.held().usdt > 611_000 * DOLLAR


async def test_on_a_stale_price_a_deal_that_was_approved_sends_nothing_until_the_feed_is_back(
    devnet, database_url, tmp_path
):
    chain = OnChain(devnet)
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        made = await planned(system, devnet)
        devnet.control.set_price_staleness(10_000)
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        deal = await until(system, made.deal_id, lambda one: one.status is DealStatus.EXECUTING)
        await assert_stands_still(chain, deal.plan.accounts.deal)
        assert "deal.price_stale" in await alerts(system)
        devnet.control.set_price_staleness(0)
        deal, report = await ended(system, made)
    assert_nothing_left(chain, deal, report)


async def test_an_operators_hold_keeps_no_cure_waiting(devnet, database_url, tmp_path):
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet)
        await system.desk.give(fall.deal_id, Order(DealEvent.HOLD, ALICE))
        await fall.to(1_500, cures=1)
        deal = await fall.to(1_300, cures=2)
    assert (deal.status, deal.hold_reason) == (DealStatus.HOLDING, HoldReason.OPERATOR)
    assert fall.ltv() <= 0.20


async def test_a_gap_no_cure_restores_holds_the_deal_and_unwinds_it_whole(
    devnet, database_url, tmp_path
):
    """Half in one step from a cover of 1.6: 0.81 after it, and still all of the debt is paid."""
    chain, principal = OnChain(devnet), Principal.of(OnChain(devnet))
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        fall = await waiting(system, devnet)
        devnet.control.set_price(Decimal(1_000))
        fall.price = 1_000
        deal = await until(system, fall.deal_id, lambda one: one.hold_reason is not None)
        assert deal.hold_reason is HoldReason.INVARIANT
        deal = await until(system, fall.deal_id, lambda one: chain.holdings(fall.account).debt == 0)
        devnet.control.set_queue_delay(0)
        devnet.control.advance_time(QUEUE_SECONDS + 1)
        deal, report = await ended(system, deal)
    assert_nothing_left(chain, deal, report)
    assert_whole(chain, principal, deal)
    assert cured(deal) == []
