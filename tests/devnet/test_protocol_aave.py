"""The Aave adapter against the deployed pool: calls, events, and arithmetic equal to the wei."""

from decimal import Decimal
from random import Random

import pytest
import pytest_asyncio

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.common.evm import checksummed
from holdfast.common.money import WAD, amount_of
from holdfast.protocols.aave_v3 import events, math
from holdfast.protocols.aave_v3.oracle import AaveOracle
from holdfast.protocols.aave_v3.pool import ALL, AavePool, scaled_balance, scaled_total
from holdfast.protocols.aave_v3.rates import RateStrategy, strategy_reads
from holdfast.protocols.aave_v3.revision import require_known
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.price_feed import PriceFeed
from holdfast.protocols.weth import Weth
from tests.support.actor import ALICE, Actor

USDT = 10**6
YEAR = 365 * 24 * 3_600


class Market:
    """The devnet's market as one account uses it."""

    def __init__(self, devnet, node):
        profile = devnet.profile
        self.devnet, self.node, self.actor = devnet, node, Actor(devnet, node)
        self.weth, self.usdt = profile.weth.require_address(), profile.usdt.require_address()
        self.pool = AavePool(profile.require_aave().pool)
        self.oracle = AaveOracle(profile.require_aave().oracle)

    async def prepare(self):
        """WETH to supply, USDT to repay interest with, and both approved."""
        self.devnet.control.set_balance(ALICE, 100_000 * WAD)
        self.devnet.control.give(amount_of(self.devnet.profile.usdt, 5_000_000), ALICE)
        await self.actor.run(Weth(self.weth).deposit(50_000 * WAD))
        for token in (self.weth, self.usdt):
            await self.actor.run(Erc20(token).approve(self.pool.address, 10**30))

    async def read(self, *reads, at=None):
        return await self.node.read(reads, at or await self.actor.head())

    async def reserve(self, asset, at=None):
        (reserve,) = await self.read(self.pool.reserve(asset), at=at)
        return reserve

    async def supply(self, amount):
        call = self.pool.supply(self.weth, amount, ALICE)
        return await self.actor.prove(call, self.pool.expected_supply(self.weth, ALICE))

    async def borrow(self, amount):
        call = self.pool.borrow(self.usdt, amount, ALICE)
        return await self.actor.prove(call, self.pool.expected_borrow(self.usdt, ALICE))

    async def repay(self, amount):
        call = self.pool.repay(self.usdt, amount, ALICE)
        return await self.actor.prove(call, self.pool.expected_repay(self.usdt, ALICE, ALICE))

    async def withdraw(self, amount):
        call = self.pool.withdraw(self.weth, amount, ALICE)
        expected = self.pool.expected_withdraw(self.weth, ALICE, ALICE)
        return await self.actor.prove(call, expected)

    async def balances(self):
        """What ALICE supplied and owes, in base units, as the pool's tokens say."""
        weth, usdt = await self.reserve(self.weth), await self.reserve(self.usdt)
        supplied, owed = await self.read(
            Erc20(weth.a_token).balance_of(ALICE), Erc20(usdt.variable_debt_token).balance_of(ALICE)
        )
        return supplied, owed


@pytest_asyncio.fixture
async def market(devnet):
    node = Node(Rpc.over_http(devnet.url), devnet.profile)
    market = Market(devnet, node)
    await market.prepare()
    yield market
    await node.close()


def only(decode, name, receipt, emitter=None):
    (found,) = [
        decode(log) for log in receipt.logs if name.is_in(log) and emitter in {None, log.address}
    ]
    return found


async def test_supply_borrow_repay_and_withdraw_leave_nothing_behind(market):
    supplied = only(events.decode_supply, events.SUPPLY, await market.supply(1_500 * WAD))
    assert supplied == events.Supplied(market.weth, ALICE, ALICE, 1_500 * WAD)

    receipt = await market.borrow(600_000 * USDT)
    borrowed = only(events.decode_borrow, events.BORROW, receipt)
    assert (borrowed.reserve, borrowed.on_behalf_of) == (market.usdt, ALICE)
    assert borrowed.amount == 600_000 * USDT

    market.devnet.control.advance_time(YEAR // 4)
    repaid = only(events.decode_repay, events.REPAY, await market.repay(ALL))
    # A quarter of a year at about 4 % on 600,000 is about 6,000.
    assert 605_500 * USDT < repaid.amount < 606_500 * USDT

    withdrawn = only(events.decode_withdraw, events.WITHDRAW, await market.withdraw(ALL))
    assert withdrawn.amount >= 1_500 * WAD
    assert await market.balances() == (0, 0)
    (flags,) = await market.read(market.pool.flags(ALICE))
    assert flags.is_empty


async def test_collateral_can_be_switched_off_and_on(market):
    await market.supply(WAD)
    reserve = await market.reserve(market.weth)
    off = await market.actor.run(market.pool.use_as_collateral(market.weth, used=False))
    assert events.COLLATERAL_DISABLED.is_in(off.logs[-1])
    (flags,) = await market.read(market.pool.flags(ALICE))
    assert not flags.is_collateral(reserve.reserve_id)
    on = await market.actor.run(market.pool.use_as_collateral(market.weth, used=True))
    assert events.COLLATERAL_ENABLED.is_in(on.logs[-1])
    (flags,) = await market.read(market.pool.flags(ALICE))
    assert flags.is_collateral(reserve.reserve_id)


async def test_the_reserves_are_configured_as_the_devnet_says(market):
    weth, usdt = await market.reserve(market.weth), await market.reserve(market.usdt)
    configuration = weth.configuration
    assert (configuration.ltv, configuration.liquidation_threshold) == (8_000, 8_300)
    assert (configuration.liquidation_bonus, configuration.decimals) == (10_500, 18)
    assert (configuration.reserve_factor, configuration.borrow_cap) == (1_000, 0)
    assert usdt.configuration.ltv == 0
    assert usdt.configuration.decimals == 6
    assert usdt.configuration.can_be_borrowed
    assert usdt.configuration.takes_new_positions
    market.devnet.control.set_borrowing(allowed=False)
    assert not (await market.reserve(market.usdt)).configuration.can_be_borrowed
    market.devnet.control.set_reserve_frozen(frozen=True)
    frozen = (await market.reserve(market.usdt)).configuration
    assert not frozen.takes_new_positions
    assert frozen.lets_positions_end
    (revision,) = await market.read(market.pool.revision())
    require_known(revision)


async def test_prices_come_from_their_feeds_with_their_age(market):
    market.devnet.control.set_price(Decimal("1234.5"), move_pool=False)
    market.devnet.control.set_price_staleness(600)
    at = await market.actor.head()
    price, feed = await market.read(
        market.oracle.price(market.weth), market.oracle.source_of(market.weth), at=at
    )
    assert price == 123_450_000_000
    (answer,) = await market.read(PriceFeed(feed).latest(), at=at)
    assert answer.answer == price
    assert answer.updated_at == at.timestamp - 600


async def check_indexes(market, at):
    """Our indexes equal the pool's, for both reserves, and so do the balances they give."""
    for asset in (market.weth, market.usdt):
        reserve, income, debt = await market.read(
            market.pool.reserve(asset),
            market.pool.income_index(asset),
            market.pool.debt_index(asset),
            at=at,
        )
        assert reserve.income_index_at(at.timestamp) == income
        assert reserve.debt_index_at(at.timestamp) == debt
        for token, index in ((reserve.a_token, income), (reserve.variable_debt_token, debt)):
            booked, worth = await market.read(
                scaled_balance(token, ALICE), Erc20(token).balance_of(ALICE), at=at
            )
            assert math.unscaled(booked, index) == worth


async def check_account(market, at):
    """Our totals and health factor equal the pool's."""
    weth, usdt = await market.reserve(market.weth, at), await market.reserve(market.usdt, at)
    supplied, owed, weth_price, usdt_price, account = await market.read(
        Erc20(weth.a_token).balance_of(ALICE),
        Erc20(usdt.variable_debt_token).balance_of(ALICE),
        market.oracle.price(market.weth),
        market.oracle.price(market.usdt),
        market.pool.account(ALICE),
        at=at,
    )
    collateral = math.base_value(supplied, weth_price, 18)
    debt = math.base_value(owed, usdt_price, 6)
    ltv, threshold = (8_000, 8_300) if collateral else (0, 0)
    assert account.collateral_base == collateral
    assert account.debt_base == debt
    assert (account.ltv, account.liquidation_threshold) == (ltv, threshold)
    assert account.health_factor == math.health_factor(collateral, threshold, debt)
    assert account.available_borrows_base == math.available_borrows(collateral, debt, ltv)


async def check_rates(market, asset, at):
    """Right after an update, our rates for the reserve's cash and debt equal the pool's."""
    reserve = await market.reserve(asset, at)
    assert reserve.last_update == at.timestamp
    *parameters, cash, booked = await market.read(
        *strategy_reads(reserve.rate_strategy),
        Erc20(asset).balance_of(reserve.a_token),
        scaled_total(reserve.variable_debt_token),
        at=at,
    )
    strategy = RateStrategy(*parameters)
    debt = math.unscaled(booked, reserve.variable_borrow_index)
    factor = reserve.configuration.reserve_factor
    assert strategy.borrow_rate(cash, debt) == reserve.variable_borrow_rate
    assert strategy.supply_rate(cash, debt, factor) == reserve.liquidity_rate


async def check_update(market, asset, receipt):
    """The state before predicts the indexes that the transaction stored and reported."""
    parent = (await market.node.block(receipt.block.number - 1)).ref
    before, after = await market.reserve(asset, parent), await market.reserve(asset, receipt.block)
    (booked,) = await market.read(scaled_total(before.variable_debt_token), at=parent)
    time = receipt.block.timestamp
    assert after.variable_borrow_index == before.debt_index_booked_at(time, booked)
    assert after.liquidity_index == before.income_index_at(time)
    updated = only(events.decode_reserve_data, events.RESERVE_DATA_UPDATED, receipt)
    assert updated == events.ReserveDataUpdated(
        asset,
        after.liquidity_rate,
        after.variable_borrow_rate,
        after.liquidity_index,
        after.variable_borrow_index,
    )


async def step(market, random):
    """One random action that the account can afford; the asset it touches and its receipt."""
    supplied, owed = await market.balances()
    actions = ["supply", "supply"]
    if supplied:
        actions += ["borrow", "borrow", "withdraw"]
    if owed:
        actions += ["repay", "repay"]
    match random.choice(actions):
        case "supply":
            return market.weth, await market.supply(random.randrange(1, 2_000 * WAD))
        case "borrow":
            return market.usdt, await market.borrow(
                random.randrange(1, supplied // WAD * 50 * USDT + 2)
            )
        case "repay":
            amount = random.choice([ALL, random.randrange(1, owed + 1)])
            return market.usdt, await market.repay(amount)
        case _:
            return market.weth, await market.withdraw(random.randrange(1, supplied // 20 + 2))


@pytest.mark.parametrize("seed", range(4))
async def test_every_number_equals_the_pools_to_the_wei_on_random_paths(market, seed):
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(12):
        asset, receipt = await step(market, random)
        await check_rates(market, asset, receipt.block)
        await check_update(market, asset, receipt)
        market.devnet.control.advance_time(random.choice([1, 2, 60, 86_400, YEAR // 3]))
        price = Decimal(random.randrange(1_500, 4_000))
        market.devnet.control.set_price(price, move_pool=False)
        at = await market.actor.head()
        await check_indexes(market, at)
        await check_account(market, at)


async def test_scaled_events_tell_the_index_and_the_interest(market):
    await market.supply(1_500 * WAD)
    await market.borrow(600_000 * USDT)
    market.devnet.control.advance_time(YEAR // 4)
    debt_token = (await market.reserve(market.usdt)).variable_debt_token
    before = await market.actor.head()
    (booked,) = await market.read(scaled_balance(debt_token, ALICE), at=before)
    receipt = await market.repay(100_000 * USDT)
    burned = only(events.decode_scaled_burn, events.SCALED_BURN, receipt, debt_token)
    after = await market.reserve(market.usdt, receipt.block)
    assert (burned.account, burned.index) == (ALICE, after.variable_borrow_index)
    # What was repaid is what the event nets: the value and the interest since the loan.
    assert burned.value + burned.balance_increase == 100_000 * USDT
    (left,) = await market.read(scaled_balance(debt_token, ALICE), at=receipt.block)
    assert left == booked - math.scaled(100_000 * USDT, burned.index)

    receipt = await market.borrow(1_000 * USDT)
    minted = only(events.decode_scaled_mint, events.SCALED_MINT, receipt, debt_token)
    assert minted.account == ALICE
    assert minted.value - minted.balance_increase == 1_000 * USDT


async def test_an_account_without_a_position_has_no_debt_and_no_flags(market):
    nobody = checksummed(b"\x77" * 20)
    account, flags = await market.read(market.pool.account(nobody), market.pool.flags(nobody))
    assert account.health_factor == math.NO_DEBT
    assert flags.is_empty
    assert account.collateral_base == 0
