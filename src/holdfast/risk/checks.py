"""How a rule becomes a check: its limit and the value that was found."""

from dataclasses import replace

from holdfast.risk.model import Bound, Check, Severity, Unit, shown

__all__ = ["at_least", "at_most", "none_of", "shown", "warning"]


def at_most(code: str, limit: int, value: int, what: str, *, unit: Unit = Unit.BPS) -> Check:
    """A hard check that `value` does not exceed `limit`."""
    return Check(code, Severity.HARD, limit, value, unit, value <= limit, what, Bound.AT_MOST)


def at_least(code: str, limit: int, value: int, what: str, *, unit: Unit = Unit.BPS) -> Check:
    """A hard check that `value` reaches `limit`."""
    return Check(code, Severity.HARD, limit, value, unit, value >= limit, what, Bound.AT_LEAST)


def none_of(code: str, count: int, what: str) -> Check:
    """A hard check that `count` is 0."""
    return at_most(code, 0, count, what, unit=Unit.COUNT)


def warning(check: Check) -> Check:
    """The same check as a warning only."""
    return replace(check, severity=Severity.WARN)
