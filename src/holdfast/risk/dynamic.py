"""Dynamic limits: the published ones times a scale that falls at once and rises slowly; pure.

They bind what adds risk. An open deal keeps the limits that were approved for it: to tighten those
would force sales into the very market that is being feared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from holdfast.common.money import BPS, Bps, Usd8
from holdfast.risk.lately import Lasting
from holdfast.risk.limits import RiskLimits
from holdfast.risk.market import RiskMarket
from holdfast.risk.score import score
from holdfast.risk.volatility import DAY_SECONDS, REFERENCE, Volatility

STABLE_SECONDS: Final = DAY_SECONDS
"""How long the market must call for more without a break: one whole day's return is in it then."""

SILENCE_SECONDS: Final = 3_600
"""A longer time without a reading is a break: nobody saw that the market was calm."""

STEP: Final = Bps(2_000)
"""The most that limits rise at a time: from nothing to the published ones takes five days."""

_MARGIN_POINTS: Final = 5
_MARGIN_PERCENT: Final = 5
"""Hysteresis: how much worse than it is the market must be allowed to be for limits to rise."""

_GRAIN: Final = 500  # bps of the scale: a scale that moved with every price would never be calm
_BANDS: Final = ((80, 10_000), (60, 7_500), (40, 5_000), (20, 2_500), (0, 0))
"""From this score on, this scale."""


class Cause(StrEnum):
    """What the limits in force come from."""

    PUBLISHED = "published"
    VOLATILITY = "volatility"
    SCORE = "score"


@dataclass(frozen=True, slots=True)
class LimitState:
    """The limits in force and what they rest on; times are the chain's, in seconds.

    Attributes:
        scale: of the published limits, 10,000 at most.
        cause: why the scale is what it is.
        volatility: of ETH, up to the last reading.
        score: of the last reading.
        changed_at: when the scale last changed.
        seen_at: when the market was last read.
        better_since: since when it calls for more; None when it does not.
        least: the least scale that it called for since then.
    """

    scale: Bps
    cause: Cause
    volatility: Volatility
    score: int
    changed_at: int
    seen_at: int
    better_since: int | None
    least: Bps

    @property
    def may_rise_at(self) -> int | None:
        """When the limits rise if the market stays as it is; None while it calls for no more."""
        return None if self.better_since is None else self.better_since + STABLE_SECONDS


def next_state(
    state: LimitState | None,
    market: RiskMarket,
    closes: Sequence[Usd8] = (),
    *,
    lasting: Lasting | None = None,
) -> LimitState:
    """The state after a reading; without one before, the published limits are the starting point.

    Volatility then begins at what `closes`, the history of days before, say; at least the usual.
    Tightens at once; by depth and utilisation only as far as those were `lasting`, where a reader
    knows more than this one reading. Rises only when every reading of `STABLE_SECONDS` called for
    more, by at most `STEP`, to no more than the least of what they called for.
    """
    before = _beginning(market, closes) if state is None else state
    seen = _seen(before, market, lasting)
    wanted, cause = called_for(seen.volatility.yearly, seen.score)
    if wanted < before.scale:
        return _changed(seen, wanted, cause)
    return _waiting(before, seen)


def called_for(volatility: Bps, points: int) -> tuple[Bps, Cause]:
    """The scale that a market calls for, and which of its two reasons makes it so small.

    Source: RISK.md, min(1, s_ref / s_EWMA); the bands of the score above.
    """
    by_volatility = min(BPS, BPS * REFERENCE // max(1, volatility)) // _GRAIN * _GRAIN
    by_score = next(scale for floor, scale in _BANDS if points >= floor)
    wanted = Bps(min(by_volatility, by_score))
    if wanted == BPS:
        return wanted, Cause.PUBLISHED
    return wanted, Cause.VOLATILITY if by_volatility < by_score else Cause.SCORE


def effective(published: RiskLimits, scale: Bps) -> RiskLimits:
    """The limits in force, never more than the published ones, rounded down."""
    return replace(
        published,
        max_ltv=_bps(published.max_ltv, scale),
        warn_ltv=_bps(published.warn_ltv, scale),
        opening_ltv=_bps(published.opening_ltv, scale),
        max_exposure=_bps(published.max_exposure, scale),
        max_deal=_usd(published.max_deal, scale),
        max_bank=_usd(published.max_bank, scale),
        max_module=_usd(published.max_module, scale),
        max_asset=_usd(published.max_asset, scale),
        max_day=_usd(published.max_day, scale),
    )


def _beginning(market: RiskMarket, closes: Sequence[Usd8]) -> LimitState:
    now = market.at.timestamp
    return LimitState(
        scale=Bps(BPS),
        cause=Cause.PUBLISHED,
        volatility=Volatility.after(closes, market.eth_feed.price, now),
        score=0,
        changed_at=now,
        seen_at=now,
        better_since=None,
        least=Bps(BPS),
    )


def _seen(state: LimitState, market: RiskMarket, lasting: Lasting | None) -> LimitState:
    """The state with the reading in it, its scale as it was; a reorg turns no clock back."""
    now = max(state.seen_at, market.at.timestamp)
    volatility = state.volatility.seen(market.eth_feed.price, now)
    points = score(market, volatility.yearly, lasting).total
    return replace(state, volatility=volatility, score=points, seen_at=now)


def _waiting(before: LimitState, seen: LimitState) -> LimitState:
    """Limits that stay or rise."""
    worse = Bps(-(-seen.volatility.yearly * (100 + _MARGIN_PERCENT) // 100))
    hoped, _ = called_for(worse, max(0, seen.score - _MARGIN_POINTS))
    if hoped <= seen.scale:
        return replace(seen, better_since=None, least=Bps(BPS))
    now, since = seen.seen_at, before.better_since
    if since is None or now - before.seen_at > SILENCE_SECONDS:
        return replace(seen, better_since=now, least=hoped)
    least = min(before.least, hoped)
    if now - since < STABLE_SECONDS:
        return replace(seen, least=least)
    risen = Bps(min(least, seen.scale + STEP))
    cause = Cause.PUBLISHED if risen == BPS else seen.cause
    return replace(_changed(seen, risen, cause), better_since=now, least=hoped)


def _changed(seen: LimitState, scale: Bps, cause: Cause) -> LimitState:
    return replace(
        seen,
        scale=scale,
        cause=cause,
        changed_at=seen.seen_at,
        better_since=None,
        least=Bps(BPS),
    )


def _bps(limit: Bps, scale: Bps) -> Bps:
    return Bps(limit * scale // BPS)


def _usd(limit: Usd8, scale: Bps) -> Usd8:
    return Usd8(limit * scale // BPS)
