"""Daily prices of ETH from the CSV that VaR is computed from."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected
from holdfast.common.money import USD8, Usd8
from holdfast.risk.price_series import CLOSES, read_series, require_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from holdfast.risk.price_series import Series

_DAY = 86_400


def require_header(path: Path, columns: Sequence[str] = CLOSES) -> None:
    """Refuse by its first line a file that `series_of` would refuse after reading it all.

    Raises:
        Rejected: `replay.file` or `replay.csv_column`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), list[str]())
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    require_columns(header, columns, path.name)


def series_of(
    path: Path,
    columns: Sequence[str] = CLOSES,
    decimals: int = 8,
    along: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> Series:
    """The series in a file, its value from the first of `columns` that it has.

    `along` hands its lines on one by one, and may tell how far it is.

    Raises:
        Rejected: `replay.file` when it cannot be read, `replay.csv_...` for what is wrong in it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    return read_series(along(text.splitlines()), path.name, columns, decimals)


def _unreadable(path: Path, error: Exception) -> Rejected:
    return Rejected("replay.file", f"{path} cannot be read: {error}", file=str(path))


def daily_closes(path: Path | None, until: datetime) -> tuple[float, ...]:
    """The last price of each UTC day that ended by `until`, in dollars; none without a file.

    Args:
        path: a CSV as `holdfast risk replay` reads them, hourly or daily.
        until: later rows are not known yet.

    Raises:
        Rejected: as `daily_prices`.
    """
    return tuple(price / USD8 for price in daily_prices(path, int(until.timestamp())))


def daily_prices(path: Path | None, until: int) -> tuple[Usd8, ...]:
    """The same in dollars times 1e8, until a time in seconds since 1970.

    Raises:
        Rejected: `replay.file` or `replay.csv_...`, as for a replay; `replay.csv_gap` when a day
            has no price.
    """
    if path is None:
        return ()
    series = series_of(path)
    last = until // _DAY
    days = {one.start // _DAY: Usd8(one.value) for one in series.samples}
    kept = sorted(day for day in days if day < last)
    if kept and len(kept) != kept[-1] - kept[0] + 1:
        missing = kept[-1] - kept[0] + 1 - len(kept)
        raise Rejected(
            "replay.csv_gap", f"{path.name} lacks {missing} days", file=path.name, value=missing
        )
    return tuple(days[day] for day in kept)
