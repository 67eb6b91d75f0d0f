"""Ticks: the whole powers of 1.0001 in which a pool counts its price.

Source: Uniswap v3-core 1.0.1 TickMath.
"""

from __future__ import annotations

from typing import Final

from holdfast.common.errors import Broken

MAX_TICK: Final = 887_272

_Q128: Final = 1 << 128
_MAX_UINT256: Final = (1 << 256) - 1
_ROOTS: Final = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
"""1 / sqrt(1.0001) to the power of 1, 2, 4 ... 2^19, in Q128. Source: TickMath."""


def sqrt_ratio_at(tick: int) -> int:
    """The root of the price (token1 for token0) at `tick` as Q64.96, rounded up as the pool does.

    Raises:
        Broken: `uniswap.tick` outside of what a pool can have.

    Source: TickMath.getSqrtRatioAtTick.
    """
    steps = abs(tick)
    if steps > MAX_TICK:
        raise Broken("uniswap.tick", f"no pool has tick {tick}")
    ratio = _Q128
    for place, root in enumerate(_ROOTS):
        if steps >> place & 1:
            ratio = ratio * root >> 128
    if tick > 0:
        ratio = _MAX_UINT256 // ratio
    return -(-ratio >> 32)
