"""The limits in force, and what a refusal says of those that the market made tighter; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.risk.checks import shown
from holdfast.risk.dynamic import STABLE_SECONDS, LimitState, effective
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check

_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class InForce:
    """The published limits, and the state that may tighten them; None before the first reading."""

    published: RiskLimits
    state: LimitState | None = None

    @property
    def limits(self) -> RiskLimits:
        """What holds now, never above the published limits."""
        return self.published if self.state is None else effective(self.published, self.state.scale)

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
