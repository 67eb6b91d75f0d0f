"""Which alerts begin and which end between two ticks; pure.

A state that lasts is told once: an alert that somebody acknowledged does not come back five seconds
later, and thousands of deals in trouble write nothing new while nothing is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from holdfast.common.alerts import Ended
from holdfast.monitoring.records import RANKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.alerts import Alert, Severity

On: TypeAlias = "Mapping[tuple[str, str], Severity]"
"""What was told and is not over: by code and subject, how grave it was told to be."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What is new, the gravest first, and what is over; `after` is what is on with both told."""

    begun: tuple[Alert, ...]
    ended: tuple[Ended, ...]
    after: On


def edges(before: On, alerts: Sequence[Alert], *, most: int) -> Edges:
    """What to tell after `alerts`, at most so many of each kind; the rest is for the next tick."""
    now = {(alert.code, alert.subject): alert for alert in alerts}
    fresh = [one for key, one in now.items() if _is_graver(one.severity, before.get(key))]
    begun = sorted(fresh, key=lambda one: -RANKS[one.severity])[:most]
    over = [key for key in before if key not in now][:most]
    after = {key: severity for key, severity in before.items() if key not in set(over)}
    after |= {(one.code, one.subject): one.severity for one in begun}
    return Edges(tuple(begun), tuple(Ended(code, subject) for code, subject in over), after)


def _is_graver(severity: Severity, told: Severity | None) -> bool:
    return told is None or RANKS[severity] > RANKS[told]
