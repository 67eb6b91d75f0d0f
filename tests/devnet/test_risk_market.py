"""The market for risk, read from the deployed contracts: what moves there is seen, by name."""

from decimal import Decimal

import pytest
import pytest_asyncio

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.common.money import RAY, USD8, amount_of
from holdfast.common.system_clock import SystemClock
from holdfast.protocols.registry import protocols
from holdfast.risk.dynamic import Cause, next_state
from holdfast.risk.market import Changed, Memory, changes, settings
from holdfast.risk.market_reader import MarketReader
from holdfast.risk.score import score
from holdfast.risk.volatility import REFERENCE


class Counting:
    """A node's RPC that counts the exchanges."""

    def __init__(self, rpc):
        self.rpc, self.batches = rpc, []

    def __getattr__(self, name):
        return getattr(self.rpc, name)

    async def batch(self, requests):
        self.batches.append(len(requests))
        return await self.rpc.batch(requests)


@pytest_asyncio.fixture
async def rpc(devnet):
    counting = Counting(Rpc.over_http(devnet.url))
    yield counting
    await counting.rpc.close()


@pytest.fixture
def reader(devnet, rpc):
    node = Node(rpc, devnet.profile)
    return MarketReader(node, protocols(devnet.profile), SystemClock())


async def test_the_fresh_world_is_calm(devnet, reader):
    devnet.control.advance_time(3_600)
    seen = await reader.newest()
    assert (seen.eth_feed.price, seen.cash_feed.price) == (2_000 * USD8, USD8)
    assert seen.eth_pool.memory is seen.token_pool.memory is Memory.FULL
    assert seen.sources.deviation <= 1  # the width of a tick
    assert (seen.sources.eth_age_seconds, seen.off_peg, seen.lag_seconds) == (0, 0, 0)
    assert seen.loan.borrow_rate_ray == pytest.approx(RAY * 4 // 100, rel=1e-3)
    assert abs(seen.token_pool.spot - 60 * USD8 // 100) < USD8 // 10**5
    # One percent of price: 0.4988 % of 500M, and of 600M at the token's side.
    assert 2_490_000 < seen.eth_pool.depth // USD8 < 2_497_000
    assert seen.desk.cash == 2_000_000_000 * USD8
    assert score(seen, REFERENCE).total == 100


async def test_reserves_are_what_their_tokens_say_to_the_unit(devnet, reader):
    devnet.control.advance_time(30 * 86_400)
    seen, view = await reader.newest(), devnet.control.rpc.view
    pool = devnet.profile.require_aave().pool
    types = ",".join(["uint256"] * 8 + ["address"] * 4 + ["uint128"] * 3)
    for token, reserve in (
        (devnet.profile.weth, seen.collateral),
        (devnet.profile.usdt, seen.loan),
    ):
        asset = token.require_address()
        told = view(pool, "getReserveData(address)", types, asset)
        a_token, debt_token = told[8], told[10]
        assert reserve.supplied == view(a_token, "totalSupply()", "uint256")
        assert reserve.total_debt == view(debt_token, "totalSupply()", "uint256")
        assert reserve.available == view(asset, "balanceOf(address)", "uint256", a_token)
    # 400M of 1,000M USDT are left; what is lent has earned interest since the world was built.
    assert seen.loan.available == 400_000_000 * 10**6
    assert 6_000 < seen.loan.utilisation < 6_500


async def test_after_the_first_read_one_call_reads_everything(reader, rpc):
    await reader.newest()
    rpc.batches.clear()
    await reader.newest()
    assert rpc.batches == [1]


async def test_a_trade_leaves_a_pool_without_memory_and_no_error(devnet, reader):
    devnet.control.advance_time(3_600)
    devnet.control.set_price(Decimal(1_800))
    seen = await reader.newest()
    assert (seen.eth_pool.memory, seen.eth_pool.average) == (Memory.ABSENT, None)
    assert seen.sources.deviation <= 1
    devnet.control.advance_time(400)
    later = await reader.newest()
    assert (later.eth_pool.memory, later.eth_pool.window_seconds) == (Memory.SHORT, 300)


async def test_the_second_source_disagrees_when_only_the_oracle_moves(devnet, reader):
    devnet.control.remember_prices(50)
    devnet.control.advance_time(3_600)
    devnet.control.set_price(Decimal(1_800), move_pool=False)
    # 2,000 against 1,800 is 11.12 %, less the width of a tick.
    assert (await reader.newest()).sources.deviation in {1_111, 1_112}


async def test_one_trade_does_not_move_the_second_source(devnet, reader):
    devnet.control.remember_prices(50)
    devnet.control.advance_time(3_600)
    devnet.control.set_price(Decimal(2_000))
    devnet.control.advance_time(1_900)
    devnet.control.set_price(Decimal(1_000))
    devnet.control.set_price(Decimal(2_000), move_pool=False)
    seen = await reader.newest()
    assert seen.eth_pool.spot < 1_001 * USD8
    assert seen.sources.deviation < 50  # seconds of half the price in half an hour


async def test_stale_feed_frozen_desk_and_peg_are_seen(devnet, reader):
    control = devnet.control
    control.set_price_staleness(5_000)
    control.freeze()
    control.set_fee(40)
    control.set_queue_delay(86_400)
    control.take_desk_reserves(amount_of(devnet.profile.usdt, 1_999_999_000))
    control.set_usdt_price(Decimal("0.97"))
    seen = await reader.newest()
    assert seen.sources.eth_age_seconds == 5_000
    assert (seen.desk.is_frozen, seen.desk.fee, seen.desk.queue_delay_seconds) == (
        (True, 40, 86_400)
    )
    assert seen.desk.cash == 970 * USD8
    assert seen.off_peg == 300


async def test_what_the_market_owners_change_is_named(devnet, reader):
    before = settings(await reader.newest())
    devnet.control.set_reserve_frozen(frozen=True)
    devnet.control.set_borrowing(allowed=False)
    found = changes(before, settings(await reader.newest()))
    assert found == (
        Changed("loan.can_be_borrowed", 1, 0),
        Changed("loan.is_frozen", 0, 1),
    )


async def test_a_fall_and_a_drained_pool_tighten_the_limits_at_once(devnet, reader):
    control = devnet.control
    calm = next_state(None, await reader.newest())
    assert (calm.scale, calm.cause) == (10_000, Cause.PUBLISHED)
    control.set_price(Decimal(1_500))
    fallen = next_state(calm, await reader.newest())
    # ln(0.75)^2 = 0.08276: 0.94 * 0.72^2 + 0.06 * 0.08276 * 365 = 2.2997, 151.6 %: 0.72 / 1.516.
    assert (fallen.scale, fallen.cause) == (4_500, Cause.VOLATILITY)
    control.drain_token_pool(9_900)
    assert score(await reader.newest(), REFERENCE).worst.name == "depth"
