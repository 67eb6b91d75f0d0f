"""The open book under stress as JSON values: a line for each scenario, one for each deal; pure.

Dollars and ratios are decimal strings from floats (`risk.stress` says how near to the truth); what
has no value, such as the debt cover of a book without debt, is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, USD8, Bps
from holdfast.planning.json_values import block, percent, ratio, usd
from holdfast.risk.arrays import deal_columns, shock_columns
from holdfast.risk.parts import shared_slip_bps
from holdfast.risk.reverse import REACH, Axis, reverse, reverse_together
from holdfast.risk.scenarios import Exposed, bound, outcome
from holdfast.risk.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.risk.arrays import DealColumns, Floats
    from holdfast.risk.book import OpenBook
    from holdfast.risk.reverse import Found
    from holdfast.risk.scenarios import Shock
    from holdfast.risk.sweep import ByDeal, ByScenario, Sweep

_DAYS: Final = {Axis.DELAY}


def stress_report(
    book: OpenBook, shocks: Sequence[Shock], *, deal: str | None, with_reverse: bool
) -> dict[str, Any]:
    """All lines of the book, or those of one of its deals, which still sells among the others.

    Raises:
        Rejected: `stress.no_deals` when nothing is open; `stress.not_open` for another deal.
    """
    if not book.deals:
        raise Rejected("stress.no_deals", "no deal is open: there is nothing to stress")
    report = _Report(book, shocks)
    lines = report.book() if deal is None else report.deal(deal)
    found = report.reversed(deal) if with_reverse else {}
    return {
        "block": block(book.at),
        "eth_usd": usd(book.eth_price),
        "open_deals": len(book.deals),
        "exit_pool_cash_usd": usd(book.pool.cash),
        "deal": deal,
        **lines,
        **found,
    }


@dataclass(frozen=True, slots=True)
class _Report:
    stressed: OpenBook
    shocks: Sequence[Shock]

    def book(self) -> dict[str, Any]:
        """A line for each scenario over all deals, and one for each deal over all scenarios."""
        made = sweep(self._columns, shock_columns(self.shocks), self._slip())
        count = len(self.stressed.deals)
        whole = not made.scenarios.not_whole.any()
        return {
            "principal_whole": bool(whole),
            "loss_bound_usd": _dollars(made.deals.bound.sum()),
            "scenarios": [self._line(made, place) for place in range(len(self.shocks))],
            "deals": [self._row(made, place) for place in range(count)],
        }

    def deal(self, wanted: str) -> dict[str, Any]:
        """The scenarios of one deal, in integers, at the price that the whole book leaves."""
        one, slips = self._exposed(wanted), self._slip()[0]
        ends = [
            (outcome(shock, one, _bps(slip)), slip)
            for shock, slip in zip(self.shocks, slips, strict=True)
        ]
        most = bound(one)
        return {
            "principal_whole": all(end.principal_whole for end, _ in ends),
            "loss_bound_usd": usd(most),
            "scenarios": [
                {
                    "scenario": end.scenario,
                    "principal_whole": end.principal_whole,
                    "liquidated": end.is_liquidated,
                    "loss_usd": usd(end.loss),
                    "within_bound": end.loss <= most,
                    "debt_cover": ratio(end.cover_wad),
                    "health_factor": ratio(end.health_wad),
                    "ltv_percent": percent(end.ltv),
                    "sold_eth": self._ether(end.sold / USD8),
                    "eth_sold_usd": usd(end.sold),
                    "shared_slip_percent": percent(_bps(slip)),
                    "delayed_by": end.delayed_by,
                }
                for end, slip in ends
            ],
        }

    def reversed(self, wanted: str | None) -> dict[str, Any]:
        """The smallest moves that break the deal alone, or any deal of the book."""
        if wanted is not None:
            return {"reverse": _borders(reverse(deal_columns([self._exposed(wanted)])))}
        return {"reverse": _borders(reverse_together(self._columns, self.stressed.pool))}

    @property
    def _columns(self) -> DealColumns:
        return deal_columns(self.stressed.alone())

    def _exposed(self, wanted: str) -> Exposed:
        for name, one in self.stressed.deals:
            if name == wanted:
                return one
        raise Rejected("stress.not_open", f"deal {wanted} is not open", value=wanted)

    def _slip(self) -> Floats:
        return shared_slip_bps(self._columns, shock_columns(self.shocks), self.stressed.pool)

    def _line(self, made: Sweep, place: int) -> dict[str, Any]:
        line = made.scenarios
        return {
            "scenario": self.shocks[place].name,
            "principal_whole": bool(line.not_whole[place] == 0),
            "deals_not_whole": int(line.not_whole[place]),
            "deals_liquidated": int(line.liquidated[place]),
            "deals_over_bound": int(line.over_bound[place]),
            "deals_too_close_to_call": int(line.close[place]),
            **_figures(line, place),
            "sold_eth": self._ether(line.sold[place]),
            "shared_slip_percent": percent(_bps(made.slip_bps[place])),
        }

    def _row(self, made: Sweep, place: int) -> dict[str, Any]:
        row = made.deals
        return {
            "deal_id": self.stressed.deals[place][0],
            "scenarios_not_whole": int(row.not_whole[place]),
            "worst_scenario": self.shocks[int(row.worst[place])].name,
            "loss_bound_usd": _dollars(row.bound[place]),
            **_figures(row, place),
        }

    def _ether(self, dollars: float) -> str:
        return f"{dollars * USD8 / self.stressed.eth_price:.4f}"


def _figures(of: ByScenario | ByDeal, place: int) -> dict[str, Any]:
    """What scenarios and deals have alike: the worst, and what is lost and sold."""
    return {
        "loss_usd": _dollars(of.loss[place]),
        "lowest_debt_cover": _ratio(of.cover[place]),
        "lowest_health_factor": _ratio(of.health[place]),
        "highest_ltv_percent": _percent(of.ltv[place]),
        "eth_sold_usd": _dollars(of.sold[place]),
    }


def _borders(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [_border(one) for one in found]


def _border(one: Found) -> dict[str, Any]:
    """`first` in the axis's own steps; null where the search's whole reach breaks nothing."""
    first, reach = int(one.first.min()), REACH[one.axis]
    return {
        "axis": str(one.axis).removesuffix("_bps").removesuffix("_days"),
        "breaks": str(one.rule),
        "first": None if first > reach else _step(one.axis, first),
        "searched_to": _step(one.axis, reach),
        "unit": "days" if one.axis in _DAYS else "percent",
    }


def _step(axis: Axis, value: int) -> str:
    """Days, or percent from bps."""
    return str(value) if axis in _DAYS else f"{value * 100 / BPS:.2f}"


def _bps(value: float) -> Bps:
    return Bps(round(value))


def _dollars(value: float) -> str:
    return f"{value:.2f}"


def _ratio(value: float) -> str | None:
    return None if np.isinf(value) else f"{value:.4f}"


def _percent(value: float) -> str | None:
    return None if np.isinf(value) else f"{value * 100:.2f}"
