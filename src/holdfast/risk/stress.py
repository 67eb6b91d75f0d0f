"""Many deals in many scenarios at once: the integer truth of `scenarios`, in floats.

Dollars are float64. Against `scenarios.outcome` amounts agree within `TOLERANCE` of the deal's size
and `ABSOLUTE` dollars, both over the share that a sale keeps; ratios within `TOLERANCE` of
themselves, and a basis point where the truth rounds to one. Verdicts are the same except where what
decides is as near to its border (`is_close`). What money rests on is decided by `scenarios`
and `book`, never here.

Work is done in blocks that fit a core's cache, and only sums and extremes are kept, so memory does
not grow with deals times scenarios.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.common.money import BPS
from holdfast.risk.arrays import DAYS, Bools, DealColumns, Floats, ShockColumns
from holdfast.risk.formulas import PIPS
from holdfast.risk.scenarios import LIQUIDATION_SHARE, MOST_SLIP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.risk.exit_pool import ExitPool

TOLERANCE: Final = 1e-9
"""Of a deal's size, and of a ratio; some 20 operations lose 1e-16 each, and prices of 1e-8."""

ABSOLUTE: Final = 1e-6
"""Dollars: the integer truth rounds against the deal a dozen times, by 1e-8 each."""

LEAST_KEPT: Final = 1e-12
"""Of ETH's price, where it falls by all; deals reckon with a gap of half."""

NEAR_BPS: Final = 1e-6
"""Of a basis point: a slip that near under a whole one is rounded up past it."""

BLOCK_BYTES: Final = 2**18
"""Of one array of a block: what is worked on at a time fits a core's share of the cache, and is
large enough that calling numpy, a microsecond each time, is not what takes the time."""

NEARLY_BPS: Final = 1.5
"""Of a slip: that near to the deepest allowed, what deals share may be rounded past it."""

MOST_ROWS: Final = 255
"""Deals of one block, so that a count of them fits a byte, which is quickest to add up."""


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
class _Due:
    """What is to be paid after the shock, in dollars, and what is left of ETH's price.

    `charges` are interest and costs, `owed` the debt with them, `missing` what no cash pays of it.
    """

    charges: Floats
    owed: Floats
    cash: Floats
    missing: Floats
    kept: Floats


def cells(deals: DealColumns, shocks: ShockColumns, sale: Floats) -> Cells:
    """Every deal in every scenario.

    Args:
        deals: their columns.
        shocks: the scenarios'.
        sale: the share of ETH's value that selling it keeps in each cell, see `sales`.
    """
    due = _due(deals, shocks)
    at_oracle = due.missing / sale
    cover = deals.reserve_eth * due.kept
    cover *= sale
    cover += due.cash
    cover /= due.owed
    ltv, health = _ratios(deals, shocks, due)
    is_free = deals.debt[:, 0] == 0
    if is_free.any():
        cover[is_free], health[is_free], ltv[is_free] = np.inf, np.inf, 0
    is_liquidated = health < 1
    waits, is_unsure = _waits(deals, shocks, due, sale)
    loss = _sunk(deals, shocks)
    loss += due.charges
    loss += at_oracle - due.missing
    if is_liquidated.any():
        loss += is_liquidated * (deals.debt * (1 + shocks.usdt_move) * (LIQUIDATION_SHARE / BPS))
    sold = np.divide(at_oracle, due.kept, out=at_oracle)
    return Cells(
        ltv=ltv,
        health=health,
        cover=cover,
        sold=np.minimum(sold, deals.reserve_eth, out=sold),
        loss=np.maximum(loss, 0, out=loss),
        is_whole=(cover >= 1) & (health > 1) & ~waits,
        is_liquidated=is_liquidated,
        is_unsure=is_unsure,
    )


def _waits(
    deals: DealColumns, shocks: ShockColumns, due: _Due, sale: Floats
) -> tuple[Bools, Bools]:
    """Where a deal waits with its debt for a better price or cheaper gas, and where floats may err.

    The slip that deals share is up to a basis point more than the truth's.
    """
    owes = deals.debt > 0
    waits = owes & (shocks.gas_gwei > deals.most_gas_gwei)
    least = 1 - deals.most_slip_bps / BPS
    room = NEARLY_BPS / BPS
    if not (sale < least + room).any():  # as a rule: then there is nothing to tell apart
        return waits, np.zeros_like(waits)
    is_deep = sale < least
    short = due.owed - due.cash
    near = nearness(deals) * deals.debt
    is_near = (np.abs(sale - least) <= room) | (is_deep & (np.abs(short) <= near))
    return waits | (owes & is_deep & (short > 0)), owes & is_near


def sales(deals: DealColumns, shocks: ShockColumns, least_slip_bps: Floats) -> Floats:
    """The share of ETH's value that selling keeps: at a deal's own slips, or `least_slip_bps`.

    Slips are whole basis points, as the truth has them: integers below 2^53 divide exactly.
    """
    own = np.ceil(deals.pool_slip_bps * BPS / shocks.depth_left_bps)
    needed = np.maximum(own, least_slip_bps) + shocks.discount_bps
    return 1 - np.minimum(MOST_SLIP, np.maximum(deals.slip_bps, needed)) / BPS


def is_close(found: Cells, deals: DealColumns) -> Bools:
    """Where a verdict is so near its border that floats are not to be trusted with it."""
    near = nearness(deals)
    is_near = (np.abs(found.cover - 1) <= near) | (np.abs(found.health - 1) <= near)
    return is_near | found.is_unsure


def nearness(deals: DealColumns) -> Floats:
    """How near to 1 a deal's cover or health is too near; of shape (deals, 1)."""
    with np.errstate(divide="ignore"):
        return np.where(deals.debt > 0, TOLERANCE + ABSOLUTE / deals.debt, 0.0)


def bounds(deals: DealColumns) -> Floats:
    """What each deal loses at most while the theorem's conditions hold, of shape (deals, 1)."""
    interest = deals.debt * deals.apr * (deals.days / DAYS)
    owed = deals.debt + interest + deals.costs
    missing = np.where(deals.debt > 0, np.maximum(0, owed - deals.cash), 0.0)
    most = np.where(deals.most_slip_bps < BPS, deals.most_slip_bps, 0.0)
    deepest = np.maximum(deals.slip_bps, most)
    exit_cost = missing / (1 - deepest / BPS) - missing
    return deals.token_cost + interest + deals.costs + exit_cost + deals.paid


def shared_slip_bps(deals: DealColumns, shocks: ShockColumns, pool: ExitPool) -> Floats:
    """What the last one loses in each scenario when all deals sell at once; (1, scenarios).

    Never less than the integers of `exit_pool.shared_slip` have it, and at most a basis point more.
    """
    raised = np.zeros((1, len(shocks)))
    if len(deals) < 2:  # its own slip is what the pool quoted for it alone
        return raised
    for rows in _blocks(deals, len(shocks)):
        raised += _raised(deals.rows(rows), shocks).sum(axis=0, dtype=np.float64)
    gap = np.minimum(shocks.eth_drop, deals.gap.max(initial=0.0))
    cash = pool.cash / 10**8 * np.sqrt(1 - gap) * (shocks.depth_left_bps / BPS)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(raised < cash, 1 - raised / cash, 0.0)
    lost = BPS * (1 - left**2 * ((PIPS - pool.fee_pips) / PIPS))
    return np.minimum(np.ceil(lost + NEAR_BPS), BPS)


def blocks(deals: DealColumns, shocks: ShockColumns, least_slip_bps: Floats) -> Iterator[Block]:
    """All cells, some deals at a time."""
    own = deals.slip_bps.astype(np.float64) * (2 * BPS) + deals.pool_slip_bps
    _, first, kind = np.unique(own[:, 0], return_index=True, return_inverse=True)
    # Slips are few: each is worked out once, and its row copied for every deal that has it.
    by_slip = np.concatenate(
        [sales(deals.rows(slice(i, i + 1)), shocks, least_slip_bps) for i in first]
    )
    for rows in _blocks(deals, len(shocks)):
        part = deals.rows(rows)
        yield Block(rows, part, cells(part, shocks, by_slip[kind[rows]]))


@dataclass(frozen=True, slots=True)
class Block:
    """The cells of some deals; `rows` are their places in the book."""

    rows: slice
    deals: DealColumns
    cells: Cells


def _blocks(deals: DealColumns, shocks: int) -> Iterator[slice]:
    row_bytes = deals.debt.itemsize * max(1, shocks)
    step = min(MOST_ROWS, max(1, BLOCK_BYTES // row_bytes))
    return (slice(first, first + step) for first in range(0, len(deals), step))


def _due(deals: DealColumns, shocks: ShockColumns) -> _Due:
    scale, later = 1 + shocks.usdt_move, shocks.extra_days / DAYS
    charges = _product((deals.debt * (deals.days / DAYS), deals.debt), (scale, scale * later))
    charges *= np.maximum(deals.apr, shocks.apr)
    charges += np.maximum(deals.costs, deals.gas_per_gwei * shocks.gas_gwei)
    owed = deals.debt * scale
    owed += charges
    cash = deals.cash * scale
    missing = owed - cash
    np.maximum(missing, 0, out=missing)
    is_free = deals.debt[:, 0] == 0
    if is_free.any():
        missing[is_free], owed[is_free] = 0, 1
    return _Due(charges, owed, cash, missing, _kept(deals, shocks))


def _kept(deals: DealColumns, shocks: ShockColumns) -> Floats:
    """What is left of ETH's price, at least next to nothing so that it can be divided by.

    One row for all deals where all have the same gap, as those of one desk do.
    """
    is_same = bool((deals.gap == deals.gap[:1]).all())
    gap = np.minimum(deals.gap[:1] if is_same else deals.gap, 1 - LEAST_KEPT)
    return 1 - np.minimum(shocks.eth_drop, gap)


def _ratios(deals: DealColumns, shocks: ShockColumns, due: _Due) -> tuple[Floats, Floats]:
    """LTV and health factor after the shock; what is divided by zero here is replaced later."""
    scale = 1 + shocks.usdt_move
    with np.errstate(divide="ignore", invalid="ignore"):
        opened = deals.debt / deals.collateral
        secured = deals.collateral * deals.threshold / deals.debt
        return opened * (scale / due.kept), secured * (due.kept / scale)


def _raised(deals: DealColumns, shocks: ShockColumns) -> Floats:
    due = _due(deals, shocks)
    return np.minimum(due.missing, deals.reserve_eth * due.kept)


def _sunk(deals: DealColumns, shocks: ShockColumns) -> Floats:
    """What was paid, what a move of the debt currency costs, less what tokens bring after all."""
    paid, owed = deals.token_cost + deals.paid, deals.debt - deals.cash
    everywhere = np.ones_like(shocks.usdt_move)
    return _product((paid, owed, -deals.token_par), (everywhere, shocks.usdt_move, shocks.recovery))


def _product(columns: Sequence[Floats], rows: Sequence[Floats]) -> Floats:
    """The sum of each column times its row: one product of matrices where deals share the rows."""
    if len(rows[0]) == 1:
        product: Floats = np.hstack(columns) @ np.vstack(rows)
        return product
    return sum((c * r for c, r in zip(columns, rows, strict=True)), start=np.zeros_like(rows[0]))
