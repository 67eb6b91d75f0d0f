"""What one decision needs is read at one block; what deals share is read once a block."""

import asyncio
from dataclasses import replace
from math import isqrt

import pytest

from holdfast.chain.multicall import Reverted, eth_balance
from holdfast.chain.profiles import FeeModel
from holdfast.chain.receipts import Head
from holdfast.common.errors import Transient
from holdfast.common.evm import BlockRef, block_hash
from holdfast.common.money import RAY, USD8, WAD, Bps, Usd8
from holdfast.execution.model import Leftover, RepayPart
from holdfast.execution.observer import ChainObserver
from holdfast.model.deal import DealStatus
from holdfast.protocols.aave_v3.account import AccountData
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.protocols.aave_v3.reserve import Reserve, ReserveConfiguration
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.price_feed import FeedAnswer, PriceFeed
from holdfast.protocols.uniswap_v3.pools import Average, Slot0
from holdfast.protocols.uniswap_v3.swaps import Quote
from holdfast.risk.invariants import Prices
from holdfast.risk.limits import RiskLimits
from holdfast.risk.price_sources import WINDOWS_SECONDS
from tests.unit.execution.scene import AT, GWEI, PARENT, deal
from tests.unit.planning.world import (
    AAVE,
    CODE,
    CORE,
    DEAL,
    DESK,
    FLOAT,
    ROUTER,
    USDT,
    USDTZ,
    VENUES,
    WETH,
    place,
)  # fmt: skip

A_WETH, A_USDT, DEBT_USDT, MULTICALL, FEED, CASH_FEED = (place(0x30 + n) for n in range(6))
OPEN = ReserveConfiguration(
    ltv=8_000,
    liquidation_threshold=8_300,
    liquidation_bonus=10_500,
    decimals=18,
    is_active=True,
    is_frozen=False,
    is_paused=False,
    can_be_borrowed=True,
    reserve_factor=0,
    borrow_cap=0,
    supply_cap=0,
)


def reserve(a_token, configuration=OPEN):
    return Reserve(
        configuration=configuration,
        liquidity_index=RAY,
        liquidity_rate=0,
        variable_borrow_index=RAY,
        variable_borrow_rate=4 * RAY // 100,
        last_update=AT.timestamp,
        reserve_id=0,
        a_token=a_token,
        stable_debt_token=place(0x40),
        variable_debt_token=DEBT_USDT,
        rate_strategy=place(0x41),
    )


def slot0(route, units, brings):
    """The price at which `units` along `route` bring so much."""
    ratio = (brings, units) if route.is_zero_for_one else (units, brings)
    return Slot0(isqrt((ratio[0] << 192) // ratio[1]), 0)


class Profile:
    usdt, usdtz = USDT, USDTZ
    fee_model = FeeModel.EIP1559
    final_depth = 4

    def require_multicall3(self):
        return MULTICALL


class Chain:
    """A node whose answers are looked up by what is asked; anything unknown is 0."""

    profile = Profile()

    def __init__(self, at=AT, **market):
        self.at = at
        self.answers = {}
        self.asked = []
        self.code = dict(CODE)
        self.fails = None
        parts = VENUES
        usual = {
            "frozen": (parts.desk.is_frozen(), False),
            "delay": (parts.desk.queue_delay(), 0),
            "reserves": (parts.desk.reserves(), 10**13),
            "cash": (parts.aave.reserve(USDT.address), reserve(A_USDT)),
            "ether": (parts.aave.reserve(WETH.address), reserve(A_WETH)),
            "eth_price": (parts.oracle.price(WETH.address), Usd8(2_000 * USD8)),
            "usdt_price": (parts.oracle.price(USDT.address), Usd8(USD8)),
            "feed": (parts.oracle.source_of(WETH.address), FEED),
            "lendable": (parts.usdt.balance_of(A_USDT), 10**15),
            "answer": (PriceFeed(FEED).latest(), FeedAnswer(2_000 * USD8, at.timestamp)),
            "cash_feed": (parts.oracle.source_of(USDT.address), CASH_FEED),
            "cash_answer": (PriceFeed(CASH_FEED).latest(), FeedAnswer(USD8, at.timestamp)),
            "eth_pool": (parts.eth_pool.slot0(), slot0(parts.sell_eth, WAD, 2_000 * 10**6)),
            "eth_depth": (parts.eth_pool.liquidity(), 10**30),
            "token_pool": (parts.usdtz_pool.slot0(), slot0(parts.buy_usdtz, 6, 10)),
            **{
                f"average_{window}": (parts.eth_pool.average(window), Reverted("OLD", b""))
                for window in WINDOWS_SECONDS
            },
        }
        for name, (read, value) in usual.items():
            self.set(read, market.get(name, value))
        self.set(eth_balance(MULTICALL, CORE), 2_500 * WAD)
        self.set(parts.aave.account(CORE), AccountData(0, 0, 0, 0, 0, NO_DEBT))

    def set(self, read, value):
        self.answers[read.target, read.data] = value
        return self

    async def head(self):
        return Head(self.at, PARENT, GWEI, 30_000_000, 0)

    async def read(self, reads, at):
        assert at == self.at
        await asyncio.sleep(0)
        if self.fails is not None:
            fails, self.fails = self.fails, None
            raise fails
        self.asked.append([(read.target, read.data) for read in reads])
        return [self.answers.get((read.target, read.data), 0) for read in reads]

    async def nonces(self, accounts, at):
        return {account: number for number, account in enumerate(accounts, start=3)}

    async def code_hashes(self, contracts, at):
        return {one: self.code[one] for one in contracts}

    async def suggest_tip_wei(self):
        return GWEI


def observer(chain):
    return ChainObserver(chain, VENUES, RiskLimits())


EXECUTING = deal(status=DealStatus.EXECUTING)


async def test_the_position_is_what_the_account_holds_owes_and_has_in_the_desk():
    chain = Chain()
    chain.set(eth_balance(MULTICALL, DEAL), 1)
    chain.set(VENUES.weth_token.balance_of(DEAL), 2)
    chain.set(VENUES.usdt.balance_of(DEAL), 3)
    chain.set(VENUES.usdtz.balance_of(DEAL), 4)
    chain.set(Erc20(A_WETH).balance_of(DEAL), 5)
    chain.set(Erc20(DEBT_USDT).balance_of(DEAL), 6)
    chain.set(VENUES.desk.pending(DEAL), 7)
    chain.set(VENUES.desk.claimable(DEAL), 8)
    seen = await observer(chain).observe(EXECUTING)
    p = seen.position
    held = (p.native, p.weth, p.cash, p.tokens, p.collateral, p.debt, p.queued, p.claimable)
    assert held == (1, 2, 3, 4, 5, 6, 7, 8)
    assert p.at == seen.balances.at == seen.indexes.at == AT
    b = seen.balances
    assert (b.native, b.weth, b.usdt, b.usdtz, b.collateral, b.debt) == (1, 2, 3, 4, 5, 6)
    assert (b.queued, b.core) == (15, 2_500 * WAD)
    assert (seen.deal_nonce, seen.float_nonce) == (3, 4)


@pytest.mark.parametrize(("last_block", "missing"), [(0, 0), (87, 0), (88, 1), (90, 3)])
async def test_a_deal_is_final_when_its_last_leg_is_as_deep_as_the_chains_finality(
    last_block, missing
):
    """The head is block 90 and finality four blocks: 87, 88, 89 and 90."""
    seen = await observer(Chain()).observe(replace(EXECUTING, last_block=last_block))
    assert seen.position.blocks_to_final == missing


async def test_the_market_is_what_the_venues_allow():
    seen = await observer(Chain(frozen=True, delay=60, reserves=5)).observe(EXECUTING)
    assert (seen.venues.redemption_frozen, seen.venues.queue_delay_seconds) == (True, 60)
    assert seen.venues.desk_cash == 5  # USDT and USDTz have the same decimals here
    assert seen.venues.can_borrow
    assert (seen.eth_price, seen.cash_price) == (2_000 * USD8, USD8)
    # Twice the base fee of 1 gwei and 1 gwei of tip; a plain transfer takes 21,000 gas.
    assert seen.fees.cap_wei == 3 * GWEI
    assert seen.venues.transfer_fee_wei == 21_000 * 3 * GWEI


LOAN = EXECUTING.plan.terms.borrow.units
CLOSED = {
    "frozen": replace(OPEN, is_frozen=True),
    "paused": replace(OPEN, is_paused=True),
    "inactive": replace(OPEN, is_active=False),
    "not lent": replace(OPEN, can_be_borrowed=False),
}


@pytest.mark.parametrize("configuration", CLOSED.values(), ids=CLOSED)
async def test_a_reserve_that_is_closed_does_not_lend(configuration):
    chain = Chain(cash=reserve(A_USDT, configuration))
    assert not (await observer(chain).observe(EXECUTING)).venues.can_borrow


async def test_a_venue_lends_no_more_than_it_has():
    enough = await observer(Chain(lendable=LOAN)).observe(EXECUTING)
    short = await observer(Chain(lendable=LOAN - 1)).observe(EXECUTING)
    assert (enough.venues.can_borrow, short.venues.can_borrow) == (True, False)


async def test_every_allowance_a_deal_ever_gives_is_watched_and_the_forbidden_one():
    pairs = [
        (WETH, AAVE), (WETH, ROUTER), (USDT, AAVE), (USDT, ROUTER), (USDTZ, DESK), (USDTZ, AAVE),
    ]  # fmt: skip
    for token, spender in pairs:
        chain = Chain().set(Erc20(token.address).allowance(DEAL, spender), 1)
        seen = await observer(chain).observe(EXECUTING)
        assert seen.position.leftovers == (Leftover(token.address, spender),)
    assert (await observer(Chain()).observe(EXECUTING)).position.leftovers == ()


async def test_broken_rules_are_named():
    chain = Chain().set(eth_balance(MULTICALL, CORE), 2_500 * WAD - 1)
    chain.set(Erc20(A_WETH).balance_of(DEAL), WAD)
    chain.set(Erc20(DEBT_USDT).balance_of(DEAL), 1_000 * 10**6)
    seen = await observer(chain).observe(EXECUTING)
    rules = ("I1.core_below_booked", "I3.debt_cover", "I6.ltv", "I6.stressed_health")
    assert seen.venues.breaches == rules
    assert seen.ltv_bps == 5_000


async def test_what_the_market_asks_of_the_deal_is_seen_with_it():
    """600,000 over 1,500 ETH at $1,300 are 30.77 %: 210,060 go back, 0.01 % of it for interest."""
    chain = Chain(eth_price=Usd8(1_300 * USD8)).set(eth_balance(MULTICALL, CORE), 2_500 * WAD)
    chain.set(eth_balance(MULTICALL, DEAL), 1_000 * WAD)
    chain.set(Erc20(A_WETH).balance_of(DEAL), 1_500 * WAD)
    chain.set(Erc20(DEBT_USDT).balance_of(DEAL), 600_000 * 10**6)
    seen = await observer(chain).observe(EXECUTING)
    assert seen.venues.cure == RepayPart(210_060 * 10**6)
    assert (await observer(Chain()).observe(EXECUTING)).venues.cure is None


@pytest.mark.parametrize(("age", "is_stale"), [(0, False), (4_500, False), (4_501, True)])
async def test_a_feed_that_was_not_updated_for_too_long_is_stale(age, is_stale):
    answer = FeedAnswer(2_000 * USD8, AT.timestamp - age)
    seen = await observer(Chain(answer=answer)).observe(EXECUTING)
    assert seen.venues.is_price_stale is is_stale


async def test_prices_are_judged_by_both_feeds_and_the_pools_average():
    """The tick 200,000 is a price of 1.0001**200,000 = 4.8516e8 in base units."""
    assert (await observer(Chain()).observe(EXECUTING)).prices == Prices(0, 0, Bps(1))  # rounded up
    old = FeedAnswer(USD8, AT.timestamp - 5_000)
    seen = await observer(Chain(cash_answer=old)).observe(EXECUTING)
    assert (seen.prices.cash_age_seconds, seen.venues.is_price_stale) == (5_000, False)
    tick = 200_000 if VENUES.sell_eth.reverse.is_zero_for_one else -200_000
    seen = await observer(Chain(average_900=Average(900, tick))).observe(EXECUTING)
    assert seen.prices.deviation == 317  # $2,063.22 for one ether
    near = await observer(Chain(average_1800=Average(1_800, tick * 2_003 // 2_000))).observe(
        EXECUTING
    )
    assert near.prices.deviation < 50


async def test_a_feed_that_was_replaced_is_not_asked_any_longer():
    old = FeedAnswer(2_000 * USD8, AT.timestamp - 10_000)
    chain = Chain(answer=old)
    one = observer(chain)
    assert (await one.observe(EXECUTING)).venues.is_price_stale
    chain.at = BlockRef(91, block_hash("0x" + "ef" * 32), AT.timestamp + 12)
    chain.set(VENUES.oracle.source_of(WETH.address), place(0x50))
    chain.set(PriceFeed(place(0x50)).latest(), FeedAnswer(2_000 * USD8, chain.at.timestamp))
    assert not (await one.observe(EXECUTING)).venues.is_price_stale


async def test_deals_that_look_at_the_same_block_share_one_read_of_the_market():
    chain = Chain()
    one = observer(chain)
    await asyncio.gather(*(one.observe(deal(status=DealStatus.EXECUTING)) for _ in range(5)))
    # The first look reads where the lendable cash is as well; then five accounts.
    assert len(chain.asked) == 2 + 5
    chain.at = BlockRef(91, block_hash("0x" + "ef" * 32), AT.timestamp + 12)
    await one.observe(EXECUTING)
    assert len(chain.asked) == 7 + 2


async def test_a_market_that_could_not_be_read_is_read_again():
    chain = Chain()
    one = observer(chain)
    chain.fails = Transient("rpc.unreachable", "away")
    with pytest.raises(Transient):
        await one.observe(EXECUTING)
    assert (await one.observe(EXECUTING)).position.at == AT


async def test_a_market_from_a_later_block_than_was_asked_is_read_again():
    chain = Chain(cash=replace(reserve(A_USDT), last_update=AT.timestamp + 1))
    one = observer(chain)
    with pytest.raises(Transient, match="later block"):
        await one.observe(EXECUTING)
    chain.set(VENUES.aave.reserve(USDT.address), reserve(A_USDT))
    assert (await one.observe(EXECUTING)).position.at == AT


async def test_a_cancelled_look_does_not_take_the_market_from_the_others():
    chain = Chain()
    one = observer(chain)
    first = asyncio.create_task(one.observe(EXECUTING))
    second = asyncio.create_task(one.observe(EXECUTING))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).position.at == AT


async def test_gas_above_the_plans_ceiling_is_seen_and_more_than_it_is_never_offered():
    chain = Chain()
    ceiling = EXECUTING.plan.envelope.gas_price_ceiling_wei

    async def head():
        return Head(AT, PARENT, ceiling + 1, 30_000_000, 0)

    chain.head = head
    seen = await observer(chain).observe(EXECUTING)
    assert seen.gas_is_too_dear
    assert seen.fees.cap_wei == ceiling
    assert seen.homeward_fees.cap_wei == 2 * (ceiling + 1) + seen.fees.tip_wei
    assert not seen.gas_stops_all
    assert not (await observer(Chain()).observe(EXECUTING)).gas_is_too_dear


async def test_what_the_core_address_gives_away_or_has_at_the_venue_is_a_breach():
    chain = Chain()
    chain.set(VENUES.aave.account(CORE), AccountData(7, 5, 0, 0, 0, WAD))
    chain.set(VENUES.usdt.allowance(CORE, ROUTER), 1)
    found = (await observer(chain).observe(EXECUTING)).core
    assert (found.allowances, found.debt, found.collateral) == (1, 5, 7)


class TestDrift:
    """An approved plan that has not started is compared with what the chain shows now."""

    approved = deal()
    quote = VENUES.quoter.exact_input(VENUES.buy_usdtz, approved.plan.terms.spend.units)

    async def drift(self, chain, of=approved):
        return (await observer(chain).observe(of)).venues.drift

    def chain(self, filled=None, at=AT):
        least = self.approved.plan.terms.min_tokens.units
        answer = filled or Quote(least, 0, 0, 0)
        return Chain(at=at, ether=reserve_at(A_WETH, at), cash=reserve_at(A_USDT, at)).set(
            self.quote, answer
        )

    async def test_a_plan_that_still_fits_has_none(self):
        assert await self.drift(self.chain()) == ()

    async def test_a_worse_quote_or_none_is_drift(self):
        least = self.approved.plan.terms.min_tokens.units
        assert await self.drift(self.chain(Quote(least - 1, 0, 0, 0))) == ("plan.quote",)
        assert await self.drift(self.chain(Reverted("dry", b""))) == ("plan.quote",)

    async def test_changed_code_is_drift(self):
        chain = self.chain()
        chain.code[DESK] = "0x" + "ee" * 32
        assert await self.drift(chain) == ("plan.code",)

    async def test_the_plan_expires_after_its_last_second(self):
        expires = self.approved.plan.envelope.expires_at
        for second, found in ((expires, ()), (expires + 1, ("plan.expired",))):
            at = BlockRef(91, block_hash("0x" + "ef" * 32), second)
            assert await self.drift(self.chain(at=at)) == found

    async def test_a_deal_that_has_started_is_no_longer_compared(self):
        chain = self.chain(Reverted("dry", b""))
        assert await self.drift(chain, EXECUTING) == ()
        asked = {target for reads in chain.asked for target, _ in reads}
        assert VENUES.quoter.address not in asked


def reserve_at(a_token, at):
    return replace(reserve(a_token), last_update=min(at.timestamp, AT.timestamp))


async def test_the_nonces_are_those_of_the_two_that_sign():
    seen = await observer(Chain()).observe(EXECUTING)
    assert EXECUTING.plan.accounts.float == FLOAT
    assert (seen.deal_nonce, seen.float_nonce) == (3, 4)
