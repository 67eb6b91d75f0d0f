"""How a rule becomes a check: its limit and the value that was found."""

from holdfast.risk.model import Bound, Check, Severity, Unit, shown

__all__ = ["at_least", "at_most", "none_of", "shown"]


def at_most(
    code: str,
    limit: int,
    value: int,
    what: str,
    *,
    unit: Unit = Unit.BPS,
    severity: Severity = Severity.HARD,
) -> Check:
    """A check that `value` does not exceed `limit`."""
    return Check(code, severity, limit, value, unit, value <= limit, what, Bound.AT_MOST)


def at_least(
    code: str,
    limit: int,
    value: int,
    what: str,
    *,
    unit: Unit = Unit.BPS,
    severity: Severity = Severity.HARD,
) -> Check:
    """A check that `value` reaches `limit`."""
    return Check(code, severity, limit, value, unit, value >= limit, what, Bound.AT_LEAST)


def none_of(code: str, count: int, what: str) -> Check:
    """A hard check that `count` is 0."""
    return at_most(code, 0, count, what, unit=Unit.COUNT)
