"""The adapters that one deal uses, with the addresses of one chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.protocols.aave_v3.oracle import AaveOracle
    from holdfast.protocols.aave_v3.pool import AavePool
    from holdfast.protocols.erc20 import Erc20
    from holdfast.protocols.redemption.desk import RedemptionDesk
    from holdfast.protocols.uniswap_v3.pools import Route, UniswapPool
    from holdfast.protocols.uniswap_v3.swaps import Quoter, SwapRouter
    from holdfast.protocols.weth import Weth


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
