"""Makes the adapters of one chain; called only by the composition root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.protocols.aave_v3.oracle import AaveOracle
from holdfast.protocols.aave_v3.pool import AavePool
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.redemption.desk import RedemptionDesk
from holdfast.protocols.suite import Protocols
from holdfast.protocols.uniswap_v3.pools import Route, UniswapPool
from holdfast.protocols.uniswap_v3.swaps import Quoter, SwapRouter
from holdfast.protocols.weth import Weth

if TYPE_CHECKING:
    from holdfast.chain.profiles import ChainProfile


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
