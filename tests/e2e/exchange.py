"""Where the run sells a little wrapped ether and buys it back: one pool and its router."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import eth_abi

from holdfast.chain import abi
from holdfast.common.errors import Rejected
from holdfast.common.evm import address
from holdfast.model.leg import Call
from holdfast.protocols.uniswap_v3.pools import Route, UniswapPool
from holdfast.protocols.uniswap_v3.swaps import ExactInput, Quoter, SwapRouter

if TYPE_CHECKING:
    from holdfast.common.evm import Address

SLIPPAGE_BPS: Final = 100
"""What each way may give less than its quote."""

_BPS: Final = 10_000
_FEES: Final = (100, 500, 3_000, 10_000)
_ADDRESSES: Final = ("factory", "router", "quoter", "weth", "token")
_NO_PRICE_LIMIT: Final = 0  # the least amount is the limit
_SELL_02: Final = abi.selector(
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
)
_BY_DEADLINE: Final = abi.selector("multicall(uint256,bytes[])")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A pool of wrapped ether and a token; `is_router02` where that is the router deployed."""

    factory: Address
    router: Address
    quoter: Address
    weth: Address
    token: Address
    fee: int
    is_router02: bool = False

    @property
    def sell_eth(self):
        """From wrapped ether to the token; its `reverse` is the way back."""
        return Route(self.weth, self.token, self.fee)

    @property
    def pool(self):
        """The pool, whose address follows from the factory."""
        return UniswapPool(self.sell_eth.pool_address(self.factory))

    def quote(self, route, amount):
        """The read of what `amount` base units would give; nothing where the pool cannot."""
        return Quoter(self.quoter).exact_input(route, amount, allow_failure=True)

    def swap(self, route, amount, quoted, account, deadline):
        """Sell `amount` for at least the quote less the slippage, by `deadline` in chain seconds.

        Raises:
            Rejected: `swap.unlimited` for a quote of nothing, which leaves no limit.
        """
        least = quoted * (_BPS - SLIPPAGE_BPS) // _BPS
        wanted = ExactInput(route, amount, least, account, deadline)
        call = SwapRouter(self.router).exact_input(wanted)
        return Call(self.router, _for_router02(wanted)) if self.is_router02 else call


def _for_router02(wanted):
    # Source: Uniswap swap-router-contracts 1.3.0 IV3SwapRouter, IMulticallExtended: a swap has no
    # deadline of its own, the multicall around it has.
    route, limits = wanted.route, (wanted.amount_in, wanted.min_out, _NO_PRICE_LIMIT)
    sale = abi.encode(
        _SELL_02, route.token_in, route.token_out, route.fee, wanted.recipient, *limits
    )
    return _BY_DEADLINE + eth_abi.encode(["uint256", "bytes[]"], [wanted.deadline, [sale]])


def exchange_of(profile):
    """The exchange that `profile` pins, or nothing."""
    known = profile.uniswap
    if known is None:
        return None
    weth, usdt = profile.weth.require_address(), profile.usdt.require_address()
    return Exchange(known.factory, known.router, known.quoter, weth, usdt, known.weth_usdt_fee)


def load_exchange(path, chain_id):
    """The exchange in the TOML file `path`.

    Raises:
        Rejected: `e2e.exchange` for a file that cannot be read, is incomplete, has an address
            with a typo or a fee that no pool has, or is of another chain.
    """
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        if found["chain_id"] != chain_id:
            raise Rejected("e2e.exchange", f"{path} is of chain {found['chain_id']}")
        if found["fee"] not in _FEES:
            raise Rejected("e2e.exchange", f"{path}: fee must be one of {_FEES}")
        places = {name: address(str(found[name])) for name in _ADDRESSES}
        return Exchange(**places, fee=found["fee"], is_router02=found.get("is_router02") is True)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Rejected("e2e.exchange", f"cannot read {path}: {error}") from error
    except KeyError as error:
        raise Rejected("e2e.exchange", f"{path} lacks {error}") from error
