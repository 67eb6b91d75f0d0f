"""Every call a deal makes, as a general encoder writes it, under its published selector."""

import pytest
from eth_abi.abi import encode as general

from holdfast.chain.multicall import Read
from holdfast.common.errors import Rejected
from holdfast.common.evm import checksummed
from holdfast.model.leg import Call
from holdfast.protocols.aave_v3.oracle import AaveOracle
from holdfast.protocols.aave_v3.pool import ALL, AavePool, scaled_balance, scaled_total
from holdfast.protocols.aave_v3.rates import strategy_reads
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.native import native_transfer
from holdfast.protocols.price_feed import PriceFeed
from holdfast.protocols.redemption.desk import RedemptionDesk
from holdfast.protocols.uniswap_v3.pools import Route, UniswapPool
from holdfast.protocols.uniswap_v3.swaps import ExactInput, ExactOutput, Quoter, SwapRouter
from holdfast.protocols.weth import Weth

HOME, TOKEN, OTHER, ALICE, BOB = (checksummed(bytes([number]) * 20) for number in range(1, 6))
ROUTE = Route(TOKEN, OTHER, 500)
SWAP = ["address", "address", "uint24", "address", "uint256", "uint256", "uint256", "uint160"]
QUOTE = ["address", "address", "uint256", "uint24", "uint160"]

# Selectors as explorers show them for the contracts on Ethereum (the desk's: the ERC-7540 text).
CALLS = [
    (Erc20(HOME).transfer(ALICE, 5), "a9059cbb", ["address", "uint256"], [ALICE, 5]),
    (Erc20(HOME).approve(ALICE, 0), "095ea7b3", ["address", "uint256"], [ALICE, 0]),
    (Weth(HOME).withdraw(5), "2e1a7d4d", ["uint256"], [5]),
    (
        AavePool(HOME).supply(TOKEN, 5, ALICE),
        "617ba037",
        ["address", "uint256", "address", "uint16"],
        [TOKEN, 5, ALICE, 0],
    ),
    (
        AavePool(HOME).use_as_collateral(TOKEN, used=False),
        "5a3b74b9",
        ["address", "bool"],
        [TOKEN, False],
    ),
    (
        AavePool(HOME).borrow(TOKEN, 5, ALICE),
        "a415bcad",
        ["address", "uint256", "uint256", "uint16", "address"],
        [TOKEN, 5, 2, 0, ALICE],
    ),
    (
        AavePool(HOME).repay(TOKEN, ALL, ALICE),
        "573ade81",
        ["address", "uint256", "uint256", "address"],
        [TOKEN, 2**256 - 1, 2, ALICE],
    ),
    (
        AavePool(HOME).withdraw(TOKEN, 5, ALICE),
        "69328dec",
        ["address", "uint256", "address"],
        [TOKEN, 5, ALICE],
    ),
    (
        SwapRouter(HOME).exact_input(ExactInput(ROUTE, 100, 99, ALICE, 1_700_000_000)),
        "414bf389",
        SWAP,
        [TOKEN, OTHER, 500, ALICE, 1_700_000_000, 100, 99, 0],
    ),
    (
        SwapRouter(HOME).exact_output(ExactOutput(ROUTE, 99, 100, ALICE, 1_700_000_000)),
        "db3e2198",
        SWAP,
        [TOKEN, OTHER, 500, ALICE, 1_700_000_000, 99, 100, 0],
    ),
    (
        RedemptionDesk(HOME).request(5, ALICE, BOB),
        "7d41c86e",
        ["uint256", "address", "address"],
        [5, ALICE, BOB],
    ),
    (
        RedemptionDesk(HOME).claim(5, BOB, ALICE),
        "ba087652",
        ["uint256", "address", "address"],
        [5, BOB, ALICE],
    ),
]

READS = [
    (Erc20(HOME).balance_of(ALICE), "70a08231", ["address"], [ALICE]),
    (Erc20(HOME).allowance(ALICE, BOB), "dd62ed3e", ["address", "address"], [ALICE, BOB]),
    (Erc20(HOME).total_supply(), "18160ddd", [], []),
    (AavePool(HOME).revision(), "0148170e", [], []),
    (AavePool(HOME).reserve(TOKEN), "35ea6a75", ["address"], [TOKEN]),
    (AavePool(HOME).account(ALICE), "bf92857c", ["address"], [ALICE]),
    (AavePool(HOME).flags(ALICE), "4417a583", ["address"], [ALICE]),
    (AavePool(HOME).income_index(TOKEN), "d15e0053", ["address"], [TOKEN]),
    (AavePool(HOME).debt_index(TOKEN), "386497fd", ["address"], [TOKEN]),
    (scaled_balance(HOME, ALICE), "1da24f3e", ["address"], [ALICE]),
    (scaled_total(HOME), "b1bf962d", [], []),
    (AaveOracle(HOME).price(TOKEN), "b3596f07", ["address"], [TOKEN]),
    (AaveOracle(HOME).source_of(TOKEN), "92bf2be0", ["address"], [TOKEN]),
    (PriceFeed(HOME).latest(), "feaf968c", [], []),
    (UniswapPool(HOME).slot0(), "3850c7bd", [], []),
    (UniswapPool(HOME).liquidity(), "1a686502", [], []),
    (Quoter(HOME).exact_input(ROUTE, 7), "c6a5026a", QUOTE, [TOKEN, OTHER, 7, 500, 0]),
    (Quoter(HOME).exact_output(ROUTE, 7), "bd21704a", QUOTE, [TOKEN, OTHER, 7, 500, 0]),
    (RedemptionDesk(HOME).pending(ALICE), "f5a23d8d", ["uint256", "address"], [0, ALICE]),
    (RedemptionDesk(HOME).claimable(ALICE, 3), "eaed1d07", ["uint256", "address"], [3, ALICE]),
    (RedemptionDesk(HOME).max_claim(ALICE), "d905777e", ["address"], [ALICE]),
    (RedemptionDesk(HOME).assets_for(7), "07a2d13a", ["uint256"], [7]),
    *zip(
        strategy_reads(HOME),
        ["34762ca5", "0b3429a2", "f4202409", "54c365c6"],
        [[]] * 4,
        [[]] * 4,
        strict=True,
    ),
]


@pytest.mark.parametrize(("made", "selector", "types", "arguments"), [*CALLS, *READS])
def test_data_is_the_selector_and_the_encoded_arguments(
    made: Call | Read[object], selector, types, arguments
):
    assert made.target == HOME
    assert made.data == bytes.fromhex(selector) + general(types, arguments)


@pytest.mark.parametrize("call", [call for call, *_ in CALLS])
def test_no_call_but_wrapping_sends_the_native_token_along(call):
    assert call.value_wei == 0


def test_wrapping_sends_what_is_wrapped():
    assert Weth(HOME).deposit(5) == Call(HOME, bytes.fromhex("d0e30db0"), 5)


def test_a_native_transfer_is_a_bare_value():
    assert native_transfer(ALICE, 5) == Call(ALICE, b"", 5)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_swap_without_a_limit_is_refused(limit):
    with pytest.raises(Rejected) as caught:
        SwapRouter(HOME).exact_input(ExactInput(ROUTE, 100, limit, ALICE, 1))
    assert caught.value.code == "swap.unlimited"
    with pytest.raises(Rejected):
        SwapRouter(HOME).exact_output(ExactOutput(ROUTE, 100, limit, ALICE, 1))
