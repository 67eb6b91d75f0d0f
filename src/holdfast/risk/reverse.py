"""Reverse stress: the smallest move of one thing that breaks a deal or the book; by bisection.

What is sought is the first value, in whole steps, at which the reserve no longer pays what is owed
(I3) or the venue may liquidate (HF < 1). Each search moves one thing; all else stands as debt cover
has it: ETH fallen by the gap, stressed rate and horizon. Only the search for the gap itself leaves
the rest of ETH's price alone. Both conditions only get worse along each axis, so the first value is
the border. All deals are searched at once, in floats: within `stress.TOLERANCE` of the border an
answer may be one step off what the integers say (`reserve.breaking_gap`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

import numpy as np

from holdfast.common.money import BPS
from holdfast.risk.arrays import Bools, DealColumns, Floats, ShockColumns, Whole
from holdfast.risk.parts import shared_slip_bps
from holdfast.risk.stress import cells, sales

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.risk.exit_pool import ExitPool
    from holdfast.risk.stress import Cells

_Breaks: TypeAlias = "Callable[[Whole], Bools]"


class Axis(StrEnum):
    """What is moved, and in which steps."""

    ETH_GAP = "eth_gap_bps"
    APR = "apr_bps"
    DEPTH_LOST = "exit_depth_lost_bps"
    USDT_UP = "usdt_up_bps"
    DELAY = "queue_delay_days"


class Rule(StrEnum):
    """What breaks."""

    I3 = "I3"
    HEALTH = "HF"


REACH: Final = {
    Axis.ETH_GAP: BPS,
    Axis.APR: 100 * BPS,
    Axis.DEPTH_LOST: BPS - 1,
    Axis.USDT_UP: 10 * BPS,
    Axis.DELAY: 36_500,
}
"""How far each search looks; a deal that stands that much is said to stand everything."""


@dataclass(frozen=True, slots=True)
class Found:
    """The first value that breaks `rule`, for each deal; `REACH[axis] + 1` where none does."""

    axis: Axis
    rule: Rule
    first: Whole


def reverse(deals: DealColumns) -> tuple[Found, ...]:
    """Every axis and rule for each deal alone."""
    none = np.zeros((1, 1))
    return tuple(
        Found(axis, rule, _first(axis, len(deals), _alone(deals, axis, rule, none)))
        for axis in Axis
        for rule in Rule
    )


def reverse_together(deals: DealColumns, pool: ExitPool) -> tuple[Found, ...]:
    """The same for a book that sells at once: the first value at which any deal breaks."""
    return tuple(
        Found(axis, rule, _first(axis, 1, _any(deals, axis, rule, pool)))
        for axis in Axis
        for rule in Rule
    )


def _first(axis: Axis, count: int, breaks: _Breaks) -> Whole:
    """The smallest value from 0 on at which `breaks` holds, for each of `count`."""
    holds = np.full((count, 1), -1, dtype=np.int64)
    broken = np.full((count, 1), REACH[axis] + 1, dtype=np.int64)
    while (broken - holds > 1).any():
        middle = (holds + broken) // 2
        is_broken = breaks(middle) & (middle > holds)
        broken = np.where(is_broken, middle, broken)
        holds = np.where(is_broken, holds, np.minimum(middle, broken - 1))
    return broken


def _alone(deals: DealColumns, axis: Axis, rule: Rule, least_slip: Floats) -> _Breaks:
    uncapped = _uncapped(deals, axis)

    def breaks(values: Whole) -> Bools:
        shocks = _moved(axis, values)
        return _is_broken(rule, cells(uncapped, shocks, sales(uncapped, shocks, least_slip)))

    return breaks


def _any(deals: DealColumns, axis: Axis, rule: Rule, pool: ExitPool) -> _Breaks:
    uncapped = _uncapped(deals, axis)

    def breaks(values: Whole) -> Bools:
        shocks = _moved(axis, values)
        least = shared_slip_bps(uncapped, shocks, pool)
        found = cells(uncapped, shocks, sales(uncapped, shocks, least))
        return np.array([[_is_broken(rule, found).any()]])

    return breaks


def _uncapped(deals: DealColumns, axis: Axis) -> DealColumns:
    """Deals whose fall of ETH is not held to the gap where the gap itself is sought."""
    return replace(deals, gap=np.ones_like(deals.gap)) if axis is Axis.ETH_GAP else deals


def _is_broken(rule: Rule, found: Cells) -> Bools:
    return found.cover < 1 if rule is Rule.I3 else found.is_liquidated


def _moved(axis: Axis, values: Whole) -> ShockColumns:
    """The shock in which `axis` has these values and ETH has fallen by all that deals allow."""
    zero = np.zeros(values.shape)
    usual = ShockColumns(
        eth_drop=zero + 1,
        apr=zero,
        extra_days=zero,
        gas_gwei=zero,
        depth_left_bps=zero + BPS,
        discount_bps=zero,
        usdt_move=zero,
        recovery=zero,
    )
    match axis:
        case Axis.ETH_GAP:
            return replace(usual, eth_drop=values / BPS)
        case Axis.APR:
            return replace(usual, apr=values / BPS)
        case Axis.DEPTH_LOST:
            return replace(usual, depth_left_bps=(BPS - values).astype(np.float64))
        case Axis.USDT_UP:
            return replace(usual, usdt_move=values / BPS)
        case Axis.DELAY:
            return replace(usual, extra_days=values.astype(np.float64))
        case _:
            assert_never(axis)
