"""A large book under stress: floats find what matters, integers decide it.

Verdicts, the least cover and the least health factor are those of the integer truth for the deals
that floats single out: all whose verdict is near its border, and the worst one. The sums of losses
and sales are the floats' own. What selling together loses is never less than the integers say, and
at most a basis point more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.common.money import USD8, Bps, Usd8
from holdfast.risk.arrays import deal_columns, shock_columns
from holdfast.risk.book import BookOutcome
from holdfast.risk.parts import shared_slip_bps
from holdfast.risk.scenarios import outcome
from holdfast.risk.stress import cells, is_close, sales

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.risk.arrays import Bools
    from holdfast.risk.exit_pool import ExitPool
    from holdfast.risk.scenarios import Exposed, Shock
    from holdfast.risk.stress import Cells


def ends(
    shocks: Sequence[Shock], deals: Sequence[Exposed], pool: ExitPool
) -> tuple[BookOutcome, ...]:
    """How each of `shocks` ends for deals that all sell at once; for a few dozen scenarios."""
    columns, across = deal_columns(deals), shock_columns(shocks)
    slips = shared_slip_bps(columns, across, pool)
    found = cells(columns, across, sales(columns, across, slips))
    close = is_close(found, columns)
    return tuple(
        _end(shock, deals, Bps(round(slips[0, place])), _column(found, close, place))
        for place, shock in enumerate(shocks)
    )


def _column(found: Cells, close: Bools, place: int) -> tuple[Cells, Bools]:
    return (
        type(found)(**{name: getattr(found, name)[:, place] for name in type(found).__slots__}),
        close[:, place],
    )


def _end(
    shock: Shock, deals: Sequence[Exposed], slip: Bps, column: tuple[Cells, Bools]
) -> BookOutcome:
    found, close = column
    is_whole = found.is_whole.copy()
    for place in map(int, np.flatnonzero(close)):
        is_whole[place] = outcome(shock, deals[place], slip).principal_whole
    thinnest = outcome(shock, deals[int(found.cover.argmin())], slip)
    weakest = outcome(shock, deals[int(found.health.argmin())], slip)
    return BookOutcome(
        scenario=shock.name,
        slip=slip,
        not_whole=tuple(map(int, np.flatnonzero(~is_whole))),
        lowest_cover_wad=thinnest.cover_wad,
        health_wad=weakest.health_wad,
        sold=Usd8(round(float(found.sold.sum()) * USD8)),
        loss=Usd8(round(float(found.loss.sum()) * USD8)),
    )
