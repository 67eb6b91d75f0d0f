"""Where to open: the LTV from which a path as bad as a quantile of history just meets the cap."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, WAD, Bps
from holdfast.risk.limits import RiskLimits
from holdfast.risk.price_series import Series

DEFAULT: Final = Bps(2_000)
"""What a deal opens at where the market allows it. Source: RISK.md, opening LTV."""

SHARES: Final = (Bps(100), Bps(10), Bps(0))
"""The quantiles that RISK.md names: one path in a hundred, one in a thousand, the worst. The first
is the published limit (`RiskLimits.opening_ltv`)."""

_HOUR_SECONDS: Final = 3_600

HOURS = 24
"""How long a warned desk may take to act, at most."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The LTV to open with so that the path at a quantile ends at the cap.

    `share` of all paths fall deeper than `low_wad`, which is a return in WAD.
    """

    share: Bps
    low_wad: int
    ltv: Bps


def proposed(limits: RiskLimits) -> Bps:
    """What a deal opens at that does not say: the default, or less where the market asks for less.

    `limits` are those in force: their opening LTV is the volatility rule's at the cap in force.
    """
    return min(DEFAULT, limits.opening_ltv)


def openings(hours: Series, cap: Bps) -> tuple[Opening, ...]:
    """The volatility rule on a history of hours, one for each of `SHARES`.

    Hours that are missing are passed over: a path across them is longer than the others.

    Raises:
        Rejected: `opening.not_hourly` for rows at another distance, `opening.no_history` for too
            few.
    """
    if hours.interval != _HOUR_SECONDS:
        raise Rejected(
            "opening.not_hourly",
            f"{hours.name} has a row every {hours.interval} s: give hours",
            limit=_HOUR_SECONDS,
            value=hours.interval,
        )
    closes = [one.value for one in hours.samples]
    lows = path_lows(closes, [one.low for one in hours.samples])
    found = ((share, quantile(lows, share)) for share in SHARES)
    return tuple(Opening(share, low, opening_ltv(cap, low)) for share, low in found)


def path_lows(closes: Sequence[int], lows: Sequence[int], hours: int = HOURS) -> list[int]:
    """For each hour, the lowest price of the `hours` after its close, as a return in WAD.

    Args:
        closes: each hour's last price, in any unit.
        lows: each hour's lowest price, in the same unit.
        hours: how far each path reaches; hours without so much future are left out.
    """
    ahead = _rolling_minimum(lows[1:], hours)
    return [low * WAD // close - WAD for close, low in zip(closes, ahead, strict=False)]


def quantile(returns: Sequence[int], share: Bps) -> int:
    """The return that a `share` of all is under; the worst at 0, linear between two.

    Raises:
        Rejected: `opening.no_history` without a return.
    """
    if not returns:
        raise Rejected("opening.no_history", "a history of more than a day of hours is needed")
    ordered = sorted(returns)
    place, rest = divmod((len(ordered) - 1) * share, BPS)
    above = ordered[min(place + 1, len(ordered) - 1)]
    return ordered[place] + (above - ordered[place]) * rest // BPS


def opening_ltv(cap: Bps, path_low_wad: int) -> Bps:
    """The LTV to open with, rounded down.

    Source: RISK.md, open = 30 % * (1 + q).
    """
    return Bps(cap * (WAD + path_low_wad) // WAD)


def _rolling_minimum(values: Sequence[int], length: int) -> Iterator[int]:
    """The least of each `length` values in a row."""
    kept: deque[tuple[int, int]] = deque()
    for index, value in enumerate(values):
        while kept and kept[-1][1] >= value:
            kept.pop()
        kept.append((index, value))
        if kept[0][0] <= index - length:
            kept.popleft()
        if index >= length - 1:
            yield kept[0][1]
