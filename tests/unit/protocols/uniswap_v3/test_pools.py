"""Pools: where they are, and what their price says."""

from eth_abi.abi import encode as general
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.evm import Address, checksummed
from holdfast.protocols.uniswap_v3.pools import Route, Slot0, UniswapPool
from holdfast.protocols.uniswap_v3.swaps import Quote, Quoter

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
