"""The devnet's world works: one whole loop in plain calls, on real bytecode."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.common.evm import Address
from holdfast.common.money import MAX_UINT256, WAD
from holdfast.devnet.sender import Sender

if TYPE_CHECKING:
    from holdfast.devnet.service import Devnet

ACTOR = Address("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65")  # an account the node can sign for


def erc20(devnet: Devnet, token: Address, owner: Address) -> int:
    return int(devnet.control.rpc.view(token, "balanceOf(address)", "uint256", owner))


def test_one_loop_buys_near_sixty_cents_and_redeems_near_par(devnet: Devnet) -> None:
    profile = devnet.profile
    actor = Sender(devnet.control.rpc, ACTOR)
    weth, usdt, usdtz = (
        profile.weth.require_address(),
        profile.usdt.require_address(),
        profile.usdtz.require_address(),
    )
    pool, router = profile.require_aave().pool, profile.require_uniswap().router
    desk = profile.require_redemption_desk()
    devnet.control.set_balance(ACTOR, 2_600 * WAD)

    # 1,500 WETH at $2,000 are $3,000,000; 20 % of that is $600,000.
    actor.execute(weth, "deposit()", value_wei=1_500 * WAD)
    actor.execute(weth, "approve(address,uint256)", pool, 1_500 * WAD)
    actor.execute(pool, "supply(address,uint256,address,uint16)", weth, 1_500 * WAD, ACTOR, 0)
    actor.execute(
        pool, "borrow(address,uint256,uint256,uint16,address)", usdt, 600_000 * 10**6, 2, 0, ACTOR
    )
    collateral, debt, _, threshold, _, _ = devnet.control.rpc.view(
        pool,
        "getUserAccountData(address)",
        "uint256,uint256,uint256,uint256,uint256,uint256",
        ACTOR,
    )
    assert abs(collateral - 3_000_000 * 10**8) <= 1  # the scaled balance rounds by a unit
    assert 0 <= debt - 600_000 * 10**8 <= 100  # the scaled debt rounds up by a unit of 1e-6
    assert threshold == 8_300

    actor.execute(usdt, "approve(address,uint256)", router, 600_000 * 10**6)
    actor.execute(
        router,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
        (usdt, usdtz, 500, ACTOR, 2**48, 600_000 * 10**6, 0, 0),
    )
    bought = erc20(devnet, usdtz, ACTOR)
    # 600,000 / 0.60 = 1,000,000 less 0.05 % fee and 0.1 % price impact (600,000 of 600,000,000).
    assert 998_000 * 10**6 < bought < 1_000_000 * 10**6

    actor.execute(usdtz, "approve(address,uint256)", desk, bought)
    for tranche in (50_000 * 10**6, 250_000 * 10**6, bought - 300_000 * 10**6):
        before = erc20(devnet, usdt, ACTOR)
        actor.execute(desk, "requestRedeem(uint256,address,address)", tranche, ACTOR, ACTOR)
        actor.execute(desk, "redeem(uint256,address,address)", tranche, ACTOR, ACTOR)
        assert erc20(devnet, usdt, ACTOR) - before == tranche * 9_975 // 10_000

    actor.execute(usdt, "approve(address,uint256)", pool, 700_000 * 10**6)
    actor.execute(pool, "repay(address,uint256,uint256,address)", usdt, MAX_UINT256, 2, ACTOR)
    actor.execute(pool, "withdraw(address,uint256,address)", weth, MAX_UINT256, ACTOR)
    # Redeemed 99.75 % of about 998,500 less the 600,000 repaid.
    assert 394_000 * 10**6 < erc20(devnet, usdt, ACTOR) < 397_500 * 10**6
    assert erc20(devnet, weth, ACTOR) >= 1_500 * WAD - 1


def test_a_moved_price_shows_in_oracle_and_pool(devnet: Devnet) -> None:
    profile = devnet.profile
    devnet.control.set_price(Decimal(1_000))
    oracle = profile.require_aave().oracle
    weth, usdt = profile.weth.require_address(), profile.usdt.require_address()
    price = devnet.control.rpc.view(oracle, "getAssetPrice(address)", "uint256", weth)
    assert price == 1_000 * 10**8
    quote = devnet.control.rpc.view(
        profile.require_uniswap().quoter,
        "quoteExactInputSingle((address,address,uint256,uint24,uint160))",
        "uint256,uint160,uint32,uint256",
        (weth, usdt, WAD, 500, 0),
    )
    # 1 WETH at $1,000 less the fee of 0.05 %: $999.50, less a negligible price impact.
    assert 999_490_000 < quote[0] <= 999_500_000
