"""What the risk rules look at: a position in dollars, the stress on it, a check's result."""

from dataclasses import dataclass
from enum import StrEnum

from holdfast.common.money import Bps, Usd8


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


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, the limit it sets and the value that was found."""

    code: str
    severity: Severity
    limit: int
    value: int
    unit: Unit
    ok: bool
    text: str

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
