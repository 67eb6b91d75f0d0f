"""What the ledger is told from outside: the chain's own balances, read independently of it."""

from dataclasses import dataclass

from holdfast.common.evm import BlockRef
from holdfast.common.money import TokenAmount


@dataclass(frozen=True, slots=True)
class Indexes:
    """The lending pool's indexes at one block, in ray, compounded up to its timestamp.

    Args:
        at: the block.
        income_ray: what a scaled unit of WETH collateral is worth.
        debt_ray: what a scaled unit of USDT debt owes.
    """

    at: BlockRef
    income_ray: int
    debt_ray: int


@dataclass(frozen=True, slots=True)
class ChainBalances:
    """What the chain shows for a deal at one block, in base units of each token.

    They come from balance reads only, never from events or from the ledger: the deal account's
    native token, WETH, USDT and USDTz; its balance of the collateral's and of the debt's token at
    the lending pool; `queued`, its USDTz inside the redemption desk, waiting or claimable; the
    native balance of the core address. `received` is what the treasury was seen to get from this
    deal, where the caller can tell; tokens left out are not compared.
    """

    at: BlockRef
    native: int
    weth: int
    usdt: int
    usdtz: int
    collateral: int
    debt: int
    queued: int
    core: int
    received: tuple[TokenAmount, ...] = ()
