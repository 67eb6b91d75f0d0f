"""Printing of what others wrote: nodes, contracts and databases give text, never markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from holdfast.reporting.tables import heading, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import ConsoleOptions, RenderableType, RenderResult

    from holdfast.reporting.tables import Table as ReportTable

_PIPED_COLUMNS: Final = 200
_ANY_WIDTH: Final = 10_000


class PipedConsole(Console):
    """A console whose reader may leave: rich would end the program as if it had a bug."""

    @override
    def on_broken_pipe(self) -> None:
        """Let the program's edge turn it into the exit code for that."""
        self.quiet = True
        raise BrokenPipeError


def plain_console() -> Console:
    """A console that shows every text letter by letter; brackets in it mean nothing.

    Into a pipe or a file it writes wide lines, as there is no screen that they must fit.
    """
    console = PipedConsole(markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPED_COLUMNS)
    return console


class WholeTable(Table):
    """A table that becomes a list where its columns do not fit: a word in pieces is no word."""

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.update_width(_ANY_WIDTH)
        if self.__rich_measure__(console, wide).minimum <= options.max_width:
            yield from super().__rich_console__(console, options)
        else:
            yield Text(str(self.title or ""), style="italic")
            yield from self._listed()

    def _listed(self) -> Iterator[RenderableType]:
        names = [f"{column.header}" for column in self.columns]
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            row = Table.grid("", "", padding=(0, 2))
            row.columns[1].overflow = "fold"
            for name, cell in zip(names, cells, strict=True):
                row.add_row(name, cell)
            yield row
            yield Text()


def whole_table(title: str, *columns: str, key: str | None = None) -> Table:
    """A table that cuts nothing off: what is too long goes on in the next line.

    An amount or a hash without its end is worse than none. The column `key` stays on one line, as
    it is what is copied into the next command. On a screen too narrow for its longest words it
    becomes a list, a line a column.
    """
    table = WholeTable(title=title, title_justify="left", show_edge=False, pad_edge=False)
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
