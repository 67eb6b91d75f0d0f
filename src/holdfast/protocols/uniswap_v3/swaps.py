"""Swaps through one pool, always with a limit and a deadline, and their quotes.

Source: Uniswap v3-periphery 1.4.4 ISwapRouter, IQuoterV2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import selector
from holdfast.chain.multicall import Read
from holdfast.common.errors import Rejected
from holdfast.model.leg import Call

if TYPE_CHECKING:
    from holdfast.common.evm import Address
    from holdfast.protocols.uniswap_v3.pools import Route

_NO_PRICE_LIMIT: Final = 0  # the amounts are the limit; a price limit would fill in part
_QUOTE_GAS: Final = 2_000_000  # a quote runs the whole swap, about 100,000 and 25,000 per tick

_EXACT_INPUT: Final = selector(
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
)
_EXACT_OUTPUT: Final = selector(
    "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
)
_QUOTE_INPUT: Final = selector("quoteExactInputSingle((address,address,uint256,uint24,uint160))")
_QUOTE_OUTPUT: Final = selector("quoteExactOutputSingle((address,address,uint256,uint24,uint160))")


@dataclass(frozen=True, slots=True)
class ExactInput:
    """Sell `amount_in` for at least `min_out` to `recipient`, by `deadline` in chain seconds."""

    route: Route
    amount_in: int
    min_out: int
    recipient: Address
    deadline: int


@dataclass(frozen=True, slots=True)
class ExactOutput:
    """Buy `amount_out` for at most `max_in` to `recipient`, by `deadline` in chain seconds."""

    route: Route
    amount_out: int
    max_in: int
    recipient: Address
    deadline: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What a swap would do: the amount asked for, in base units, and the price it leaves.

    `amount` is what comes out of an exact input, or goes into an exact output.
    """

    amount: int
    sqrt_price_after_x96: int
    ticks_crossed: int
    gas: int


@dataclass(frozen=True, slots=True)
class SwapRouter:
    """The router at `address`, which spends the sender's allowance to it."""

    address: Address

    def exact_input(self, swap: ExactInput) -> Call:
        """Sell exactly.

        Raises:
            Rejected: `swap.unlimited` without a minimum, which anyone could sandwich.
        """
        _require_limit(swap.min_out)
        return Call(self.address, _swap(_EXACT_INPUT, swap, swap.amount_in, swap.min_out))

    def exact_output(self, swap: ExactOutput) -> Call:
        """Buy exactly.

        Raises:
            Rejected: `swap.unlimited` without a maximum.
        """
        _require_limit(swap.max_in)
        return Call(self.address, _swap(_EXACT_OUTPUT, swap, swap.amount_out, swap.max_in))


@dataclass(frozen=True, slots=True)
class Quoter:
    """QuoterV2 at `address`; its functions run the swap and revert, so they work in a read.

    A quote that the pool cannot fill reverts: read it with `allow_failure` where that may be.
    """

    address: Address

    def exact_input(
        self, route: Route, amount_in: int, *, allow_failure: bool = False
    ) -> Read[Quote]:
        """What `amount_in` would give."""
        return self._read(_quote(_QUOTE_INPUT, route, amount_in), allow_failure=allow_failure)

    def exact_output(
        self, route: Route, amount_out: int, *, allow_failure: bool = False
    ) -> Read[Quote]:
        """What `amount_out` would cost."""
        return self._read(_quote(_QUOTE_OUTPUT, route, amount_out), allow_failure=allow_failure)

    def _read(self, data: bytes, *, allow_failure: bool) -> Read[Quote]:
        return Read(self.address, data, _decode_quote, allow_failure, _QUOTE_GAS)


def _swap(name: bytes, swap: ExactInput | ExactOutput, amount: int, limit: int) -> bytes:
    route = swap.route
    return abi.encode(
        name,
        route.token_in,
        route.token_out,
        route.fee,
        swap.recipient,
        swap.deadline,
        amount,
        limit,
        _NO_PRICE_LIMIT,
    )


def _quote(name: bytes, route: Route, amount: int) -> bytes:
    return abi.encode(name, route.token_in, route.token_out, amount, route.fee, _NO_PRICE_LIMIT)


def _decode_quote(data: bytes) -> Quote:
    return Quote(
        amount=abi.uint(data, 0),
        sqrt_price_after_x96=abi.uint(data, 1),
        ticks_crossed=abi.uint(data, 2),
        gas=abi.uint(data, 3),
    )


def _require_limit(limit: int) -> None:
    if limit <= 0:
        raise Rejected("swap.unlimited", "a swap without a limit can be sandwiched: quote it first")
