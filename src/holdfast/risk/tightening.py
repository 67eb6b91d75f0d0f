"""The limits in force, and what a refusal says of those that the market made tighter; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.common.money import BPS, Bps
from holdfast.risk.checks import shown
from holdfast.risk.dynamic import SILENCE_SECONDS, STABLE_SECONDS, LimitState, effective
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check

_HOUR = 3_600

UNSEEN = Bps(5_000)
"""The most of the published limits that holds where the market was not read for an hour: what it
would be where one part of the market is broken, which nobody would have seen."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The published limits, and the state that may tighten them; None before the first reading.

    `unseen_seconds` is how long ago the market was read, by the database's clock.
    """

    published: RiskLimits
    state: LimitState | None = None
    unseen_seconds: int = 0

    @property
    def limits(self) -> RiskLimits:
        """What holds now, never above the published limits."""
        return self.published if self.state is None else effective(self.published, self._scale())

    def _scale(self) -> Bps:
        known = Bps(BPS) if self.state is None else self.state.scale
        return min(known, UNSEEN) if self._is_unseen else known

    @property
    def _is_unseen(self) -> bool:
        return self.unseen_seconds > SILENCE_SECONDS

    def told(self, found: Iterable[Check], by_published: Iterable[Check]) -> tuple[Check, ...]:
        """`found`, each that fails at a tightened limit with what tightened it.

        `by_published` are the same checks by the published limits.
        """
        usual = {check.code: check.limit for check in by_published}
        return tuple(self._told(check, usual.get(check.code, check.limit)) for check in found)

    def _told(self, check: Check, published: int) -> Check:
        if check.ok or self.state is None or check.limit == published:
            return check
        change = f"from {shown(published, check.unit)} to {shown(check.limit, check.unit)}"
        why = f"the market tightened this limit {change}: {_cause(self.state)}; {_when(self.state)}"
        if self._scale() < self.state.scale:
            hours = self.unseen_seconds / _HOUR
            why = (
                f"nobody has read the market for {hours:.1f} h, which tightens this limit {change} "
                "until the monitor reads it again: is a worker running?"
            )
        return replace(check, advice="; ".join(filter(None, (why, check.advice))))


def _cause(state: LimitState) -> str:
    seen = f"volatility {state.volatility.yearly / 100:g} % a year, score {state.score}"
    return f"{state.scale / 100:g} % of the published limits because of {state.cause} ({seen})"


def _when(state: LimitState) -> str:
    if state.may_rise_at is None:
        stable = STABLE_SECONDS // _HOUR
        return f"it may rise once the market has called for more for {stable} hours"
    at = datetime.fromtimestamp(state.may_rise_at, UTC).isoformat(timespec="minutes")
    return f"it may rise at {at} if the market stays as it is"
