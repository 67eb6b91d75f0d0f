"""Market history from CSV text: every doubt about a file is refused by name; pure.

Times are UTC: an ISO time with its zone, a date, or seconds since 1970. The columns are those of
public data sets (OHLC bars, daily averages, samples at odd times); others need renaming.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected
from holdfast.common.money import to_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TIMES = ("ts_utc", "date", "timestamp")
CLOSES = ("close", "eth_usd", "weth_usd", "price")
TOKENS = ("close", "steth_eth", "marketPriceEth", "price")
GAS = ("avg_gas_price_gwei", "base_fee_gwei", "GasPriceClose", "gas_gwei")
LOW = "low"

_LARGEST = 12  # digits before the point; what has more is no price of anything


@dataclass(frozen=True, slots=True)
class Sample:
    """A value at a time, in seconds since 1970; `low` is the least until the next one."""

    start: int
    value: int
    low: int


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one file, at least two, in order of time."""

    name: str
    samples: tuple[Sample, ...]

    @property
    def interval(self) -> int:
        """The seconds between two samples, as most of them are apart."""
        steps = Counter(b.start - a.start for a, b in pairwise(self.samples))
        return steps.most_common(1)[0][0]

    def between(self, first: int, until: int) -> Series:
        """The samples from `first` until before `until`.

        Raises:
            Rejected: `replay.csv_span` when the file starts later, ends earlier or has nothing.
        """
        kept = tuple(one for one in self.samples if first <= one.start < until)
        step = self.interval
        is_covered = kept and kept[0].start < first + step and kept[-1].start + step >= until
        if len(kept) < 2 or not is_covered:
            whole = f"{moment(self.samples[0].start)} to {moment(self.samples[-1].start)}"
            asked = f"{moment(first)} to {moment(until)}"
            raise Rejected(
                "replay.csv_span",
                f"{self.name} does not cover {asked}; it has rows from {whole}",
                file=self.name,
                value=asked,
                limit=whole,
            )
        return Series(self.name, kept)

    def gaps(self) -> tuple[str, ...]:
        """Each stretch without a row where one was due, in words."""
        step = self.interval
        return tuple(
            f"{moment(a.start)} to {moment(b.start)}"
            for a, b in pairwise(self.samples)
            if b.start - a.start != step
        )

    def require_whole(self) -> None:
        """Refuse a series with gaps.

        Raises:
            Rejected: `replay.csv_gap`, with every gap.
        """
        gaps = self.gaps()
        if gaps:
            raise Rejected(
                "replay.csv_gap",
                f"{self.name} has {len(gaps)} gaps in its {self.interval} s rows; if they may be, "
                "each is one jump that no monitor saw (--allow-gaps)",
                file=self.name,
                value=list(gaps),
                limit=self.interval,
            )


def read_series(lines: Iterable[str], name: str, columns: Sequence[str], decimals: int) -> Series:
    """The series in a CSV's lines, its value from the first of `columns` that the file has.

    Raises:
        Rejected: `replay.csv_empty`, `replay.csv_column`, `replay.csv_time`, `replay.csv_value` or
            `replay.csv_order`, with the file and the line.
    """
    rows = csv.DictReader(lines)
    header = rows.fieldnames or ()
    time, value = _column(header, TIMES, name), _column(header, columns, name)
    low = LOW if LOW in header and value == "close" else value
    samples: list[Sample] = []
    for row in rows:
        at = _Place(name, rows.line_num)
        _require_no_more(row, at)
        sample = _sample(row, (time, value, low), decimals, at)
        _require_later(samples, sample, at)
        samples.append(sample)
    if len(samples) < 2:
        raise Rejected("replay.csv_empty", f"{name} has no two rows", file=name, value=len(samples))
    return Series(name, tuple(samples))


def require_columns(header: Sequence[str], columns: Sequence[str], name: str) -> None:
    """Refuse a file whose first line says already that it is of no use.

    Raises:
        Rejected: `replay.csv_column`.
    """
    for wanted in (TIMES, columns):
        _column(header, wanted, name)


def as_of(series: Series, times: Sequence[int], oldest: int) -> tuple[int, ...]:
    """The last value known at each of `times`, which are in order; never one of the future.

    Args:
        series: samples at any times.
        times: seconds since 1970.
        oldest: how many seconds old a value may be.

    Raises:
        Rejected: `replay.csv_gap` when there is none or it is too old.
    """
    values: list[int] = []
    index = -1
    for time in times:
        while index + 1 < len(series.samples) and series.samples[index + 1].start <= time:
            index += 1
        if index < 0 or time - series.samples[index].start > oldest:
            raise Rejected(
                "replay.csv_gap",
                f"{series.name} has no value in the {oldest} s before {moment(time)}",
                file=series.name,
                value=moment(time),
                limit=oldest,
            )
        values.append(series.samples[index].value)
    return tuple(values)


def moment(seconds: int) -> str:
    """A time for people and for JSON."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


def seconds_of(text: str) -> int:
    """Seconds since 1970 of an ISO time with its zone, or of a date's first moment in UTC.

    Raises:
        ValueError: it is neither, or a time without a zone.
    """
    if len(text) == len("2020-03-11"):
        day = date.fromisoformat(text)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(text)
    return int(when.timestamp())


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    line: int

    def refused(self, code: str, message: str, value: object) -> Rejected:
        text = f"{self.file}, line {self.line}: {message}"
        return Rejected(f"replay.{code}", text, file=self.file, line=self.line, value=value)


def _column(header: Sequence[str], wanted: Sequence[str], name: str) -> str:
    for column in wanted:
        if column in header:
            return column
    raise Rejected(
        "replay.csv_column",
        f"{name} has none of the columns {', '.join(wanted)}",
        file=name,
        value=list(header),
        limit=list(wanted),
    )


def _sample(
    row: Mapping[str, str | None], columns: tuple[str, str, str], decimals: int, at: _Place
) -> Sample:
    time, value, low = columns
    start = _time(row[time] or "", at, is_number=time == "timestamp")
    last, least = (_number(row[column] or "", column, decimals, at) for column in (value, low))
    if least > last:
        raise at.refused("csv_value", f"low {row[low]} is above close {row[value]}", row[low])
    return Sample(start, last, least)


def _require_no_more(row: Mapping[str | None, object], at: _Place) -> None:
    """A thousands separator makes one number two fields, and its first one a wrong price."""
    if None in row:
        raise at.refused("csv_value", "the row has more fields than the header", row[None])


def _time(text: str, at: _Place, *, is_number: bool) -> int:
    try:
        return int(text) if is_number else seconds_of(text)
    except ValueError as error:
        raise at.refused(
            "csv_time", f"{text!r} is no time with its zone, such as 2020-03-12T10:00Z", text
        ) from error


def _number(text: str, column: str, decimals: int, at: _Place) -> int:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise at.refused("csv_value", f"{column} is {text!r}, not a number", text) from error
    if not value.is_finite() or value <= 0 or value.adjusted() >= _LARGEST:
        raise at.refused("csv_value", f"{column} is {text}, not a price", text)
    units = to_units(value, decimals)
    if units == 0:
        raise at.refused("csv_value", f"{column} is {text}, too little to count", text)
    return units


def _require_later(samples: Sequence[Sample], sample: Sample, at: _Place) -> None:
    if not samples or sample.start > samples[-1].start:
        return
    what = "the same time as" if sample.start == samples[-1].start else "earlier than"
    raise at.refused("csv_order", f"{moment(sample.start)} is {what} the row before", sample.start)
