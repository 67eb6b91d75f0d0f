"""Where to open: the LTV from which a path as bad as a quantile of history just meets the cap."""

from collections import deque
from collections.abc import Iterator, Sequence

from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, WAD, Bps

HOURS = 24
"""How long a warned desk may take to act, at most."""


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
