"""Many deals in many scenarios at once: the integer truth of `scenarios`, in floats.

Dollars are float64. Against `scenarios.outcome` amounts agree within `TOLERANCE` of the deal's size
and `ABSOLUTE` dollars, both over the share that a sale keeps; ratios within `TOLERANCE` of
themselves, and a basis point where the truth rounds to one. Verdicts are the same except where what
decides is as near to its border (`is_close`). What money rests on is decided by `scenarios`
and `book`, never here.

The formulas are for arrays that numpy broadcasts: deals down and scenarios across, or many deals
(`rest` of them flat) and one scenario, as `parts` has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from holdfast.common.money import BPS
from holdfast.risk.arrays import DAYS, Bools, DealColumns, Floats, ShockColumns
from holdfast.risk.scenarios import LIQUIDATION_SHARE, MOST_SLIP

TOLERANCE: Final = 1e-9
"""Of a deal's size, and of a ratio; some 20 operations lose 1e-16 each, and prices of 1e-8."""

ABSOLUTE: Final = 1e-6
"""Dollars: the integer truth rounds against the deal a dozen times, by 1e-8 each."""

NEARLY_BPS: Final = 1.5
"""Of a slip: that near to the deepest allowed, what deals share may be rounded past it."""

LEAST_KEPT: Final = 1e-12
"""Of ETH's price, where it falls by all; deals reckon with a gap of half."""


@dataclass(frozen=True, slots=True)
class Cells:
    """How every scenario ends for every deal; arrays of shape (deals, scenarios).

    `cover` and `health` are infinite without debt. `sold` is bucket ETH in dollars at today's
    price, `loss` in dollars. `is_unsure` is where a sale is too near to the deepest allowed, or to
    not being needed, for floats to say whether the deal waits.
    """

    ltv: Floats
    health: Floats
    cover: Floats
    sold: Floats
    loss: Floats
    is_whole: Bools
    is_liquidated: Bools
    is_unsure: Bools


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be paid after the shock, in dollars.

    `owed` is the debt with interest and costs, `missing` what no cash pays of it, `sunk` what is
    lost whatever ETH sells for: the price of the tokens, interest, costs, a dearer debt currency.
    Where there is no debt, a dollar is owed and there is cash without end.
    """

    owed: Floats
    cash: Floats
    missing: Floats
    sunk: Floats


@dataclass(frozen=True, slots=True)
class Ratios:
    """Debt against collateral after the shock; health is infinite without debt."""

    ltv: Floats
    health: Floats


@dataclass(frozen=True, slots=True)
class Sale:
    """What the bucket's ETH brings.

    Attributes:
        keeps: the share of its value that selling keeps.
        left: the share of ETH's price that is left.
        brings: the whole bucket, in dollars.
    """

    keeps: Floats
    left: Floats
    brings: Floats


def cells(deals: DealColumns, shocks: ShockColumns, keeps: Floats) -> Cells:
    """Every deal in every scenario.

    Args:
        deals: their columns.
        shocks: the scenarios'.
        keeps: the share of ETH's value that selling it keeps in each cell, see `sales`.
    """
    due, ratios = due_of(deals, shocks), ratios_of(deals, shocks)
    left = left_of(deals, shocks)
    sale = Sale(keeps, left, brings(deals, left, keeps))
    cover = cover_of(due, sale)
    loss, sold = ends(deals, due, sale)
    is_liquidated = ratios.health < 1
    waits, is_unsure = waits_of(deals, shocks, due, keeps)
    loss += penalty(deals, shocks, is_liquidated)
    loss -= deals.token_par * shocks.recovery
    return Cells(
        ltv=ratios.ltv,
        health=ratios.health,
        cover=cover,
        sold=sold,
        loss=np.maximum(loss, 0, out=loss),
        is_whole=(cover >= 1) & (ratios.health > 1) & ~waits,
        is_liquidated=is_liquidated,
        is_unsure=is_unsure,
    )


def due_of(deals: DealColumns, shocks: ShockColumns) -> Due:
    """What has to be paid, and what of it no cash pays."""
    move = 1 + shocks.usdt_move
    debt, cash = deals.debt * move, deals.cash * move
    charges = (deals.days + shocks.extra_days) * (1 / DAYS)
    charges *= np.maximum(deals.apr, shocks.apr)
    charges *= debt
    charges += np.maximum(deals.costs, deals.gas_per_gwei * shocks.gas_gwei)
    owed = debt + charges
    missing = owed - cash
    np.maximum(missing, 0, out=missing)
    sunk = charges
    sunk += (deals.debt - deals.cash) * shocks.usdt_move
    sunk += deals.token_cost + deals.paid
    is_free = deals.debt == 0
    if is_free.any():
        for column, without in ((missing, 0), (owed, 1), (cash, np.inf)):
            np.copyto(column, without, where=is_free)
    return Due(owed, cash, missing, sunk)


def left_of(deals: DealColumns, shocks: ShockColumns) -> Floats:
    """The share of ETH's price that is left, at least next to nothing so that it can be divided by.

    A fall is counted as far as one step goes, see docs/stress.md.
    """
    gap = np.minimum(deals.gap, 1 - LEAST_KEPT)
    return 1 - np.minimum(shocks.eth_drop, gap)


def brings(deals: DealColumns, left: Floats, keeps: Floats) -> Floats:
    """What the whole bucket of ETH sells for, in dollars."""
    return deals.reserve_eth * left * keeps


def cover_of(due: Due, sale: Sale) -> Floats:
    """Debt cover; infinite without debt."""
    cover = due.cash + sale.brings
    cover /= due.owed
    return cover


def ends(deals: DealColumns, due: Due, sale: Sale) -> tuple[Floats, Floats]:
    """What is lost before any liquidation and recovery, and the bucket ETH that is sold."""
    at_oracle = due.missing / sale.keeps
    loss = at_oracle - due.missing
    loss += due.sunk
    sold = np.divide(at_oracle, sale.left, out=at_oracle)
    return loss, np.minimum(sold, deals.reserve_eth, out=sold)


def ratios_of(deals: DealColumns, shocks: ShockColumns) -> Ratios:
    """LTV and health factor."""
    left, move = left_of(deals, shocks), 1 + shocks.usdt_move
    with np.errstate(divide="ignore", invalid="ignore"):
        ltv = deals.debt / deals.collateral * (move / left)
        health = deals.collateral * deals.threshold / deals.debt * (left / move)
    is_free = deals.debt == 0
    if is_free.any():
        np.copyto(ltv, 0, where=is_free)
        np.copyto(health, np.inf, where=is_free)
    return Ratios(ltv, health)


def penalty(deals: DealColumns, shocks: ShockColumns, is_liquidated: Bools) -> Floats:
    """What liquidations cost."""
    debt = deals.debt * (1 + shocks.usdt_move)
    return np.where(is_liquidated, debt * (LIQUIDATION_SHARE / BPS), 0)


def waits_of(
    deals: DealColumns, shocks: ShockColumns, due: Due, keeps: Floats
) -> tuple[Bools, Bools]:
    """Where a deal waits with its debt for a better price or cheaper gas, and where floats may err.

    The slip that deals share is up to a basis point more than the truth's.
    """
    owes = deals.debt > 0
    waits = owes & (shocks.gas_gwei > deals.most_gas_gwei)
    least = 1 - deals.most_slip_bps / BPS
    room = NEARLY_BPS / BPS
    if not (keeps < least + room).any():  # as a rule: then there is nothing to tell apart
        return waits, np.zeros_like(waits)
    is_deep = keeps < least
    short = due.owed - due.cash
    near = TOLERANCE * deals.debt + ABSOLUTE
    is_unsure = (np.abs(keeps - least) <= room) | (is_deep & (np.abs(short) <= near))
    return waits | (owes & is_deep & (short > 0)), owes & is_unsure


def sales(deals: DealColumns, shocks: ShockColumns, least_slip_bps: Floats) -> Floats:
    """The share of ETH's value that selling keeps: at a deal's own slips, or `least_slip_bps`."""
    return keeps(deals.slip_bps, deals.pool_slip_bps, shocks, least_slip_bps)


def keeps(
    slip_bps: Floats, pool_slip_bps: Floats, shocks: ShockColumns, least_slip_bps: Floats
) -> Floats:
    """The same for slips by themselves.

    They are whole basis points, as the truth has them: integers below 2^53 divide exactly.
    """
    own = np.ceil(pool_slip_bps * BPS / shocks.depth_left_bps)
    needed = np.maximum(own, least_slip_bps) + shocks.discount_bps
    return 1 - np.minimum(MOST_SLIP, np.maximum(slip_bps, needed)) / BPS


def is_close(found: Cells, deals: DealColumns) -> Bools:
    """Where a verdict is so near its border that floats are not to be trusted with it."""
    near = nearness(deals)
    return is_near(found.cover, near) | is_near(found.health, near) | found.is_unsure


def is_near(ratio: Floats, near: Floats) -> Bools:
    """Where a ratio is that near to 1."""
    return np.abs(ratio - 1) <= near


def nearness(deals: DealColumns) -> Floats:
    """How near to 1 a deal's cover or health is too near."""
    with np.errstate(divide="ignore"):
        return np.where(deals.debt > 0, TOLERANCE + ABSOLUTE / deals.debt, 0.0)


def bounds(deals: DealColumns) -> Floats:
    """What each deal loses at most while the theorem's conditions hold."""
    interest = deals.debt * deals.apr * (deals.days / DAYS)
    owed = deals.debt + interest + deals.costs
    missing = np.where(deals.debt > 0, np.maximum(0, owed - deals.cash), 0.0)
    most = np.where(deals.most_slip_bps < BPS, deals.most_slip_bps, 0.0)
    deepest = np.maximum(deals.slip_bps, most)
    exit_cost = missing / (1 - deepest / BPS) - missing
    return deals.token_cost + interest + deals.costs + exit_cost + deals.paid
