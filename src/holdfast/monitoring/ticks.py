"""What one tick of the monitor saw, and its packed form; pure.

The packed form is a column after the other, each as little-endian unsigned integers of 32 bits,
compressed with zlib. Which columns there are, and in which order, is the format's number: a new
column is a new format, and old ones stay readable. `numpy.frombuffer(column, "<u4")` takes a
column as it is.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from holdfast.common.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from holdfast.common.evm import BlockRef
    from holdfast.common.ids import ChainId

Column: TypeAlias = "array[int]"

FORMAT: Final = 1
COLUMNS: Final[Mapping[int, tuple[str, ...]]] = {
    1: (
        *("number", "state", "ltv_bps", "cover_bps", "exposure_bps", "freeze_exposure_bps"),
        *("core_usd", "collateral_usd", "reserve_usd", "cash_usd", "debt_usd"),
        *("token_cost_usd", "token_market_usd"),
    )
}
"""The columns of each format.

`number` is the deal's, `state` a `State`; shares are bps, `cover_bps` the debt cover times 10,000;
amounts are whole dollars, rounded half up.
"""

MOST: Final = 2**32 - 1
"""What stands for everything larger, such as the debt cover of a deal without debt."""

_WORD: Final = 4
_LEVEL: Final = 1  # half the size of no compression at all; higher levels cost more than they save
_IS_BIG_ENDIAN: Final = sys.byteorder == "big"


class State(IntEnum):
    """How a deal stood at a tick."""

    CALM = 0
    WARNED = 1
    DUE = 2  # a cure or a hold: the deal was woken


@dataclass(frozen=True, slots=True)
class Tick:
    """One look at all open deals of a chain.

    Attributes:
        chain_id: whose deals.
        at: the block that everything was read at.
        taken_at: when the look began, by the clock of whoever looked.
        seconds: how long it took until it was about to be written.
        market: what all deals share, as JSON values: prices in dollars times 1e8, shares in bps.
        deals: a column for each name of `COLUMNS`, all of one length.
    """

    chain_id: ChainId
    at: BlockRef
    taken_at: datetime
    seconds: float
    market: Mapping[str, int | bool | None]
    deals: Mapping[str, Column]

    @property
    def count(self) -> int:
        """How many deals there are in it."""
        return len(self.deals["number"])

    def rows(self) -> list[dict[str, int]]:
        """Each deal by itself, by the names of the columns."""
        names = list(self.deals)
        return [
            dict(zip(names, row, strict=True)) for row in zip(*self.deals.values(), strict=True)
        ]


def columns(rows: Iterable[Sequence[int]]) -> dict[str, Column]:
    """Columns of the newest format from rows in its order; too large a number becomes `MOST`."""
    names = COLUMNS[FORMAT]
    turned = list(zip(*rows, strict=True)) or [()] * len(names)
    return {
        name: array("I", [min(MOST, value) for value in column])
        for name, column in zip(names, turned, strict=True)
    }


def pack(deals: Mapping[str, Column]) -> bytes:
    """The columns in the newest format."""
    return zlib.compress(b"".join(_little(deals[name]) for name in COLUMNS[FORMAT]), _LEVEL)


def unpack(packed: bytes, number: int) -> dict[str, Column]:
    """The columns that were packed in format `number`.

    Raises:
        Broken: `ticks.format` for a format of a later version, or what is no such form at all.
    """
    names = COLUMNS.get(number)
    if names is None:
        raise Broken("ticks.format", f"this version does not know format {number} of ticks")
    try:
        raw = zlib.decompress(packed)
    except zlib.error as error:
        raise Broken("ticks.format", "a stored tick cannot be unpacked") from error
    size = len(raw) // len(names)
    if len(raw) != size * len(names) or size % _WORD:
        raise Broken("ticks.format", f"a stored tick has {len(raw)} bytes for {len(names)} columns")
    return {name: _read(raw[i * size : (i + 1) * size]) for i, name in enumerate(names)}


def _little(column: Column) -> bytes:
    if _IS_BIG_ENDIAN:
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _read(raw: bytes) -> Column:
    column = array("I")
    column.frombytes(raw)
    if _IS_BIG_ENDIAN:
        column.byteswap()
    return column
