"""A book through many scenarios, summed up: one line for each scenario, one for each deal.

Only the lines are kept, so 100,000 deals in 1,000 scenarios take as little memory as ten in twenty.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from holdfast.common.money import BPS
from holdfast.risk.parts import groups, parts
from holdfast.risk.stress import (
    ABSOLUTE,
    NEARLY_BPS,
    TOLERANCE,
    bounds,
    cover_of,
    ends,
    is_near,
    nearness,
    penalty,
    waits_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from holdfast.risk.arrays import Bools, DealColumns, Floats, ShockColumns, Whole
    from holdfast.risk.parts import Group, Part
    from holdfast.risk.stress import Ratios, Sale


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
    """One number for each deal, the worst of all scenarios; dollars and ratios.

    `worst` is the place of a scenario with the greatest loss.
    """

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
    found, kept = groups(deals, shocks, least_slip_bps), _rows(len(deals))
    lines = [_lines(len(group.recoveries)) for group in found]
    for rows, part in parts(deals, found):
        run = _Run(part)
        for group, its_lines in zip(found, lines, strict=True):
            run.add(group, its_lines)
        run.keep(kept, rows)
    slips = np.broadcast_to(least_slip_bps, (1, len(shocks)))[0]
    return Sweep(slips, _in_place(found, lines, len(shocks)), kept)


def _in_place(found: Sequence[Group], lines: Sequence[ByScenario], count: int) -> ByScenario:
    """The lines of all groups, each at the places of its scenarios."""
    whole = _lines(count)
    for group, its_lines in zip(found, lines, strict=True):
        for index, places in enumerate(group.recoveries.values()):
            for one in fields(ByScenario):
                getattr(whole, one.name)[places] = getattr(its_lines, one.name)[index]
    return whole


@dataclass(frozen=True, slots=True)
class _Standing:
    """What follows from the ratios of a part's deals alone.

    `is_healthy` and `is_close` are None where all are healthy and none is close, and `penalty`
    where nobody is liquidated.
    """

    health: Floats
    ltv: Floats
    liquidated: int = 0
    is_healthy: Bools | None = None
    is_close: Bools | None = None
    penalty: Floats | None = None


class _Run:
    """One part of the deals on its way through the scenarios, with what was worst so far."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._most = bounds(part.deals) * (1 + TOLERANCE) + ABSOLUTE
        self._near = nearness(part.deals)
        self._safe = 1 + self._near.max()
        self._dearest_gas = part.deals.most_gas_gwei.min()
        self._deepest = 1 - (part.deals.most_slip_bps.min() - NEARLY_BPS) / BPS
        self._worst = _rows(len(part), part.deals.debt.dtype)
        self._worst.loss[:] = -1  # so that the first scenario is worse than none

    def add(self, group: Group, lines: ByScenario) -> None:
        """Add what becomes of the deals in the scenarios of a group, a line for each recovery."""
        part, deals = self._part, self._part.deals
        standing = part.with_ratios(group.shock, self._stand)
        due, sale = part.due(group.shock), part.sale(group.shock, group.slip_bps)
        if self._may_wait(group.shock, sale):
            standing = _marked(standing, waits_of(deals, group.shock, due, sale.keeps))
        self._judge(lines, cover_of(due, sale), standing, group.count)
        lost, sold = ends(deals, due, sale)
        if standing.penalty is not None:
            lost += standing.penalty
        lines.sold[:] += sold.sum(dtype=np.float64)
        np.maximum(self._worst.sold, sold, out=self._worst.sold)
        for index, (recovery, places) in enumerate(group.recoveries.items()):
            loss = lost - deals.token_par * recovery if recovery else lost
            self._lose(lines, index, np.maximum(loss, 0), places[0])

    def keep(self, kept: ByDeal, rows: slice) -> None:
        """Write the lines of these deals."""
        self._worst.bound[:] = bounds(self._part.deals)
        for one in fields(ByDeal):
            getattr(kept, one.name)[rows] = getattr(self._worst, one.name)

    def _may_wait(self, shock: ShockColumns, sale: Sale) -> bool:
        """Whether any of the deals may wait for a better price or cheaper gas; rarely so."""
        return bool(shock.gas_gwei > self._dearest_gas or sale.keeps.min() <= self._deepest)

    def _stand(self, shock: ShockColumns, ratios: Ratios) -> _Standing:
        worst, health = self._worst, ratios.health
        np.minimum(worst.health, health, out=worst.health)
        np.maximum(worst.ltv, ratios.ltv, out=worst.ltv)
        lowest, highest = health.min(), ratios.ltv.max()
        if lowest > self._safe:
            return _Standing(lowest, highest)
        is_liquidated = health < 1
        return _Standing(
            health=lowest,
            ltv=highest,
            liquidated=int(np.count_nonzero(is_liquidated)),
            is_healthy=health > 1,
            is_close=is_near(health, self._near),
            penalty=penalty(self._part.deals, shock, is_liquidated),
        )

    def _judge(self, lines: ByScenario, cover: Floats, standing: _Standing, scenarios: int) -> None:
        np.minimum(self._worst.cover, cover, out=self._worst.cover)
        lowest = cover.min()
        lines.cover[:] = np.minimum(lines.cover, lowest)
        lines.health[:] = np.minimum(lines.health, standing.health)
        lines.ltv[:] = np.maximum(lines.ltv, standing.ltv)
        if lowest > self._safe and standing.is_healthy is None:
            return
        is_whole, is_close = cover >= 1, is_near(cover, self._near)
        if standing.is_healthy is not None and standing.is_close is not None:
            is_whole &= standing.is_healthy
            is_close |= standing.is_close
        lines.not_whole[:] += len(cover) - np.count_nonzero(is_whole)
        lines.close[:] += np.count_nonzero(is_close)
        lines.liquidated[:] += standing.liquidated
        self._worst.not_whole[:] += scenarios * ~is_whole

    def _lose(self, lines: ByScenario, index: int, loss: Floats, place: int) -> None:
        lines.over_bound[index] += np.count_nonzero(loss > self._most)
        lines.loss[index] += loss.sum(dtype=np.float64)
        is_worse = loss > self._worst.loss
        if is_worse.any():
            np.copyto(self._worst.worst, place, where=is_worse)
            np.maximum(self._worst.loss, loss, out=self._worst.loss)


def _marked(standing: _Standing, waiting: tuple[Bools, Bools]) -> _Standing:
    """Deals that wait are not whole, and where that is unsure the verdict is close."""
    waits, is_unsure = waiting
    if not (waits.any() or is_unsure.any()):
        return standing
    healthy, close = ~waits, is_unsure
    if standing.is_healthy is not None and standing.is_close is not None:
        healthy &= standing.is_healthy
        close = close | standing.is_close
    return replace(standing, is_healthy=healthy, is_close=close)


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


def _rows(count: int, kind: npt.DTypeLike = np.float64) -> ByDeal:
    return ByDeal(
        bound=np.zeros(count, kind),
        not_whole=np.zeros(count, np.int64),
        worst=np.zeros(count, np.int64),
        loss=np.zeros(count, kind),
        sold=np.zeros(count, kind),
        cover=np.full(count, np.inf, kind),
        health=np.full(count, np.inf, kind),
        ltv=np.zeros(count, kind),
    )
