"""Caps in dollars over the open book: per deal, bank, module, asset and day; pure."""

from dataclasses import dataclass

from holdfast.common.money import Bps, Usd8
from holdfast.risk.checks import at_most
from holdfast.risk.formulas import share_of
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Severity, Unit


@dataclass(frozen=True, slots=True)
class BookSums:
    """What is open beside the deal in question.

    `bank`, `module` and `day` are dollars of ETH committed by the open deals of its bank, of its
    module, and by all deals that began to use it this day (UTC) or may yet; `asset` is what open
    deals spend on its token.
    """

    bank: Usd8 = Usd8(0)
    module: Usd8 = Usd8(0)
    asset: Usd8 = Usd8(0)
    day: Usd8 = Usd8(0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deal that would join the book: dollars of ETH committed, and spent on the token."""

    value: Usd8
    spend: Usd8


def caps(wanted: Wanted, book: BookSums, limits: RiskLimits) -> tuple[Check, ...]:
    """Every cap with the deal in the book."""
    value = wanted.value
    return (
        _cap("deal", limits.max_deal, value, "this deal"),
        _cap("bank", limits.max_bank, book.bank + value, "open deals of the bank with this one"),
        _cap("module", limits.max_module, book.module + value, "those of the module with this one"),
        _cap("asset", limits.max_asset, book.asset + wanted.spend, "spent on the token in all"),
        _cap("day", limits.max_day, book.day + value, "deals begun today with this one"),
    )


def shares(ltv: Bps, lot: Usd8, wanted: Wanted, limits: RiskLimits) -> tuple[Check, ...]:
    """What an approved deal will owe and hold right after it bought `lot`, as planned.

    Freeze NAV is then the ETH less the lot: a loan is spent on it, or bucket ETH was sold for it.
    """
    frozen = Usd8(wanted.value - lot)
    return (
        at_most("I6.ltv", limits.max_ltv, ltv, "debt over collateral, as planned"),
        at_most(
            "I4.freeze_exposure",
            limits.max_exposure,
            share_of(lot, frozen),
            "the token's cost over freeze NAV, as planned",
        ),
    )


def opening(ltv: Bps, limits: RiskLimits) -> Check:
    """Warns of an opening LTV from which a bad day of history would have met the cap."""
    text = "opening LTV against what a day's path in a hundred leads to the cap from"
    return at_most("caps.opening_ltv", limits.opening_ltv, ltv, text, severity=Severity.WARN)


def _cap(name: str, limit: Usd8, value: int, what: str) -> Check:
    return at_most(f"caps.{name}", limit, value, what, unit=Unit.USD8)
