"""Real hours of ETH from the shared data folder; tests that need them skip where it is absent."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@dataclass(frozen=True)
class Hours:
    """Consecutive hourly bars: when each begins (UTC), its lowest and its last price."""

    begins: list[str]
    low: np.ndarray
    close: np.ndarray

    def falls(self, hours):
        """For each hour's end that so many hours follow: their lowest price over the price then."""
        lows = np.lib.stride_tricks.sliding_window_view(self.low[1:], hours).min(axis=1)
        return lows / self.close[: len(lows)]


def eth_hours():
    """Every hour of the Binance series, 2019-12 to 2025-12."""
    path = DATA / "ethusdt_1h_2019-12_2025-12.csv"
    if not path.exists():
        pytest.skip(f"the market history is not at {DATA}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    low, close = (np.array([float(row[name]) for row in rows]) for name in ("low", "close"))
    return Hours([row["ts_utc"] for row in rows], low, close)
