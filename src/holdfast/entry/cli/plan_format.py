"""How a plan's figures are written for people."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE: Final = "-"
_GOOD, _BAD = "[green]yes[/]", "[bold red]NO[/]"


def table_of(title: str, first: str, *rest: str) -> Table:
    """A table whose first column is words, the others figures."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column(first)
    for head in rest:
        table.add_column(head, justify="right")
    return table


def usd(text: str | None) -> str:
    """Dollars to the cent."""
    if text is None:
        return NONE
    value = Decimal(text)
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def maybe_usd(name: str, value: str) -> str:
    """Dollars where the name says so, else words."""
    return usd(value) if name.endswith("_usd") else escape(value)


def amount(value: Mapping[str, Any]) -> str:
    """Whole tokens with their symbol."""
    return f"{short(value['amount'])} {value['token']}"


def short(text: str) -> str:
    """A number to two places."""
    return f"{Decimal(text):,.2f}"


def with_unit(value: str | None, unit: str) -> str:
    """A value with its unit, or that there is none."""
    return NONE if value is None else f"{value}{unit}"


def words(name: str) -> str:
    """A name of the document as words."""
    return name.replace("_", " ")


def yes_no(*, is_good: bool) -> str:
    """Yes or no, the bad one loud."""
    return _GOOD if is_good else _BAD
