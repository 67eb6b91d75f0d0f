"""Deploys Uniswap V3 and its two pools, and moves their price or depth on request."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from holdfast.devnet.rpc import arguments

if TYPE_CHECKING:
    from holdfast.common.evm import Address
    from holdfast.common.money import TokenAmount
    from holdfast.devnet.artifacts import Artifact
    from holdfast.devnet.rpc import NodeRpc
    from holdfast.devnet.sender import Sender

POOL_FEE = 500
"""The fee tier of both pools, in hundredths of a basis point: 0.05 %."""

_NOBODY = "0x0000000000000000000000000000000000000000"
_FULL_RANGE_TICK = 887_270  # TickMath.MAX_TICK rounded to the tier's spacing of 10
_NEVER = 2**48  # a deadline in seconds that no clock reaches
_MINT = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"


@dataclass(frozen=True, slots=True)
class Uniswap:
    """The deployed contracts."""

    factory: Address
    router: Address
    quoter: Address
    positions: Address


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool and the position (an NFT id) that holds all of its liquidity."""

    address: Address
    token0: Address
    token1: Address
    position_id: int


def deploy_uniswap(admin: Sender, artifacts: dict[str, Artifact], weth: Address) -> Uniswap:
    """Deploy the factory and what deals and the controls call."""
    factory = admin.deploy(artifacts["UniswapV3Factory"])
    pair = arguments("(address,address)", factory, weth)
    return Uniswap(
        factory=factory,
        router=admin.deploy(artifacts["SwapRouter"], pair),
        quoter=admin.deploy(artifacts["QuoterV2"], pair),
        # The descriptor only draws the NFT, so there is none.
        positions=admin.deploy(
            artifacts["NonfungiblePositionManager"],
            arguments("(address,address,address)", factory, weth, _NOBODY),
        ),
    )


def sqrt_price_x96(first: TokenAmount, second: TokenAmount) -> int:
    """The pool price at which `first` and `second` are worth the same.

    Source: Uniswap V3 whitepaper 6.1, sqrt(token1/token0) as Q64.96; token0 has the lower address.
    """
    amount0, amount1 = sorted((first, second), key=_address_order)
    return isqrt((amount1.units << 192) // amount0.units)


def open_pool(provider: Sender, uniswap: Uniswap, deposit: tuple[TokenAmount, TokenAmount]) -> None:
    """Create a pool at the price of `deposit` and put `deposit` in over the full range.

    The provider has approved both tokens for the position manager.
    """
    amount0, amount1 = sorted(deposit, key=_address_order)
    token0, token1 = amount0.token.require_address(), amount1.token.require_address()
    provider.execute(
        uniswap.positions,
        "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
        *(token0, token1, POOL_FEE, sqrt_price_x96(amount0, amount1)),
    )
    add_liquidity = (
        *(token0, token1, POOL_FEE, -_FULL_RANGE_TICK, _FULL_RANGE_TICK),
        *(amount0.units, amount1.units, 0, 0, provider.account, _NEVER),
    )
    provider.execute(uniswap.positions, _MINT, add_liquidity)


def price_x96(rpc: NodeRpc, pool: Pool) -> int:
    """The pool's current square-root price as Q64.96."""
    returns = "uint160,int24,uint16,uint16,uint16,uint8,bool"
    return int(rpc.view(pool.address, "slot0()", returns)[0])


def trade_to_price(trader: Sender, uniswap: Uniswap, pool: Pool, *, now: int, target: int) -> None:
    """Swap until the pool's square-root price is `target`, coming from `now` (both Q64.96).

    The trader holds enough of both tokens and has approved them for the router.
    """
    if now == target:
        return
    sold, bought = (pool.token0, pool.token1) if target < now else (pool.token1, pool.token0)
    unlimited = 2**128
    trader.execute(
        uniswap.router,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
        (sold, bought, POOL_FEE, trader.account, _NEVER, unlimited, 0, target),
    )


def remove_liquidity(
    rpc: NodeRpc, provider: Sender, uniswap: Uniswap, pool: Pool, *, bps: int
) -> None:
    """Take `bps` hundredths of a percent of the pool's liquidity out, to the provider."""
    liquidity = int(rpc.view(pool.address, "liquidity()", "uint128")) * bps // 10_000
    provider.execute(
        uniswap.positions,
        "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))",
        (pool.position_id, liquidity, 0, 0, _NEVER),
    )
    provider.execute(
        uniswap.positions,
        "collect((uint256,address,uint128,uint128))",
        (pool.position_id, provider.account, 2**128 - 1, 2**128 - 1),
    )


def _address_order(amount: TokenAmount) -> int:
    return int(amount.token.require_address(), 16)
