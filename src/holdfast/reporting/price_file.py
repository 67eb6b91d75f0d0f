"""Daily prices of ETH from the CSV that VaR is computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected
from holdfast.common.money import USD8
from holdfast.risk.price_series import CLOSES, read_series

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_DAY = 86_400


def daily_closes(path: Path | None, until: datetime) -> tuple[float, ...]:
    """The last price of each UTC day that ended by `until`; none without a file.

    Args:
        path: a CSV as `holdfast risk replay` reads them, hourly or daily.
        until: later rows are not known yet.

    Raises:
        Rejected: `replay.file` or `replay.csv_...`, as for a replay; `replay.csv_gap` when a day
            has no price.
    """
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected("replay.file", f"{path} cannot be read: {error}", file=str(path)) from error
    series = read_series(lines, path.name, CLOSES, 8)
    last = int(until.timestamp()) // _DAY
    days = {one.start // _DAY: one.value / USD8 for one in series.samples}
    kept = sorted(day for day in days if day < last)
    if kept and len(kept) != kept[-1] - kept[0] + 1:
        missing = kept[-1] - kept[0] + 1 - len(kept)
        raise Rejected(
            "replay.csv_gap", f"{path.name} lacks {missing} days", file=path.name, value=missing
        )
    return tuple(days[day] for day in kept)
