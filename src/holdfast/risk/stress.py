"""Many deals in many scenarios at once: the integer truth of `scenarios`, in floats.

Dollars are float64. Against `scenarios.outcome` amounts agree within `TOLERANCE` of the deal's size
and `ABSOLUTE` dollars, both over the share that a sale keeps; ratios within `TOLERANCE` of
themselves, and a basis point where the truth rounds to one. Verdicts are the same except where what
decides is as near to its border (`Cells.is_close`). What money rests on is decided by `scenarios`
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
    from collections.abc import Iterator

    from holdfast.risk.exit_pool import ExitPool

TOLERANCE: Final = 1e-9
"""Of a deal's size, and of a ratio; some 20 operations lose 1e-16 each, and prices of 1e-8."""

ABSOLUTE: Final = 1e-6
"""Dollars: the integer truth rounds against the deal a dozen times, by 1e-8 each."""

BLOCK_CELLS: Final = 16_384
"""Deals times scenarios of one block: a dozen float64 arrays of it fit a second-level cache."""


@dataclass(frozen=True, slots=True)
class Cells:
    """How every scenario ends for every deal; arrays of shape (deals, scenarios).

    `cover` and `health` are infinite without debt. `sold` is bucket ETH in dollars at today's
    price, `loss` in dollars. `is_close` says that a verdict is within the tolerance of its border.
    """

    ltv: Floats
    health: Floats
    cover: Floats
    sold: Floats
    loss: Floats
    is_whole: Bools
    is_liquidated: Bools
    is_close: Bools


@dataclass(frozen=True, slots=True)
class _Debts:
    """What is owed and held after the shock, in dollars, and what is left of ETH's price."""

    debt: Floats
    cash: Floats
    interest: Floats
    costs: Floats
    owed: Floats
    kept: Floats


def cells(deals: DealColumns, shocks: ShockColumns, least_slip_bps: Floats) -> Cells:
    """Every deal in every scenario, selling at `least_slip_bps` or worse."""
    due = _debts(deals, shocks)
    sale = 1 - _slip_bps(deals, shocks, least_slip_bps) / BPS
    fetched = deals.reserve_eth * due.kept * sale
    missing = _missing(deals, due)
    left = deals.collateral * due.kept
    weighted = left * deals.threshold
    has_debt = deals.debt > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        cover = np.where(has_debt, (due.cash + fetched) / due.owed, np.inf)
        health = np.where(has_debt, weighted / due.debt, np.inf)
        ltv = np.where(has_debt, due.debt / left, 0.0)
        needed = np.where(missing > 0, missing / (due.kept * sale), 0.0)
    spare = due.cash + fetched - due.owed
    is_liquidated = health < 1
    lost = _lost(deals, shocks, due) + (missing / sale - missing)
    return Cells(
        ltv=ltv,
        health=health,
        cover=cover,
        sold=np.minimum(needed, deals.reserve_eth),
        loss=np.maximum(0, lost + is_liquidated * due.debt * (LIQUIDATION_SHARE / BPS)),
        is_whole=~has_debt | ((spare >= 0) & (health > 1)),
        is_liquidated=is_liquidated,
        is_close=has_debt & _is_close(deals, spare, weighted - due.debt),
    )


def bounds(deals: DealColumns) -> Floats:
    """What each deal loses at most while the theorem's conditions hold, of shape (deals, 1)."""
    interest = deals.debt * deals.apr * (deals.days / DAYS)
    missing = np.maximum(0, deals.debt + interest + deals.costs - deals.cash) * (deals.debt > 0)
    sale = 1 - deals.slip_bps / BPS
    exit_cost = missing / sale - missing
    return deals.token_cost + interest + deals.costs + exit_cost + deals.paid


def shared_slip_bps(deals: DealColumns, shocks: ShockColumns, pool: ExitPool) -> Floats:
    """What the last one loses in each scenario when all deals sell at once; (1, scenarios).

    Source: `exit_pool.shared_slip`, of which this is the float version.
    """
    raised = np.zeros((1, len(shocks)))
    if len(deals) < 2:  # its own slip is what the pool quoted for it alone
        return raised
    for rows in _blocks(len(deals), len(shocks)):
        raised += _raised(deals.rows(rows), shocks).sum(axis=0, dtype=np.float64)
    gap = np.minimum(shocks.eth_drop, deals.gap.max(initial=0.0))
    cash = pool.cash / 10**8 * np.sqrt(1 - gap) * (shocks.depth_left_bps / BPS)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(raised < cash, 1 - raised / cash, 0.0)
    return np.ceil(BPS * (1 - left**2 * ((PIPS - pool.fee_pips) / PIPS)))


def blocks(deals: DealColumns, shocks: ShockColumns, least_slip_bps: Floats) -> Iterator[Block]:
    """All cells, some deals at a time."""
    for rows in _blocks(len(deals), len(shocks)):
        part = deals.rows(rows)
        yield Block(rows, part, cells(part, shocks, least_slip_bps))


@dataclass(frozen=True, slots=True)
class Block:
    """The cells of some deals; `rows` are their places in the book."""

    rows: slice
    deals: DealColumns
    cells: Cells


def _blocks(deals: int, shocks: int) -> Iterator[slice]:
    step = max(1, BLOCK_CELLS // max(1, shocks))
    return (slice(first, first + step) for first in range(0, deals, step))


def _debts(deals: DealColumns, shocks: ShockColumns) -> _Debts:
    scale = 1 + shocks.usdt_move
    debt = deals.debt * scale
    years = (deals.days + shocks.extra_days) / DAYS
    interest = debt * np.maximum(deals.apr, shocks.apr) * years
    costs = np.maximum(deals.costs, deals.gas_per_gwei * shocks.gas_gwei)
    return _Debts(
        debt=debt,
        cash=deals.cash * scale,
        interest=interest,
        costs=costs,
        owed=debt + interest + costs,
        kept=1 - np.minimum(shocks.eth_drop, deals.gap),
    )


def _missing(deals: DealColumns, due: _Debts) -> Floats:
    return np.maximum(0, due.owed - due.cash) * (deals.debt > 0)


def _raised(deals: DealColumns, shocks: ShockColumns) -> Floats:
    due = _debts(deals, shocks)
    return np.minimum(_missing(deals, due), deals.reserve_eth * due.kept)


def _slip_bps(deals: DealColumns, shocks: ShockColumns, least: Floats) -> Floats:
    """In whole basis points, as the truth has it: integers below 2^53 divide exactly."""
    own = np.ceil(deals.slip_bps * BPS / shocks.depth_left_bps)
    return np.minimum(MOST_SLIP, np.maximum(own, least) + shocks.discount_bps)


def _lost(deals: DealColumns, shocks: ShockColumns, due: _Debts) -> Floats:
    """All that is lost but what selling ETH costs and a liquidation adds."""
    dearer = (due.debt - due.cash) - (deals.debt - deals.cash)
    sunk = deals.token_cost + deals.paid
    return sunk + due.interest + due.costs + dearer - deals.token_par * shocks.recovery


def _is_close(deals: DealColumns, spare: Floats, healthy: Floats) -> Bools:
    size = deals.debt + deals.cash + deals.reserve_eth + deals.collateral
    near = TOLERANCE * size + ABSOLUTE
    return (np.abs(spare) <= near) | (np.abs(healthy) <= near)
