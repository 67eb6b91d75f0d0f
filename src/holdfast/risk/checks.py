"""How a rule becomes a check: the limit, the value and a sentence with both."""

from dataclasses import replace

from holdfast.common.money import BPS, USD8, WAD
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.model import Check, Severity, Unit

_PERCENT = BPS // 100


def shown(value: int, unit: Unit) -> str:
    """`value` with its unit, rounded half up for reading: `20.00 %`, `$600,000.00`, `1.57`."""
    if value == NO_DEBT:
        return "no debt" if unit is Unit.WAD else "unbounded"
    match unit:
        case Unit.BPS:
            return f"{_hundredths(value, _PERCENT)} %"
        case Unit.USD8:
            return f"{'-' if value < 0 else ''}${_hundredths(abs(value), USD8)}"
        case Unit.WAD:
            return _hundredths(value, WAD)
        case Unit.WEI:
            return f"{_hundredths(value, WAD)} ETH"
        case Unit.SECONDS | Unit.BASE_UNITS | Unit.COUNT:
            return f"{value:,}{' s' if unit is Unit.SECONDS else ''}"


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
    sign, hundredths = ("-", -hundredths) if hundredths < 0 else ("", hundredths)
    return f"{sign}{hundredths // 100:,}.{hundredths % 100:02}"
