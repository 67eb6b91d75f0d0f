"""A stress run as the tables of a report, from the documents that `stress_report` makes; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from holdfast.common.money import BPS
from holdfast.reporting.report_charts import across
from holdfast.reporting.stress_lines import WITH, border, by_deals_harm, by_harm, cover, grid
from holdfast.reporting.tables import Column, Kind, Table, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.reporting.tables import Value
    from holdfast.risk.limits import RiskLimits

_WORST_COMBINATIONS: Final = 20
_WORST_DEALS: Final = 50
_DRAWN_COVER: Final = 3.0
"""What a larger cover is drawn as: that of a deal which owes next to nothing says nothing."""

_SCENARIO: Final = (
    Column("scenario", Kind.TEXT, "what happens; as the plan's stress has it where not named"),
    Column("whole", Kind.FLAG, "every deal brings core and collateral home whole"),
    Column("deals_not_whole", Kind.COUNT, "deals that do not"),
    Column("liquidated", Kind.COUNT, "deals with a health factor under 1"),
    Column("loss_usd", Kind.USD, "lost by all deals together, without ETH's own price"),
    Column("over_bound", Kind.COUNT, "deals that lose more than the theorem's bound"),
    Column("debt_cover", Kind.NUMBER, "least debt cover of any deal (I3 from 1)"),
    Column("health_factor", Kind.NUMBER, "least health factor of any deal"),
    Column("ltv_percent", Kind.PERCENT, "highest LTV of any deal, after the largest single fall"),
    Column("eth_sold_usd", Kind.USD, "bucket ETH that must be sold, at today's price"),
    Column("slip_percent", Kind.PERCENT, "what the last seller loses when all sell at once"),
    Column("too_close", Kind.COUNT, "verdicts too near their border for floats to be sure of"),
)
_DEAL: Final = (
    Column("deal_id", Kind.TEXT, "the deal"),
    Column("not_whole_in", Kind.COUNT, "standard scenarios in which it is not whole"),
    Column("worst_scenario", Kind.TEXT, "the scenario in which it loses most"),
    Column("loss_usd", Kind.USD, "what it loses there"),
    Column("bound_usd", Kind.USD, "the theorem's bound: S + i + f"),
    Column("debt_cover", Kind.NUMBER, "its least debt cover in any scenario"),
    Column("health_factor", Kind.NUMBER, "its least health factor in any scenario"),
    Column("ltv_percent", Kind.PERCENT, "its highest LTV in any scenario"),
    Column("eth_sold_usd", Kind.USD, "the most bucket ETH that it must sell, at today's price"),
)
_GRID_MEANS: Final = "lowest debt cover among all combinations with it; ! where a deal is not whole"
_BORDER: Final = (
    Column("what_moves", Kind.TEXT, "the one thing that moves; all else as debt cover has it"),
    Column("breaks_i3_at", Kind.TEXT, "the smallest move at which some deal's reserve fails"),
    Column("liquidates_at", Kind.TEXT, "the smallest move at which some health factor is under 1"),
)


def scenarios(document: dict[str, Any], limits: RiskLimits) -> Table:
    """The standard scenarios, a line each, with the least cover of each as a chart."""
    lines = document["scenarios"]
    rows = tuple(map(_scenario, lines))
    note = (
        "All open deals sell in one pool at once. APR 80 %, gas 700 gwei, a depeg, a delay and a "
        "bad exit lie outside what the bound assumes: there `over bound` says by how many deals "
        "it is passed."
    )
    return Table("scenarios", "Standard scenarios", _SCENARIO, rows, note, _covers(lines, limits))


def falls(document: dict[str, Any]) -> Table:
    """The lowest cover of the book where ETH falls and something else happens with it."""
    names = ("with", *WITH)
    columns = tuple(Column(name, Kind.TEXT, _GRID_MEANS) for name in names)
    rows = tuple(grid(document["scenarios"]))
    return Table("falls", "Lowest debt cover by fall of ETH", columns, rows, f"{_GRID_MEANS}.")


def combined(document: dict[str, Any]) -> Table:
    """All combinations of the standard shocks, the most harmful first."""
    rows = tuple(map(_scenario, sorted(document["scenarios"], key=by_harm)))
    note = f"All {len(rows)} combinations of the standard shocks, the most harmful first."
    title = "Combinations"
    return Table("combinations", title, _SCENARIO, rows, note, page_rows=_WORST_COMBINATIONS)


def borders(document: dict[str, Any]) -> Table:
    """Reverse stress: the smallest move of one thing that breaks any deal of the book."""
    found = document["reverse"]
    axes = dict.fromkeys(one["axis"] for one in found)
    rows = tuple((axis.replace("_", " "), *_borders(found, axis)) for axis in axes)
    note = "The first value, in whole steps, at which the first deal breaks; all sell together."
    return Table("reverse", "Reverse stress", _BORDER, rows, note)


def deals(document: dict[str, Any]) -> Table:
    """Each deal over all standard scenarios, the weakest first."""
    rows = tuple(map(_deal, sorted(document["deals"], key=by_deals_harm)))
    return Table("deals", "Deals", _DEAL, rows, "The weakest first.", page_rows=_WORST_DEALS)


def _covers(lines: Sequence[dict[str, Any]], limits: RiskLimits) -> str:
    known = [(one["scenario"], cover(one)) for one in lines if cover(one) < float("inf")]
    return across(
        f"Least debt cover of any deal ({_DRAWN_COVER:.0f} and more drawn as {_DRAWN_COVER:.0f})",
        [name.replace("_", " ") for name, _ in known],
        [min(_DRAWN_COVER, value) for _, value in known],
        lines={
            "warning": limits.warn_cover_wad / 10**18,
            "I3": limits.min_cover_wad / 10**18,
        },
    )


def _scenario(one: dict[str, Any]) -> tuple[Value, ...]:
    return (
        one["scenario"] or "nothing else",
        one["principal_whole"],
        one["deals_not_whole"],
        one["deals_liquidated"],
        _usd8(one["loss_usd"]),
        one["deals_over_bound"],
        _number(one["lowest_debt_cover"]),
        _number(one["lowest_health_factor"]),
        _bps(one["highest_ltv_percent"]),
        _usd8(one["eth_sold_usd"]),
        _bps(one["shared_slip_percent"]),
        one["deals_too_close_to_call"],
    )


def _deal(one: dict[str, Any]) -> tuple[Value, ...]:
    return (
        one["deal_id"],
        one["scenarios_not_whole"],
        one["worst_scenario"],
        _usd8(one["loss_usd"]),
        _usd8(one["loss_bound_usd"]),
        _number(one["lowest_debt_cover"]),
        _number(one["lowest_health_factor"]),
        _bps(one["highest_ltv_percent"]),
        _usd8(one["eth_sold_usd"]),
    )


def _borders(found: Sequence[dict[str, Any]], axis: str) -> tuple[str, str]:
    first = {one["breaks"]: border(one) for one in found if one["axis"] == axis}
    return first["I3"], first["HF"]


def money(text: str) -> str:
    """Dollars of a document, for people."""
    return shown(_usd8(text), Kind.USD)


def _usd8(text: str) -> int:
    return int(Decimal(text).scaleb(8))


def _bps(text: str | None) -> int | None:
    return None if text is None else int(Decimal(text) * BPS / 100)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
