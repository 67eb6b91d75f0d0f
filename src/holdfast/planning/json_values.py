"""Domain values as JSON: decimal strings, exact, and null for what has no value; pure."""

from decimal import Decimal
from typing import Any, TypeAlias

from holdfast.common.money import USD8, WAD, TokenAmount
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


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
