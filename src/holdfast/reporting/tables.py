"""A report as named tables with typed, described columns: one shape for every format; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from holdfast.common.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Plain: TypeAlias = "str | int | float | bool | datetime | None"
Value: TypeAlias = "Plain | Figure"


class Kind(StrEnum):
    """What a column holds; money and token units are integers here."""

    TEXT = "text"
    COUNT = "count"
    USD = "usd"
    UNITS = "units"
    PERCENT = "percent"
    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"
    FIGURE = "figure"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its own kind, for columns in which each row is of another."""

    value: Plain
    kind: Kind


@dataclass(frozen=True, slots=True)
class Column:
    """One column; a value of kind USD is dollars times 1e8, of PERCENT bps, of TIME in UTC.

    NUMBER is a ratio of analytics, of which four digits are told; of FIGURE are `Figure`s alone.
    One that is not `on_page` is for machines: an id, or what another column says in words.
    """

    name: str
    kind: Kind
    means: str
    on_page: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report; `note` says what a reader must know, `chart` is an SVG picture.

    The page shows the first `page_rows` rows, and says how many there are; every other format all.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    chart: str = ""
    page_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report; its first table is what formats that hold one table take.

    `about` says what it is of, where that is no stretch of time.
    """

    kind: str
    title: str
    since: datetime
    until: datetime
    made_at: datetime
    tables: tuple[Table, ...] = field(default=())
    about: str = ""

    def table(self, name: str | None) -> Table:
        """The table of that name, or the first.

        Raises:
            Rejected: `report.table`, with the names that there are.
        """
        for one in self.tables:
            if name is None or one.name == name:
                return one
        names = [one.name for one in self.tables]
        raise Rejected(
            "report.table", f"the {self.kind} report has no table {name!r}", value=name, limit=names
        )


def exact(value: Value, kind: Kind) -> Any:  # noqa: ANN401 - a JSON value
    """A value for machines: exact decimal strings for money, percent and units, ISO times.

    Counts are integers; ratios are decimal strings of four digits, without a binary tail.
    """
    return None if value is None else _EXACT[kind](value)


def shown(value: Value, kind: Kind) -> str:
    """A value for people: rounded, with its unit."""
    return "-" if value is None else _SHOWN[kind](value)


def heading(name: str) -> str:
    """A name for people, with what is written in capitals in capitals."""
    return " ".join(_CAPITALS.get(word, word) for word in name.split("_"))


def as_json(report: Report) -> dict[str, Any]:
    """The whole report as JSON values, each table with its columns described."""
    return {
        "report": report.kind,
        "title": report.title,
        "about": report.about,
        "since": report.since.astimezone(UTC).isoformat(),
        "until": report.until.astimezone(UTC).isoformat(),
        "made_at": report.made_at.astimezone(UTC).isoformat(),
        "tables": {
            table.name: {
                "title": table.title,
                "note": table.note,
                "columns": [
                    {"name": column.name, "kind": str(column.kind), "means": column.means}
                    for column in table.columns
                ],
                "rows": [
                    {
                        column.name: exact(value, column.kind)
                        for column, value in zip(table.columns, row, strict=True)
                    }
                    for row in table.rows
                ],
            }
            for table in report.tables
        },
    }


def _same(value: Any) -> Any:  # noqa: ANN401
    return value


def _dollars(value: int) -> str:
    whole = Decimal(value).scaleb(-8)
    return f"{'-' if whole < 0 else ''}${abs(whole):,.2f}"


_CAPITALS: Mapping[str, str] = {"usd": "USD", "ltv": "LTV", "i3": "I3", "id": "ID"}
_EXACT: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _same,
    Kind.COUNT: _same,
    Kind.USD: lambda value: f"{Decimal(value).scaleb(-8):f}",
    Kind.UNITS: str,
    Kind.PERCENT: lambda value: f"{Decimal(value).scaleb(-2):f}",
    Kind.NUMBER: lambda value: f"{value:.4f}",
    Kind.TIME: lambda value: value.astimezone(UTC).isoformat(timespec="seconds"),
    Kind.FLAG: _same,
    Kind.FIGURE: lambda figure: exact(figure.value, figure.kind),
}
_SHOWN: Mapping[Kind, Callable[[Any], str]] = {
    Kind.TEXT: str,
    Kind.COUNT: lambda value: f"{value:,}",
    Kind.USD: _dollars,
    Kind.UNITS: lambda value: f"{value:,}",
    Kind.PERCENT: lambda value: f"{Decimal(value).scaleb(-2):,.2f} %",
    Kind.NUMBER: lambda value: f"{value:,.4f}",
    Kind.TIME: lambda value: value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    Kind.FLAG: lambda value: "yes" if value else "NO",
    Kind.FIGURE: lambda figure: shown(figure.value, figure.kind),
}
