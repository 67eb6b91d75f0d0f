"""One pool: its address, its price now and over time, and the swaps it reports.

Source: Uniswap v3-core 1.0.1 UniswapV3Pool, Oracle; v3-periphery 1.4.4 PoolAddress, OracleLibrary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import WORD, selector
from holdfast.chain.multicall import Read
from holdfast.common.errors import Broken
from holdfast.common.evm import address_bytes, keccak256
from holdfast.protocols.events import EventName
from holdfast.protocols.uniswap_v3.ticks import sqrt_ratio_at

if TYPE_CHECKING:
    from holdfast.common.evm import Address, EventLog
    from holdfast.model.leg import ExpectedEvent

SWAP: Final = EventName.of("Swap(address,address,int256,int256,uint160,uint128,int24)", indexed=2)

_INIT_CODE_HASH: Final = bytes.fromhex(
    "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
)
_Q96: Final = 1 << 96
_Q192: Final = 1 << 192
_ONE_PERCENT: Final = (498_756, 496_281, 10**8)
"""sqrt(1.01) - 1 and 1 - 1 / sqrt(1.01): what one percent of price is to either side's root."""
_OBSERVE: Final = selector("observe(uint32[])")
_SLOT0: Final = selector("slot0()")
_LIQUIDITY: Final = selector("liquidity()")


@dataclass(frozen=True, slots=True)
class Route:
    """From one token to another through the pool with this fee (hundredths of a bp)."""

    token_in: Address
    token_out: Address
    fee: int

    @property
    def is_zero_for_one(self) -> bool:
        """Whether `token_in` is the pool's token0, the one with the lower address."""
        return address_bytes(self.token_in) < address_bytes(self.token_out)

    @property
    def reverse(self) -> Route:
        """The way back through the same pool."""
        return Route(self.token_out, self.token_in, self.fee)

    def pool_address(self, factory: Address) -> Address:
        """The address of the pool, which follows from the factory and the tokens.

        Source: PoolAddress.computeAddress and its POOL_INIT_CODE_HASH.
        """
        token0, token1 = sorted((self.token_in, self.token_out), key=address_bytes)
        salt = keccak256(abi.encode(b"", token0, token1, self.fee))
        made = keccak256(b"\xff" + address_bytes(factory) + salt + _INIT_CODE_HASH)
        return abi.address_of(made[12:])


@dataclass(frozen=True, slots=True)
class Slot0:
    """The pool's price: the root of token1 per token0, as a Q64.96 number."""

    sqrt_price_x96: int
    tick: int

    def out_at_spot(self, route: Route, amount_in: int) -> int:
        """What `amount_in` base units would give at this price without fee or impact."""
        price_x192 = self.sqrt_price_x96**2
        if route.is_zero_for_one:
            return amount_in * price_x192 // _Q192
        return amount_in * _Q192 // price_x192

    def reserve_out(self, route: Route, liquidity: int) -> int:
        """The pool's virtual reserve of what `route` buys, in base units, rounded down.

        Source: Uniswap v3 whitepaper, 6.2: x = L / sqrt(P), y = L * sqrt(P).
        """
        if route.is_zero_for_one:
            return liquidity * self.sqrt_price_x96 // _Q96
        return liquidity * _Q96 // self.sqrt_price_x96

    def one_percent_depth(self, route: Route, liquidity: int) -> int:
        """How much in moves the price along `route` by one percent, at the liquidity in range.

        Source: Uniswap v3 whitepaper, 6.2 (amounts from liquidity and the root of the price).
        """
        up, down, unit = _ONE_PERCENT
        if route.is_zero_for_one:
            return liquidity * _Q96 * down // (self.sqrt_price_x96 * unit)
        return liquidity * self.sqrt_price_x96 * up // (_Q96 * unit)


@dataclass(frozen=True, slots=True)
class Average:
    """A pool's price over the last `window_seconds`: the mean of its tick, rounded down."""

    window_seconds: int
    tick: int

    def price(self) -> Slot0:
        """The mean as if it were the price now; a geometric mean, as ticks are logarithms."""
        return Slot0(sqrt_ratio_at(self.tick), self.tick)


@dataclass(frozen=True, slots=True)
class Swapped:
    """A swap as the pool reports it: what it got and what it gave, in base units."""

    pool: Address
    sender: Address
    recipient: Address
    amount0: int
    amount1: int
    sqrt_price_x96: int
    liquidity: int
    tick: int

    @property
    def amount_in(self) -> int:
        """What the pool got."""
        return max(self.amount0, self.amount1)

    @property
    def amount_out(self) -> int:
        """What the pool gave."""
        return -min(self.amount0, self.amount1)


@dataclass(frozen=True, slots=True)
class UniswapPool:
    """The pool at `address`."""

    address: Address

    def slot0(self) -> Read[Slot0]:
        """The pool's price now."""
        return Read(self.address, _SLOT0, _slot0)

    def liquidity(self) -> Read[int]:
        """The liquidity in range now."""
        return Read(self.address, _LIQUIDITY, abi.uint)

    def average(self, window_seconds: int) -> Read[Average]:
        """The price over the last `window_seconds`.

        Answers `Reverted` with the reason `OLD` when the pool does not remember that far back: it
        keeps as many observations as somebody paid for (`increaseObservationCardinalityNext`), at
        first one, which every block with a swap replaces.

        Source: IUniswapV3PoolDerivedState.observe; OracleLibrary.consult.
        """
        data = abi.encode(_OBSERVE, WORD, 2, window_seconds, 0)
        return Read(self.address, data, partial(_average, window_seconds), allow_failure=True)

    def expected_swap(self, router: Address, recipient: Address) -> ExpectedEvent:
        """The event of a swap by `router` for `recipient`."""
        return SWAP.expected(self.address, router, recipient)


def decode_swap(log: EventLog) -> Swapped:
    """The swap in `log`; `event.unexpected` when it is another event."""
    _, sender, recipient = SWAP.checked(log).topics
    data = log.data
    return Swapped(
        pool=log.address,
        sender=abi.topic_address(sender),
        recipient=abi.topic_address(recipient),
        amount0=abi.sint(data, 0),
        amount1=abi.sint(data, 1),
        sqrt_price_x96=abi.uint(data, 2),
        liquidity=abi.uint(data, 3),
        tick=abi.sint(data, 4),
    )


def _average(window_seconds: int, data: bytes) -> Average:
    """The mean from the sum of ticks over seconds at both ends of the window."""
    start = abi.uint(data) // WORD
    if abi.uint(data, start) != 2:
        raise Broken("chain.bad_answer", "the pool answered another number of observations")
    moved = abi.sint(data, start + 2) - abi.sint(data, start + 1)
    return Average(window_seconds, moved // window_seconds)


def _slot0(data: bytes) -> Slot0:
    return Slot0(abi.uint(data, 0), abi.sint(data, 1))
