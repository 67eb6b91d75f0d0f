"""Printing of what others wrote: nodes, contracts and databases give text, never markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from holdfast.reporting.tables import heading, shown

if TYPE_CHECKING:
    from holdfast.reporting.tables import Table as ReportTable

_PIPED_COLUMNS: Final = 200


def plain_console() -> Console:
    """A console that shows every text letter by letter; brackets in it mean nothing.

    Into a pipe or a file it writes wide lines, as there is no screen that they must fit.
    """
    console = Console(markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPED_COLUMNS)
    return console


def whole_table(title: str, *columns: str, key: str | None = None) -> Table:
    """A table that cuts nothing off: what is too long goes on in the next line.

    An amount or a hash without its end is worse than none. The column `key` stays on one line
    while there is room, as it is what is copied into the next command.
    """
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == key)
    return table


def show_table(told: ReportTable) -> None:
    """Print one table of a report."""
    names = [heading(column.name) for column in told.columns]
    table = whole_table(told.title, *names)
    for row in told.rows:
        pairs = zip(row, told.columns, strict=True)
        table.add_row(*(shown(value, column.kind) for value, column in pairs))
    plain_console().print(table)
