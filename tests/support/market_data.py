"""The real market history beside the checkout; it is no part of the package and never copied."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"

needs_market_data = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="real price history is kept beside the checkout, in ../shared/data"
)

ETH_HOURS = FOLDER / "ethusdt_1h_2019-12_2025-12.csv"
GAS_DAYS = FOLDER / "eth_gas_price_daily_2019-12_2026-06.csv"
STETH = FOLDER / "steth_eth_coingecko_1h_2022-04_2023-02.csv"
