"""What the risk rules look at: a position in dollars, the stress on it, a check's result."""

from dataclasses import dataclass
from enum import StrEnum

from holdfast.common.money import BPS, USD8, WAD, Bps, Usd8
from holdfast.protocols.aave_v3.math import NO_DEBT


class Severity(StrEnum):
    """Whether a rule stops a deal or only speaks up."""

    HARD = "hard"
    WARN = "warn"


class Unit(StrEnum):
    """What the numbers of a check count."""

    BPS = "bps"
    USD8 = "usd8"
    WAD = "wad"
    WEI = "wei"
    BASE_UNITS = "base_units"
    SECONDS = "seconds"
    COUNT = "count"


class Bound(StrEnum):
    """On which side of its limit a value is right."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


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


def _hundredths(value: int, whole: int) -> str:
    hundredths = (value * 200 + whole) // (2 * whole)
    return f"{hundredths // 100:,}.{hundredths % 100:02}"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, the limit it sets and the value that was found.

    `advice` is what can be done where it is broken, or why the limit is what it is; mostly nothing.
    """

    code: str
    severity: Severity
    limit: int
    value: int
    unit: Unit
    ok: bool
    what: str
    bound: Bound
    advice: str = ""

    @property
    def text(self) -> str:
        """What was checked, with its value and its limit; written only when somebody reads it."""
        value, limit = shown(self.value, self.unit), shown(self.limit, self.unit)
        found = f"{self.what}: {value}, {self.bound} {limit}"
        return f"{found}; {self.advice}" if self.advice else found

    @property
    def is_violation(self) -> bool:
        """Whether a hard rule is broken."""
        return not self.ok and self.severity is Severity.HARD

    @property
    def is_warning(self) -> bool:
        """Whether a soft rule is broken."""
        return not self.ok and self.severity is Severity.WARN


@dataclass(frozen=True, slots=True)
class Position:
    """A deal's balance sheet at oracle prices.

    `core`, `collateral` and `reserve_eth` are the ETH in the anchor address, at the lending venue
    and in the opportunistic bucket; `cash` is the debt currency held; `token_cost` what was paid
    for the discounted token and `token_market` what it would fetch now.
    """

    core: Usd8
    collateral: Usd8
    reserve_eth: Usd8
    cash: Usd8 = Usd8(0)
    debt: Usd8 = Usd8(0)
    token_cost: Usd8 = Usd8(0)
    token_market: Usd8 = Usd8(0)

    @property
    def freeze_nav(self) -> Usd8:
        """Net asset value with the token worth nothing."""
        return Usd8(self.core + self.collateral + self.reserve_eth + self.cash - self.debt)

    @property
    def nav(self) -> Usd8:
        """Net asset value with the token at market, never at par."""
        return Usd8(self.freeze_nav + self.token_market)


@dataclass(frozen=True, slots=True)
class Stress:
    """The stress that the reserve must survive.

    Attributes:
        gap: fall of ETH between two monitor ticks.
        exit_slip: what selling the bucket loses against the oracle.
        apr_ray: yearly borrow rate.
        days: horizon of the interest.
        costs: fees and gas still to be paid.
    """

    gap: Bps
    exit_slip: Bps
    apr_ray: int
    days: int
    costs: Usd8
