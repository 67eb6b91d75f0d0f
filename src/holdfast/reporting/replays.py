"""Replays of one deal over stretches of given price files; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected
from holdfast.common.money import WAD, Usd8, mul_div
from holdfast.reporting.replay_view import Played
from holdfast.risk.limits import RiskLimits
from holdfast.risk.price_series import as_of, seconds_of
from holdfast.risk.replay import Rules, replay
from holdfast.risk.replay_model import DEFAULT_GAS_WEI, DONE_BY_THE_DESK, Bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from holdfast.risk.events import Event
    from holdfast.risk.price_series import Series
    from holdfast.risk.replay_model import Replay, ReplayDeal

DAY = 86_400

TOKEN_MAX_AGE = DAY
"""How old a token's price may be: samples of public sets are up to some hours apart."""

GAS_MAX_AGE = 2 * DAY
"""How old a gas price may be: public sets are daily averages."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is replayed: from a moment until before another, in seconds since 1970."""

    name: str
    first: int
    until: int


@dataclass(frozen=True, slots=True)
class Player:
    """One deal and the market's files; prices of ETH and the token in 1e-8, gas in wei.

    `along` hands bars on one by one, and may tell how far it is.
    """

    deal: ReplayDeal
    prices: Series
    tokens: Series | None = None
    gas: Series | None = None
    limits: RiskLimits = field(default_factory=RiskLimits)
    allow_gaps: bool = False
    along: Callable[[Sequence[Bar]], Iterable[Bar]] = iter

    def play(self, stretch: Stretch) -> Played:
        """The deal through `stretch`, attended and not.

        Raises:
            Rejected: `replay.csv_span` or `replay.csv_gap`.
        """
        prices = self.prices.between(stretch.first, stretch.until)
        if not self.allow_gaps:
            prices.require_whole()
        bars = self._bars(prices)
        attended = self._through(bars, attended=True)
        if any(one.kind in DONE_BY_THE_DESK for one in attended.actions):
            unattended = self._through(bars, attended=False)
        else:
            unattended = attended  # the desk had nothing to do: the same again
        return Played(stretch.name, attended, unattended, prices.gaps())

    def _through(self, bars: Sequence[Bar], *, attended: bool) -> Replay:
        return replay(self.deal, bars, Rules(self.limits, attended=attended), self.along)

    def whole(self) -> Stretch:
        """All that the price file has."""
        samples = self.prices.samples
        return Stretch("history", samples[0].start, samples[-1].start + self.prices.interval)

    def _bars(self, prices: Series) -> Sequence[Bar]:
        times = [one.start for one in prices.samples]
        tokens = self._tokens(times)
        gas = as_of(self.gas, times, GAS_MAX_AGE) if self.gas else [DEFAULT_GAS_WEI] * len(times)
        return [
            Bar(one.start, Usd8(one.low), Usd8(one.value), token, price)
            for one, token, price in zip(prices.samples, tokens, gas, strict=True)
        ]

    def _tokens(self, times: Sequence[int]) -> Sequence[int]:
        """The token's price over the first one, in WAD."""
        if self.tokens is None:
            return [WAD] * len(times)
        values = as_of(self.tokens, times, TOKEN_MAX_AGE)
        return [mul_div(value, WAD, values[0]) for value in values]


def of_event(event: Event) -> Stretch:
    """The days of a known event."""
    first, after = event.first.isoformat(), (event.last + timedelta(days=1)).isoformat()
    return Stretch(event.name, seconds_of(first), seconds_of(after))


def require_times(first: str | None, last: str | None) -> None:
    """Refuse what is no time, before any price is read.

    Raises:
        Rejected: `replay.time`.
    """
    start, until = (None if text is None else _time(text) for text in (first, last))
    if start is not None and until is not None and start > until:
        raise Rejected("replay.time", "--to is not after --from", value=last, limit=first)


def of_days(first: str | None, last: str | None, whole: Stretch) -> Stretch:
    """From one day or moment to another, both included; what is not given is the file's own.

    Raises:
        Rejected: `replay.time` when one is no time, or nothing lies between them.
    """
    start = whole.first if first is None else _time(first)
    until = whole.until if last is None else _time(last) + (DAY if len(last) == 10 else 0)
    if start >= until:
        raise Rejected("replay.time", "--to is not after --from", value=last, limit=first)
    name = f"{_day(start)}..{_day(until - 1)}"
    return Stretch(name, start, until)


def _time(text: str) -> int:
    try:
        return seconds_of(text)
    except ValueError as error:
        message = f"{text!r} is neither a day such as 2020-03-12 nor a time with its zone"
        raise Rejected("replay.time", message, value=text) from error


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
