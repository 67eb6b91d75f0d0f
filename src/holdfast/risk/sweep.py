"""A book through many scenarios, summed up: one line for each scenario, one for each deal.

Only the lines are kept, so 100,000 deals in 1,000 scenarios take as little memory as ten in twenty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.risk.stress import ABSOLUTE, TOLERANCE, blocks, bounds, nearness

if TYPE_CHECKING:
    from holdfast.risk.arrays import Bools, DealColumns, Floats, ShockColumns, Whole
    from holdfast.risk.stress import Block, Cells


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
    lines, kept = _lines(len(shocks)), _rows(len(deals))
    kept.bound[:] = bounds(deals)[:, 0]
    for block in blocks(deals, shocks, least_slip_bps):
        _add_up(lines, block, kept.bound[block.rows])
        _keep(kept, block)
    return Sweep(np.broadcast_to(least_slip_bps, (1, len(shocks)))[0], lines, kept)


def _add_up(lines: ByScenario, block: Block, bound: Floats) -> None:
    found = block.cells
    most = (bound * (1 + TOLERANCE) + ABSOLUTE)[:, np.newaxis]
    lines.not_whole[:] += _count(~found.is_whole)
    lines.liquidated[:] += _count(found.is_liquidated)
    lines.close[:] += _count(_is_near(found, float(nearness(block.deals).max())))
    lines.over_bound[:] += _count(found.loss > most)
    lines.loss[:] += found.loss.sum(axis=0, dtype=np.float64)
    lines.sold[:] += found.sold.sum(axis=0, dtype=np.float64)
    np.minimum(lines.cover, found.cover.min(axis=0), out=lines.cover)
    np.minimum(lines.health, found.health.min(axis=0), out=lines.health)
    np.maximum(lines.ltv, found.ltv.max(axis=0), out=lines.ltv)


def _is_near(found: Cells, near: float) -> Bools:
    """Like `stress.is_close`, with the widest nearness of the block for all its deals."""
    cover = (found.cover >= 1 - near) & (found.cover <= 1 + near)
    return cover | ((found.health >= 1 - near) & (found.health <= 1 + near))


def _count(marked: Bools) -> Whole:
    """How many deals of a block are marked, by scenario; a block has at most 255."""
    found: Whole = marked.view(np.uint8).sum(axis=0, dtype=np.uint8).astype(np.int64)
    return found


def _keep(kept: ByDeal, block: Block) -> None:
    found, rows = block.cells, block.rows
    kept.not_whole[rows] = (~found.is_whole).view(np.uint8).sum(axis=1, dtype=np.uint32)
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
