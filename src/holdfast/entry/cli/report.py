"""`holdfast report`: what the desk did, holds and risks, as page or table; stress asks a node."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from holdfast.bootstrap import opened, opened_reporter
from holdfast.common.errors import Rejected
from holdfast.common.system_clock import SystemClock
from holdfast.entry.cli.errors import Misused
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.plain import show_table
from holdfast.reporting.formats import Format, written
from holdfast.reporting.price_file import daily_closes
from holdfast.reporting.reports import ReportKind
from holdfast.reporting.runs import RunKind

if TYPE_CHECKING:
    from holdfast.config import Settings
    from holdfast.reporting.tables import Report


class Asked(StrEnum):
    """What can be asked for: a report on the records, a stress run, or the list of runs."""

    DAILY = "daily"
    EXPOSURE = "exposure"
    HISTORY = "history"
    COMPLIANCE = "compliance"
    STRESS = "stress"
    RUNS = "runs"


_ON_SCHEDULE: Final = {Asked.DAILY: RunKind.DAILY, Asked.STRESS: RunKind.STRESS}

Kind = Annotated[Asked, typer.Argument(help="Which report; runs lists those on schedule.")]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="How it is written: html without it; runs as a plain table."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write to this file, not to stdout.")]
Day = Annotated[str | None, typer.Option("--date", help="A day in UTC; today without it.")]
Prices = Annotated[
    Path | None,
    typer.Option("--prices", help="Prices of ETH for VaR; else HOLDFAST_PRICE_HISTORY."),
]
TableName = Annotated[str | None, typer.Option("--table", help="Which table, for csv and parquet.")]
Stored = Annotated[
    bool,
    typer.Option("--stored", help="The daily or stress one made on schedule; html or json."),
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]


def report(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    kind: Kind,
    *,
    format_: FormatOption = None,
    out: Out = None,
    day: Day = None,
    prices: Prices = None,
    table: TableName = None,
    stored: Stored = False,
    as_json: AsJson = False,
) -> None:
    """Report on a day: daily, exposure; on the 30 days up to it: history, compliance; or on now.

    Now: stress, a run of the whole open book; runs, what was made on schedule.
    """
    settings = invocation(context).settings
    chosen = _chosen(format_, as_json=as_json)
    if table is not None and chosen in {None, Format.HTML, Format.JSON}:
        raise Misused(
            "usage", "--table is for --format csv and parquet: the others have all tables"
        )
    if chosen is Format.PARQUET and out is None:
        raise Rejected("report.out", "a Parquet file is no text: name a file with --out")
    if stored:
        _write(asyncio.run(_stored(settings, kind, _day(day), chosen or Format.HTML)), out)
        return
    made = asyncio.run(_made(settings, kind, _day(day), prices or settings.price_history))
    if kind is Asked.RUNS and chosen is None and out is None:
        show_table(made.table(None))
        return
    _write(written(made, chosen or Format.HTML, table), out)


def _chosen(format_: Format | None, *, as_json: bool) -> Format | None:
    """The format, if one was asked for.

    Raises:
        Misused: `usage` where `--json` and `--format` ask for different ones.
    """
    if not as_json:
        return format_
    if format_ not in {None, Format.JSON}:
        raise Misused("usage", f"--json is --format json: it cannot be {format_} as well")
    return Format.JSON


async def _made(settings: Settings, kind: Asked, day: date | None, prices: Path | None) -> Report:
    if kind in {Asked.STRESS, Asked.RUNS}:
        if day is not None:
            raise Rejected("report.date", f"{kind} is of now: leave --date out", value=str(day))
        return await (_stressed(settings) if kind is Asked.STRESS else _runs(settings))
    now = SystemClock().now()
    closes = daily_closes(prices, _end(day, now))
    async with opened_reporter(settings, closes) as reporter:
        return await reporter.made(ReportKind(kind), day)


async def _stressed(settings: Settings) -> Report:
    async with opened(settings) as system:
        await system.pool.require()
        return await system.stress_run.made(f"stress run of {SystemClock().now():%Y-%m-%d}")


async def _runs(settings: Settings) -> Report:
    async with opened_reporter(settings) as reporter:
        return await reporter.runs()


async def _stored(settings: Settings, kind: Asked, day: date | None, format_: Format) -> bytes:
    if format_ not in {Format.HTML, Format.JSON}:
        raise Rejected("report.stored_format", "what was made on schedule is kept as html and json")
    if kind not in _ON_SCHEDULE:
        raise Rejected("report.not_made", f"no {kind} report is made on schedule", value=str(kind))
    async with opened_reporter(settings) as reporter:
        document, page = await reporter.stored(_ON_SCHEDULE[kind], day)
    text = page if format_ is Format.HTML else json.dumps(document, ensure_ascii=False, indent=1)
    return f"{text}\n".encode()


def _end(day: date | None, now: datetime) -> datetime:
    if day is None:
        return now
    return min(now, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1))


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Rejected(
            "report.date", f"{text!r} is no day such as 2026-01-31", value=text
        ) from error


def _write(document: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(document)
    except OSError as error:
        raise Rejected("report.out", f"{out} cannot be written: {error}", file=str(out)) from error
    typer.echo(f"{out}: {len(document):,} bytes", err=True)
