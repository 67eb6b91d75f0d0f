"""Every adapter with the addresses of one chain; named only by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.protocols.aave_v3.oracle import AaveOracle
from holdfast.protocols.aave_v3.pool import AavePool
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.redemption.desk import RedemptionDesk
from holdfast.protocols.uniswap_v3.pools import Route, UniswapPool
from holdfast.protocols.uniswap_v3.swaps import Quoter, SwapRouter
from holdfast.protocols.weth import Weth

if TYPE_CHECKING:
    from holdfast.chain.profiles import ChainProfile


@dataclass(frozen=True, slots=True)
class Protocols:
    """The adapters of one chain.

    `sell_eth` is the route from WETH to USDT, `buy_usdtz` the one from USDT to the discounted
    token; `eth_pool` and `usdtz_pool` are the pools they go through.
    """

    weth: Weth
    weth_token: Erc20
    usdt: Erc20
    usdtz: Erc20
    aave: AavePool
    oracle: AaveOracle
    router: SwapRouter
    quoter: Quoter
    sell_eth: Route
    buy_usdtz: Route
    eth_pool: UniswapPool
    usdtz_pool: UniswapPool
    desk: RedemptionDesk


def protocols(profile: ChainProfile) -> Protocols:
    """The adapters for `profile`.

    Raises:
        Rejected: `profile.token_missing` or `profile.protocol_missing` for what it does not pin.
    """
    weth, usdt, usdtz = (
        token.require_address() for token in (profile.weth, profile.usdt, profile.usdtz)
    )
    uniswap, aave = profile.require_uniswap(), profile.require_aave()
    sell_eth = Route(weth, usdt, uniswap.weth_usdt_fee)
    buy_usdtz = Route(usdt, usdtz, uniswap.usdtz_usdt_fee)
    return Protocols(
        weth=Weth(weth),
        weth_token=Erc20(weth),
        usdt=Erc20(usdt),
        usdtz=Erc20(usdtz),
        aave=AavePool(aave.pool),
        oracle=AaveOracle(aave.oracle),
        router=SwapRouter(uniswap.router),
        quoter=Quoter(uniswap.quoter),
        sell_eth=sell_eth,
        buy_usdtz=buy_usdtz,
        eth_pool=UniswapPool(sell_eth.pool_address(uniswap.factory)),
        usdtz_pool=UniswapPool(buy_usdtz.pool_address(uniswap.factory)),
        desk=RedemptionDesk(profile.require_redemption_desk()),
    )
