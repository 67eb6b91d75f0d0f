"""Reading the market for risk: which answers become which facts, and in how many exchanges."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from eth_abi import encode

from holdfast.chain.multicall import Reverted
from holdfast.common.errors import Rejected
from holdfast.common.evm import keccak256
from holdfast.common.money import RAY, USD8, WAD, Usd8
from holdfast.risk.market import Memory
from holdfast.risk.market_reader import MarketReader
from tests.unit.planning.test_market import (
    A_USDT,
    DEBT_WETH,
    GWEI,
    HEAD,
    PROFILE,
    FakeNode,
    place,
    places,
    words,
)
from tests.unit.planning.world import ETH_POOL, USDT, USDTZ_POOL, VENUES, WETH

OLD = Reverted("OLD", b"")
FEED = place(0x31)


def averaged(tick, window):
    return encode(["int56[]", "uint160[]"], [[0, tick * window], [0, 0]])


class RiskNode(FakeNode):
    """As planning's node, with pools that remember, and what else risk asks for."""

    def __init__(self):
        super().__init__()
        self.put("scaledTotalSupply()", words(5 * WAD), target=DEBT_WETH)
        self.put("scaledTotalSupply()", words(1_000 * 10**6), target=A_USDT)
        self.windows = {1_800: -200_311, 900: -200_311, 300: -200_311}

    def _answer(self, read):
        if read.target in {ETH_POOL, USDTZ_POOL} and len(read.data) == 4 + 4 * 32:
            window = int.from_bytes(read.data[4 + 64 : 4 + 96])
            tick = self.windows[window]
            return OLD if tick is None else read.decode(averaged(tick, window))
        return super()._answer(read)


class Clock:
    """A clock that stands a minute after the head."""

    def now(self):
        return datetime.fromtimestamp(HEAD.ref.timestamp + 60, UTC)

    def monotonic_seconds(self):
        return 0.0


async def read(node):
    return await MarketReader(node, VENUES, Clock()).read(HEAD)


async def test_the_first_read_learns_where_to_look_and_later_ones_take_one_exchange():
    node = RiskNode()
    reader = MarketReader(node, VENUES, Clock())
    first = await reader.newest()
    assert (node.exchanges, node.blocks) == (2, {HEAD.ref})
    assert await reader.read(HEAD) == first
    assert node.exchanges == 3


async def test_an_exchanged_feed_is_found_and_read_again():
    node = RiskNode()
    reader = MarketReader(node, VENUES, Clock())
    await reader.newest()
    other = place(0x77)
    node.put("getSourceOfAsset(address)", places(other))
    node.answers[keccak256(b"latestRoundData()")[:4]].clear()
    node.put("latestRoundData()", words(1, USD8, 0, 5, 1), target=other)
    node.put("latestRoundData()", words(1, USD8, 0, 9, 1), target=FEED)
    seen = await reader.read(HEAD)
    assert seen.eth_feed.updated_at == 5
    assert node.exchanges == 4  # one found the old feed, one read the new


async def test_prices_gas_and_desk_are_in_dollars():
    seen = await read(RiskNode())
    assert seen.at == HEAD.ref
    assert (seen.eth_feed.price, seen.cash_feed.price) == (2_000 * USD8, USD8)
    assert (seen.sources.eth_age_seconds, seen.sources.cash_age_seconds) == (60, 60)
    assert (seen.base_fee_wei, seen.tip_wei) == (3 * GWEI, 2 * GWEI)
    assert (seen.desk.is_frozen, seen.desk.fee, seen.desk.queue_delay_seconds) == (True, 25, 3_600)
    assert seen.desk.cash == 77 * USD8
    assert abs(seen.eth_pool.spot - 2_000 * USD8) < 10**4  # the root has eight digits


async def test_everything_is_read_at_the_block_asked_for_though_newer_ones_are_there():
    node = RiskNode()
    older = replace(HEAD, ref=replace(HEAD.ref, number=HEAD.ref.number - 1))
    seen = await MarketReader(node, VENUES, Clock()).read(older)
    assert (seen.at, node.blocks) == (older.ref, {older.ref})


async def test_depth_is_the_cash_that_moves_a_pools_price_by_one_percent():
    # Liquidity 1e18 at a root of 44.721359e-6: times sqrt(1.01) - 1 = 0.498756 %, in 1e-6 dollars.
    assert (await read(RiskNode())).eth_pool.depth // USD8 == 223_050


async def test_reserves_are_read_with_their_interest():
    seen = await read(RiskNode())
    # 600 USDT scaled at 1.2 are owed, 400 are left: 720 / 1,120.
    assert (seen.loan.total_debt, seen.loan.available) == (720 * 10**6, 400 * 10**6)
    assert seen.loan.utilisation == 6_429
    assert seen.loan.borrow_rate_ray == RAY * 4 // 100
    assert seen.collateral.supplied == 110 * WAD
    assert seen.loan.configuration.borrow_cap == 900
    assert seen.collateral.configuration.supply_cap == 5_000


async def test_the_longest_average_that_the_pool_remembers_is_taken():
    node = RiskNode()
    seen = await read(node)
    # 1.0001^-200311 * 1e12 = 2,000.06 dollars for one ETH.
    assert seen.eth_pool.average // USD8 in {1_999, 2_000}
    assert seen.eth_pool.memory is Memory.FULL
    node.windows[1_800] = None
    shorter = (await read(node)).eth_pool
    assert (shorter.memory, shorter.window_seconds) == (Memory.SHORT, 900)


async def test_a_pool_without_memory_is_a_state_and_no_error():
    node = RiskNode()
    node.windows = dict.fromkeys(node.windows)
    seen = await read(node)
    assert (seen.eth_pool.memory, seen.eth_pool.average) == (Memory.ABSENT, None)
    assert seen.eth_pool.held == seen.eth_pool.spot


async def test_a_node_that_is_behind_is_so_by_the_clock():
    node = RiskNode()
    assert (await read(node)).lag_seconds == 0  # blocks are made on demand
    node.profile = replace(PROFILE, block_time_seconds=12)
    assert (await read(node)).lag_seconds == 60


async def test_no_price_is_refused_by_name():
    node = RiskNode()
    node.put("getAssetPrice(address)", words(0), argument=USDT.require_address())
    with pytest.raises(Rejected) as caught:
        await read(node)
    assert (caught.value.code, caught.value.fields["value"]) == ("market.no_price", 0)


async def test_a_pool_that_was_never_opened_has_no_price():
    node = RiskNode()
    node.put("slot0()", words(0, 0) + words(*[0] * 5), target=ETH_POOL)
    with pytest.raises(Rejected) as caught:
        await read(node)
    assert caught.value.code == "market.no_price"


async def test_an_unknown_lending_pool_is_refused():
    node = RiskNode()
    node.put("POOL_REVISION()", words(99))
    with pytest.raises(Rejected) as caught:
        await read(node)
    assert caught.value.code == "aave.revision"


async def test_the_price_of_eth_is_that_of_the_lending_venue():
    node = RiskNode()
    node.put("getAssetPrice(address)", words(1_500 * USD8), argument=WETH.require_address())
    assert (await read(node)).eth_feed.price == Usd8(1_500 * USD8)
