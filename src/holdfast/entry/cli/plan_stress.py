"""How a plan and the open book with it end in each scenario, for people."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from holdfast.entry.cli.plan_format import table_of, usd, with_unit, words, yes_no

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType
    from rich.table import Table


def scenarios(report: Mapping[str, Any]) -> Table:
    """Each scenario, and whether its loss stays within what the plan says it loses at most."""
    heads = ("scenario", "principal whole", "loss", "in bound", "cover", "health", "bucket sold")
    table = table_of("Scenarios", *heads)
    bound = Decimal(report["worst_case"]["loss_usd"])
    for one in report["scenarios"]:
        table.add_row(
            words(one["scenario"]),
            yes_no(is_good=one["principal_whole"]),
            usd(one["loss_usd"]),
            "yes" if Decimal(one["loss_usd"]) <= bound else "beyond it",
            with_unit(one["debt_cover"], ""),
            with_unit(one["health_factor"], ""),
            with_unit(one["bucket_sold_percent"], " %"),
        )
    return table


def book_with(book: Mapping[str, Any] | None) -> list[RenderableType]:
    """The open book with this deal; plans made before it was stressed have none."""
    if book is None:
        return []
    heads = ("scenario", "all whole", "deals not whole", "loss", "least cover", "least health")
    table = table_of(f"The book: this deal and {book['other_deals']} open ones", *heads, "slip")
    for one in book["scenarios"]:
        table.add_row(
            words(one["scenario"]),
            yes_no(is_good=one["principal_whole"]),
            str(one["deals_not_whole"]),
            usd(one["loss_usd"]),
            with_unit(one["lowest_debt_cover"], ""),
            with_unit(one["lowest_health_factor"], ""),
            with_unit(one["shared_slip_percent"], " %"),
        )
    before = ", ".join(map(words, book["not_whole_without_this_deal"]))
    table.caption = f"not whole even without this deal: {before}" if before else None
    return [table]
