"""How `holdfast worker status` looks to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from holdfast.entry.cli.plain import plain_console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_QUEUE = ("queue", "waiting", "later", "running", "abandoned", "failed")


def show_workers(report: Mapping[str, Any]) -> None:
    """Print leads, queues and what is late."""
    console = plain_console()
    console.print(_leads(report["leads"]))
    if report["queues"]:
        console.print(_queues(report["queues"]))
    else:
        console.print("queues: empty")
    deals = report["deals"]
    console.print(f"deals overdue: {deals['overdue']}, by {deals['latest_by_seconds']} s at most")


def _leads(leads: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("lead", "who", "epoch", "led for", "last renewed")
    for one in leads:
        who = one["holder"] if one["is_led"] else _why_nobody(one)
        renewed = f"{one['silent_seconds']} s ago"
        table.add_row(one["name"], who, str(one["epoch"]), f"{one['led_seconds']} s", renewed)
    return table


def _why_nobody(lead: Mapping[str, Any]) -> str:
    if lead["holder"] is None:
        return "nobody: handed over"
    return f"nobody: {lead['holder']} is silent"


def _queues(queues: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(*_QUEUE)
    for one in queues:
        table.add_row(*(str(one[name]) for name in _QUEUE))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
