"""Pools: where they are, and what their price says."""

import pytest
from eth_abi.abi import encode as general
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Broken
from holdfast.common.evm import Address, checksummed
from holdfast.protocols.uniswap_v3.pools import Average, Route, Slot0, UniswapPool
from holdfast.protocols.uniswap_v3.swaps import Quote, Quoter
from holdfast.protocols.uniswap_v3.ticks import MAX_TICK, sqrt_ratio_at

USDC = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
WETH = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
FACTORY = Address("0x1F98431c8aD98523631AE4a59f267346ea31F984")
HOME = checksummed(b"\x01" * 20)


def test_the_pool_of_usdc_and_weth_is_where_ethereum_has_it():
    # Source: the 0.05 % pool of Uniswap V3 on Ethereum, 0x88e6...5640.
    pool = Address("0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640")
    assert Route(USDC, WETH, 500).pool_address(FACTORY) == pool
    assert Route(WETH, USDC, 500).pool_address(FACTORY) == pool


def test_the_way_back_is_through_the_same_pool():
    route = Route(USDC, WETH, 500)
    assert route.reverse == Route(WETH, USDC, 500)
    assert route.reverse.reverse == route
    assert (route.is_zero_for_one, route.reverse.is_zero_for_one) == (True, False)


def test_the_spot_price_values_both_directions():
    # A root of 2 (Q64.96) is 4 of token1 for each of token0.
    slot0 = Slot0(sqrt_price_x96=2 << 96, tick=0)
    assert slot0.out_at_spot(Route(USDC, WETH, 500), 10) == 40
    assert slot0.out_at_spot(Route(WETH, USDC, 500), 40) == 10


@given(
    st.integers(min_value=4_295_128_739, max_value=2**160 - 1),
    st.integers(min_value=0, max_value=10**30),
)
def test_going_there_and_back_at_spot_never_gains(root, amount):
    slot0, route = Slot0(root, 0), Route(USDC, WETH, 500)
    there = slot0.out_at_spot(route, amount)
    assert slot0.out_at_spot(route.reverse, there) <= amount


def test_the_price_is_read_with_a_negative_tick():
    types = ["uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool"]
    data = general(types, [2**96, -887_272, 0, 1, 1, 0, True])
    assert UniswapPool(HOME).slot0().decode(data) == Slot0(2**96, -887_272)


def test_a_quote_is_read_and_may_fail_where_asked():
    route = Route(USDC, WETH, 500)
    read = Quoter(HOME).exact_input(route, 5, allow_failure=True)
    assert read.allow_failure
    assert not Quoter(HOME).exact_output(route, 5).allow_failure
    assert read.decode(general(["uint256"] * 4, [7, 2**96, 1, 90_000])) == Quote(
        7, 2**96, 1, 90_000
    )


def observed(*cumulatives):
    count = len(cumulatives)
    return general(["int56[]", "uint160[]"], [list(cumulatives), [0] * count])


@pytest.mark.parametrize(
    ("before", "now", "tick"),
    [
        (1_000, 1_000 + 1_800 * 50, 50),
        (-5_000, -5_000 - 1_800 * 201_000, -201_000),
        (0, -1, -1),  # rounded down, as OracleLibrary does, not towards zero
        (7, 7, 0),
    ],
)
def test_the_average_is_the_mean_tick_of_the_window_rounded_down(before, now, tick):
    read = UniswapPool(HOME).average(1_800)
    assert read.allow_failure  # a pool that does not remember so far reverts with OLD
    assert read.decode(observed(before, now)) == Average(1_800, tick)


def test_the_window_is_asked_for_in_seconds_ago():
    data = UniswapPool(HOME).average(1_800).data
    assert data[4:] == general(["uint32[]"], [[1_800, 0]])


def test_another_number_of_observations_is_no_answer():
    with pytest.raises(Broken, match="observations"):
        UniswapPool(HOME).average(60).decode(observed(1, 2, 3))


def test_the_average_is_priced_like_the_price_now():
    assert Average(60, 0).price() == Slot0(2**96, 0)
    # Tick 6,931 is 1.0001^6931 = 1.999836 of token1 for each of token0.
    out = Average(60, 6_931).price().out_at_spot(Route(USDC, WETH, 500), 10**6)
    assert out == 1_999_836


def test_the_roots_at_the_ends_are_those_of_the_pool():
    # Source: TickMath.MIN_SQRT_RATIO, MAX_SQRT_RATIO.
    assert sqrt_ratio_at(-MAX_TICK) == 4_295_128_739
    assert sqrt_ratio_at(MAX_TICK) == 1461446703485210103287273052203988822378723970342


@pytest.mark.parametrize("tick", [MAX_TICK + 1, -MAX_TICK - 1])
def test_no_pool_has_a_tick_beyond_the_ends(tick):
    with pytest.raises(Broken, match="no pool"):
        sqrt_ratio_at(tick)


@given(st.integers(min_value=-MAX_TICK, max_value=MAX_TICK - 1))
def test_each_tick_is_a_ten_thousandth_of_price_above_the_one_before(tick):
    low, high = sqrt_ratio_at(tick), sqrt_ratio_at(tick + 1)
    assert low < high
    assert (high / low) ** 2 == pytest.approx(1.0001, abs=1e-9)


def test_one_percent_of_depth_moves_the_price_by_one_percent():
    # At a root of 1, sqrt(1.01) - 1 of the liquidity in token1, 1 - 1 / sqrt(1.01) in token0.
    slot0, liquidity = Slot0(2**96, 0), 10**18
    assert slot0.one_percent_depth(Route(WETH, USDC, 500), liquidity) == 4_987_560_000_000_000
    assert slot0.one_percent_depth(Route(USDC, WETH, 500), liquidity) == 4_962_810_000_000_000


def test_virtual_reserves_follow_from_liquidity_and_price():
    # A root of 2: y = L * 2, x = L / 2, whose product is L squared.
    slot0, liquidity = Slot0(2 << 96, 0), 10**18
    assert slot0.reserve_out(Route(USDC, WETH, 500), liquidity) == 2 * 10**18
    assert slot0.reserve_out(Route(WETH, USDC, 500), liquidity) == 10**18 // 2
