"""A stress report for people: tables from the same document that --json prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.reporting.stress_lines import WITH, border, by_deals_harm, by_harm, grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

_NONE: Final = "-"
_WORST: Final = 20


def show_stress(document: dict[str, Any], *, is_matrix: bool) -> None:
    """The scenarios, the deals where all were asked for, and what was searched."""
    console = plain_console()
    console.print(_head(document), highlight=False)
    lines = document["scenarios"]
    if is_matrix:
        console.print(_grid(lines))
        lines = sorted(lines, key=by_harm)[:_WORST]
    console.print(_scenarios(lines, f"The worst {len(lines)}" if is_matrix else "Scenarios"))
    if "deals" in document:
        console.print(_deals(document["deals"]))
    if "reverse" in document:
        console.print(_reverse(document["reverse"]))


def _head(document: dict[str, Any]) -> str:
    whom = f"deal {document['deal']}" if document["deal"] else "all together"
    verdict = "whole in every scenario" if document["principal_whole"] else "NOT whole in some"
    return (
        f"{document['open_deals']} open deal(s), {whom}, at block {document['block']}, ETH "
        f"${document['eth_usd']}: principal {verdict}; loses at most "
        f"${_money(document['loss_bound_usd'])} while the theorem's conditions hold"
    )


def _scenarios(lines: Sequence[dict[str, Any]], title: str) -> Table:
    heads = ("Scenario", "Whole", "Liquidated", "Loss USD", "In bound", "Cover", "Health", "LTV")
    table = whole_table(title, *heads, "ETH sold", "Slip")
    for one in lines:
        table.add_row(
            one["scenario"] or "nothing else",
            _count(one, "deals_not_whole", "principal_whole", good=True),
            _count(one, "deals_liquidated", "liquidated", good=False),
            _money(one["loss_usd"]),
            _count(one, "deals_over_bound", "within_bound", good=True),
            _text(one.get("lowest_debt_cover", one.get("debt_cover"))),
            _text(one.get("lowest_health_factor", one.get("health_factor"))),
            _text(one.get("highest_ltv_percent", one.get("ltv_percent")), " %"),
            _money(one["sold_eth"]),
            _text(one["shared_slip_percent"], " %"),
        )
    return table


def _deals(rows: Sequence[dict[str, Any]]) -> Table:
    heads = ("Deal", "Not whole in", "Worst loss USD", "in", "Bound USD", "Cover", "Health", "LTV")
    worst = sorted(rows, key=by_deals_harm)
    title = "Deals" if len(rows) <= _WORST else f"The worst {_WORST} of {len(rows)} deals"
    table = whole_table(title, *heads, key="Deal")
    for one in worst[:_WORST]:
        table.add_row(
            one["deal_id"],
            str(one["scenarios_not_whole"]),
            _money(one["loss_usd"]),
            one["worst_scenario"],
            _money(one["loss_bound_usd"]),
            _text(one["lowest_debt_cover"]),
            _text(one["lowest_health_factor"]),
            _text(one["highest_ltv_percent"], " %"),
        )
    return table


def _reverse(found: Sequence[dict[str, Any]]) -> Table:
    table = whole_table("The smallest move that breaks it", "What moves", "I3 at", "HF < 1 at")
    for axis in dict.fromkeys(one["axis"] for one in found):
        first = {one["breaks"]: border(one) for one in found if one["axis"] == axis}
        table.add_row(axis.replace("_", " "), first["I3"], first["HF"])
    return table


def _grid(lines: Sequence[dict[str, Any]]) -> Table:
    table = whole_table("Lowest debt cover; ! where some deal is not whole", "ETH", *WITH)
    for row in grid(lines):
        table.add_row(*row)
    return table


def _count(one: dict[str, Any], many: str, single: str, *, good: bool) -> str:
    """Yes or no, with how many deals stand against it where there are several."""
    is_so = one[single] if single in one else (one[many] == 0) is good
    word = "yes" if is_so else "no"
    is_fine = is_so is good
    return word if is_fine or many not in one else f"{word.upper()} ({one[many]})"


def _text(value: str | None, unit: str = "") -> str:
    return _NONE if value is None else f"{value}{unit}"


def _money(text: str) -> str:
    return f"{float(text):,.2f}"
