"""How a rule becomes a check: the limit, the value and a sentence with both."""

from dataclasses import replace

from holdfast.common.money import BPS, USD8, WAD
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.model import Check, Severity, Unit

_SHAPES = {
    Unit.BPS: (BPS // 100, "", " %"),
    Unit.USD8: (USD8, "$", ""),
    Unit.WAD: (WAD, "", ""),
    Unit.WEI: (WAD, "", " ETH"),
}
"""How many units make one of what is shown, and what stands before and after the number."""


def shown(value: int, unit: Unit) -> str:
    """`value` with its unit, rounded half up for reading: `20.00 %`, `$600,000.00`, `1.57`."""
    if value == NO_DEBT:
        return "no debt" if unit is Unit.WAD else "unbounded"
    if unit not in _SHAPES:
        return f"{value:,}{' s' if unit is Unit.SECONDS else ''}"
    whole, before, after = _SHAPES[unit]
    sign = "-" if value < 0 else ""
    return f"{sign}{before}{_hundredths(abs(value), whole)}{after}"


def at_most(code: str, limit: int, value: int, what: str, *, unit: Unit = Unit.BPS) -> Check:
    """A hard check that `value` does not exceed `limit`."""
    text = f"{what}: {shown(value, unit)}, at most {shown(limit, unit)}"
    return Check(code, Severity.HARD, limit, value, unit, value <= limit, text)


def at_least(code: str, limit: int, value: int, what: str, *, unit: Unit = Unit.BPS) -> Check:
    """A hard check that `value` reaches `limit`."""
    text = f"{what}: {shown(value, unit)}, at least {shown(limit, unit)}"
    return Check(code, Severity.HARD, limit, value, unit, value >= limit, text)


def none_of(code: str, count: int, what: str) -> Check:
    """A hard check that `count` is 0."""
    return at_most(code, 0, count, what, unit=Unit.COUNT)


def warning(check: Check) -> Check:
    """The same check as a warning only."""
    return replace(check, severity=Severity.WARN)


def _hundredths(value: int, whole: int) -> str:
    hundredths = (value * 200 + whole) // (2 * whole)
    return f"{hundredths // 100:,}.{hundredths % 100:02}"
