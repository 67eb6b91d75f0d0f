"""Every event a deal waits for: what is expected matches, and what came is decoded."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode as general

from holdfast.common.errors import Broken
from holdfast.common.evm import EventLog, checksummed
from holdfast.protocols import erc20, weth
from holdfast.protocols.aave_v3 import events as aave
from holdfast.protocols.aave_v3.pool import AavePool
from holdfast.protocols.erc20 import Approval, Erc20, Transfer
from holdfast.protocols.redemption import desk
from holdfast.protocols.redemption.desk import (
    RedemptionClaimed,
    RedemptionDesk,
    RedemptionRequested,
)
from holdfast.protocols.uniswap_v3 import pools
from holdfast.protocols.uniswap_v3.pools import Swapped, UniswapPool
from holdfast.protocols.weth import Weth, Wrapped

HOME, TOKEN, ALICE, BOB, CAROL = (checksummed(bytes([number]) * 20) for number in range(1, 6))
# Topics as explorers show them for the contracts on Ethereum.
TRANSFER = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
APPROVAL = "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
DEPOSIT = "e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c"
WITHDRAWAL = "7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65"
SUPPLY = "2b627736bca15cd5381dcf80b0bf11fd197d01a037c52b927a881a10fb73ba61"
AAVE_WITHDRAW = "3115d1449a7b732c986cba18244e897a450f61e1bb8d589cd2e69e6c8924f9f7"
BORROW = "b3d084820fb1a9decffb176436bd02558d15fac9b0ddfed8c465bc7359d7dce0"
REPAY = "a534c8dbe71f871f9f3530e97a74601fea17b426cae02e1c5aee42c96c784051"
RESERVE = "804c9b842b2748a22bb64b345453a3de7ca54a6ca45ce00d415894979e22897a"
MINT = "458f5fa412d0f69b08dd84872b0215675cc67bc1d5b6fd93300a1c3878b86196"
BURN = "4cf25bc1d991c17529c25213d3cc0cda295eeaad5f13f361969b12ea48015f90"
SWAP = "c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
ERC4626_WITHDRAW = "fbde797d201c681b91056529119e0b02407c7bb96a4a2c75c01fc9667232c8db"


def log(topic, indexed, types=(), values=()):
    topics = [general(["address" if isinstance(one, str) else "uint256"], [one]) for one in indexed]
    return EventLog(HOME, (bytes.fromhex(topic), *topics), general(types, values), 4)


TOKEN_EVENTS = [
    (
        log(TRANSFER, [ALICE, BOB], ["uint256"], [5]),
        Erc20(HOME).expected_transfer(ALICE, BOB),
        erc20.decode_transfer,
        Transfer(HOME, ALICE, BOB, 5),
    ),
    (
        log(APPROVAL, [ALICE, BOB], ["uint256"], [0]),
        Erc20(HOME).expected_approval(ALICE, BOB),
        erc20.decode_approval,
        Approval(HOME, ALICE, BOB, 0),
    ),
    (
        log(DEPOSIT, [ALICE], ["uint256"], [5]),
        Weth(HOME).expected_deposit(ALICE),
        weth.decode_deposit,
        Wrapped(ALICE, 5),
    ),
    (
        log(WITHDRAWAL, [ALICE], ["uint256"], [5]),
        Weth(HOME).expected_withdrawal(ALICE),
        weth.decode_withdrawal,
        Wrapped(ALICE, 5),
    ),
]
AAVE_EVENTS = [
    (
        log(SUPPLY, [TOKEN, BOB, 0], ["address", "uint256"], [ALICE, 5]),
        AavePool(HOME).expected_supply(TOKEN, BOB),
        aave.decode_supply,
        aave.Supplied(TOKEN, ALICE, BOB, 5),
    ),
    (
        log(AAVE_WITHDRAW, [TOKEN, ALICE, BOB], ["uint256"], [5]),
        AavePool(HOME).expected_withdraw(TOKEN, ALICE, BOB),
        aave.decode_withdraw,
        aave.Withdrawn(TOKEN, ALICE, BOB, 5),
    ),
    (
        log(
            BORROW,
            [TOKEN, BOB, 0],
            ["address", "uint256", "uint8", "uint256"],
            [ALICE, 5, 2, 4 * 10**25],
        ),
        AavePool(HOME).expected_borrow(TOKEN, BOB),
        aave.decode_borrow,
        aave.Borrowed(TOKEN, ALICE, BOB, 5, 4 * 10**25),
    ),
    (
        log(REPAY, [TOKEN, ALICE, BOB], ["uint256", "bool"], [5, False]),
        AavePool(HOME).expected_repay(TOKEN, ALICE, BOB),
        aave.decode_repay,
        aave.Repaid(TOKEN, ALICE, BOB, 5),
    ),
    (
        log(RESERVE, [TOKEN], ["uint256"] * 5, [1, 2, 3, 4, 5]),
        aave.RESERVE_DATA_UPDATED.expected(HOME, TOKEN),
        aave.decode_reserve_data,
        aave.ReserveDataUpdated(TOKEN, 1, 3, 4, 5),
    ),
    (
        log(MINT, [ALICE, BOB], ["uint256"] * 3, [7, 2, 9]),
        aave.SCALED_MINT.expected(HOME, None, BOB),
        aave.decode_scaled_mint,
        aave.ScaledChange(HOME, BOB, 7, 2, 9),
    ),
    (
        log(BURN, [ALICE, BOB], ["uint256"] * 3, [7, 2, 9]),
        aave.SCALED_BURN.expected(HOME, ALICE),
        aave.decode_scaled_burn,
        aave.ScaledChange(HOME, ALICE, 7, 2, 9),
    ),
]
MARKET_EVENTS = [
    (
        log(
            SWAP,
            [ALICE, BOB],
            ["int256", "int256", "uint160", "uint128", "int24"],
            [-7, 5, 2**96, 11, -200],
        ),
        UniswapPool(HOME).expected_swap(ALICE, BOB),
        pools.decode_swap,
        Swapped(HOME, ALICE, BOB, -7, 5, 2**96, 11, -200),
    ),
    (
        log(desk.REDEEM_REQUEST.topic.hex(), [ALICE, BOB, 3], ["address", "uint256"], [CAROL, 5]),
        RedemptionDesk(HOME).expected_request(ALICE, BOB),
        desk.decode_request,
        RedemptionRequested(ALICE, BOB, 3, CAROL, 5),
    ),
    (
        log(ERC4626_WITHDRAW, [ALICE, BOB, CAROL], ["uint256", "uint256"], [4, 5]),
        RedemptionDesk(HOME).expected_claim(ALICE, BOB, CAROL),
        desk.decode_claim,
        RedemptionClaimed(ALICE, BOB, CAROL, assets=4, shares=5),
    ),
]
ALL = [*TOKEN_EVENTS, *AAVE_EVENTS, *MARKET_EVENTS]


@pytest.mark.parametrize(("entry", "expected", "decode", "event"), ALL)
def test_an_event_is_matched_and_decoded(entry, expected, decode, event):
    assert expected.matches(entry)
    assert decode(entry) == event


@pytest.mark.parametrize(("entry", "expected", "decode", "event"), ALL)
def test_the_same_event_of_another_contract_proves_nothing(entry, expected, decode, event):
    assert not expected.matches(replace(entry, address=TOKEN))


@pytest.mark.parametrize(("entry", "expected", "decode", "event"), ALL)
def test_another_event_is_not_decoded(entry, expected, decode, event):
    other = replace(entry, topics=(bytes(32), *entry.topics[1:]))
    assert not expected.matches(other)
    with pytest.raises(Broken) as caught:
        decode(other)
    assert caught.value.code == "event.unexpected"


def test_an_event_for_somebody_else_proves_nothing():
    entry = log(BORROW, [TOKEN, CAROL, 0])
    assert not AavePool(HOME).expected_borrow(TOKEN, BOB).matches(entry)


def test_an_nft_transfer_is_no_token_transfer():
    # ERC-721's Transfer has the same topic, but its third argument is indexed too.
    with pytest.raises(Broken):
        erc20.decode_transfer(log(TRANSFER, [ALICE, BOB, 7]))


def test_a_swap_tells_what_the_pool_got_and_gave_in_either_direction():
    first = Swapped(HOME, ALICE, BOB, -7, 5, 0, 0, 0)
    assert (first.amount_in, first.amount_out) == (5, 7)
    second = replace(first, amount0=9, amount1=-4)
    assert (second.amount_in, second.amount_out) == (9, 4)
