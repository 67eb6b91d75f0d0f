"""A report as a file: HTML with everything in it, JSON, and one table as CSV or Parquet."""

from __future__ import annotations

import csv
import html
import importlib
import io
import json
import re
from decimal import Decimal
from enum import StrEnum
from importlib import resources
from typing import TYPE_CHECKING, Any, assert_never

from holdfast.reporting.tables import Kind, as_json, exact, heading, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from holdfast.reporting.tables import Column, Report, Table, Value


class Format(StrEnum):
    """How a report is written."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


_LONG = re.compile(r"_|[0-9a-zA-Z]{16}(?=[0-9a-zA-Z])")
"""After what a long word may go on in the next line: an underscore, or sixteen letters."""

NUMBERS = frozenset({Kind.COUNT, Kind.USD, Kind.UNITS, Kind.PERCENT, Kind.NUMBER, Kind.FIGURE})


def written(report: Report, format_: Format, table: str | None = None) -> bytes:
    """The report in that format; CSV and Parquet take one table, the first unless it is named.

    Raises:
        Rejected: `report.table`.
    """
    match format_:
        case Format.HTML:
            return _html(report).encode()
        case Format.JSON:
            return (json.dumps(as_json(report), ensure_ascii=False, indent=1) + "\n").encode()
        case Format.CSV:
            return _csv(report.table(table)).encode()
        case Format.PARQUET:
            return _parquet(report, report.table(table))
        case _:
            assert_never(format_)


def _html(report: Report) -> str:
    import jinja2  # noqa: PLC0415 - only reports for people need it

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    source = resources.files("holdfast.reporting").joinpath("templates/report.html").read_text()
    return environment.from_string(source).render(
        report=report,
        shown=shown,
        cell=_on_page,
        heading=heading,
        numbers=NUMBERS,
        flag=Kind.FLAG,
    )


def _on_page(value: Value, kind: Kind) -> str:
    """The value as HTML, which says where a name, an id or a hash may go on in the next line.

    A browser left to itself breaks any word anywhere, or lets a long one push others off the paper.
    """
    text = html.escape(shown(value, kind))
    if kind is Kind.TIME:
        return " ".join(f"<span>{part}</span>" for part in text.split(" "))
    return _LONG.sub(r"\g<0><wbr>", text) if kind is Kind.TEXT else text


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        pairs = zip(row, table.columns, strict=True)
        writer.writerow([_cell(exact(value, column.kind)) for value, column in pairs])
    return out.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would run as a formula is made a text to it, too."""
    if isinstance(value, str) and value[:1] in "=+@\t\r" and value:
        return f"'{value}"
    return "" if value is None else value


def _parquet(report: Report, table: Table) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - only this format needs it

    parquet: Any = importlib.import_module("pyarrow.parquet")  # its types are partly unknown

    fields = [
        pa.field(column.name, _type(column.kind), metadata={"means": column.means})
        for column in table.columns
    ]
    about: dict[bytes | str, bytes | str] = {
        "report": report.kind,
        "table": table.name,
        "until": report.until.isoformat(),
    }
    turned: Sequence[tuple[Value, ...]] = list(zip(*table.rows, strict=True)) or [
        () for _ in table.columns
    ]
    arrays = [
        pa.array([_typed(value, column) for value in values], type=_type(column.kind))
        for values, column in zip(turned, table.columns, strict=True)
    ]
    out = io.BytesIO()
    made = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about))
    parquet.write_table(made, out)
    return out.getvalue()


def _type(kind: Kind) -> pa.DataType:
    import pyarrow as pa  # noqa: PLC0415

    types: dict[Kind, pa.DataType] = {
        Kind.TEXT: pa.string(),
        Kind.COUNT: pa.int64(),
        Kind.USD: pa.decimal128(38, 8),
        Kind.UNITS: pa.decimal256(76, 0),
        Kind.PERCENT: pa.decimal128(38, 2),
        Kind.NUMBER: pa.float64(),
        Kind.TIME: pa.timestamp("us", tz="UTC"),
        Kind.FLAG: pa.bool_(),
        Kind.FIGURE: pa.string(),
    }
    return types[kind]


def _typed(value: Value, column: Column) -> object:
    """What Arrow takes; a column of figures of several kinds has the text of each."""
    if column.kind is Kind.TIME:
        return value
    told = exact(value, column.kind)
    if told is None:
        return None
    if column.kind is Kind.FIGURE:
        return str(told)
    if column.kind is Kind.NUMBER:
        return float(told)
    return Decimal(told) if column.kind in {Kind.USD, Kind.PERCENT, Kind.UNITS} else told
