"""A book through many scenarios, summed up: one line for each scenario, one for each deal.

Only the lines are kept, so 100,000 deals in 1,000 scenarios take as little memory as ten in twenty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.risk.stress import blocks, bounds

if TYPE_CHECKING:
    from holdfast.risk.arrays import DealColumns, Floats, ShockColumns, Whole
    from holdfast.risk.stress import Block


@dataclass(frozen=True, slots=True)
class ByScenario:
    """One number for each scenario; dollars over all deals, ratios of the worst deal.

    `close` counts deals whose verdict is too near its border for floats to be sure of it.
    """

    not_whole: Whole
    liquidated: Whole
    close: Whole
    over_bound: Whole
    loss: Floats
    sold: Floats
    cover: Floats
    health: Floats
    ltv: Floats


@dataclass(frozen=True, slots=True)
class ByDeal:
    """One number for each deal; those of its worst scenario, which `worst` is the place of."""

    bound: Floats
    not_whole: Whole
    worst: Whole
    loss: Floats
    sold: Floats
    cover: Floats
    health: Floats
    ltv: Floats


@dataclass(frozen=True, slots=True)
class Sweep:
    """All lines, and what selling together loses at least in each scenario, in bps."""

    slip_bps: Floats
    scenarios: ByScenario
    deals: ByDeal


def sweep(deals: DealColumns, shocks: ShockColumns, least_slip_bps: Floats) -> Sweep:
    """Every deal in every scenario; a book has at least one of each."""
    lines = _lines(len(shocks))
    kept = _rows(len(deals))
    bound = bounds(deals)
    for block in blocks(deals, shocks, least_slip_bps):
        _add_up(lines, block, bound[block.rows])
        _keep(kept, block)
    kept.bound[:] = bound[:, 0]
    return Sweep(np.broadcast_to(least_slip_bps, (1, len(shocks)))[0], lines, kept)


def _add_up(lines: ByScenario, block: Block, bound: Floats) -> None:
    found = block.cells
    lines.not_whole[:] += np.count_nonzero(~found.is_whole, axis=0)
    lines.liquidated[:] += np.count_nonzero(found.is_liquidated, axis=0)
    lines.close[:] += np.count_nonzero(found.is_close, axis=0)
    lines.over_bound[:] += np.count_nonzero(found.loss > bound * (1 + 1e-9) + 1e-6, axis=0)
    lines.loss[:] += found.loss.sum(axis=0, dtype=np.float64)
    lines.sold[:] += found.sold.sum(axis=0, dtype=np.float64)
    np.minimum(lines.cover, found.cover.min(axis=0), out=lines.cover)
    np.minimum(lines.health, found.health.min(axis=0), out=lines.health)
    np.maximum(lines.ltv, found.ltv.max(axis=0), out=lines.ltv)


def _keep(kept: ByDeal, block: Block) -> None:
    found, rows = block.cells, block.rows
    kept.not_whole[rows] = np.count_nonzero(~found.is_whole, axis=1)
    kept.worst[rows] = found.loss.argmax(axis=1)
    kept.loss[rows] = found.loss.max(axis=1)
    kept.sold[rows] = found.sold.max(axis=1)
    kept.cover[rows] = found.cover.min(axis=1)
    kept.health[rows] = found.health.min(axis=1)
    kept.ltv[rows] = found.ltv.max(axis=1)


def _lines(count: int) -> ByScenario:
    return ByScenario(
        not_whole=np.zeros(count, dtype=np.int64),
        liquidated=np.zeros(count, dtype=np.int64),
        close=np.zeros(count, dtype=np.int64),
        over_bound=np.zeros(count, dtype=np.int64),
        loss=np.zeros(count),
        sold=np.zeros(count),
        cover=np.full(count, np.inf),
        health=np.full(count, np.inf),
        ltv=np.zeros(count),
    )


def _rows(count: int) -> ByDeal:
    return ByDeal(
        bound=np.zeros(count),
        not_whole=np.zeros(count, dtype=np.int64),
        worst=np.zeros(count, dtype=np.int64),
        loss=np.zeros(count),
        sold=np.zeros(count),
        cover=np.zeros(count),
        health=np.zeros(count),
        ltv=np.zeros(count),
    )
