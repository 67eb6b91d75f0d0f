"""Domain values as JSON: decimal strings, exact, and null for what has no value; pure.

docs/json.md tells the convention that every document keeps.
"""

from decimal import Decimal
from typing import Any, TypeAlias

from holdfast.common.evm import BlockRef
from holdfast.common.money import BPS, USD8, WAD, TokenAmount
from holdfast.protocols.aave_v3.math import NO_DEBT

Json: TypeAlias = dict[str, Any]


def usd(value: int) -> str:
    """Dollars, from dollars times 1e8."""
    return _plain(Decimal(value) / USD8)


def percent(bps: int) -> str | None:
    """Percent, from bps; null when unbounded."""
    return None if bps == NO_DEBT else f"{Decimal(bps) / 100:.2f}"


def ratio(wad: int) -> str | None:
    """A ratio, from WAD, rounded down to four digits; null without debt."""
    return None if wad == NO_DEBT else f"{Decimal(wad // 10**14) / (WAD // 10**14):.4f}"


def cover(bps: int) -> str:
    """A ratio, from bps, as the monitor keeps it."""
    return f"{Decimal(bps) / BPS:.4f}"


def rate(ray: int) -> str:
    """Percent a year, from RAY, rounded to four digits."""
    return f"{Decimal(ray) / 10**25:.4f}"


def amount(value: TokenAmount) -> Json:
    """Whole tokens and base units."""
    return {
        "token": value.token.symbol,
        "amount": _plain(value.decimal()),
        "units": str(value.units),
    }


def block(at: BlockRef) -> Json:
    """A block, always in this form; where only its number is kept the key is `block_number`."""
    return {"number": at.number, "hash": at.hash, "timestamp": at.timestamp}


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
