"""A drafted deal under stress together with all open deals, as all would sell in one pool; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.planning.model import Draft, Setting
from holdfast.risk.book import BookOutcome, stressed_book
from holdfast.risk.checks import at_least
from holdfast.risk.exit_pool import ExitPool, exit_pool
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Severity, Unit
from holdfast.risk.scenarios import STANDARD, THEOREM, Exposed

PREFIX = "book."
"""Begins the name of a verdict that is the whole book's, not the deal's own."""


@dataclass(frozen=True, slots=True)
class BookStress:
    """How the scenarios end for the open book with the new deal, and for the book without it.

    `others` is how many deals are open besides; `broken_before` names the scenarios in which
    some of them do not bring their principal home even without the new deal.
    """

    others: int
    outcomes: tuple[BookOutcome, ...]
    broken_before: frozenset[str]


def stressed_together(draft: Draft, others: Sequence[Exposed], setting: Setting) -> BookStress:
    """The standard scenarios over `others` and the drafted deal."""
    pool = sale_pool(setting)
    ends = stressed_book(STANDARD, [*others, draft.exposed], pool)
    broken = {end.scenario for end in ends if not end.principal_whole}
    again = [one for one in STANDARD if one.name in broken]
    before = stressed_book(again, others, pool) if others else ()
    return BookStress(
        others=len(others),
        outcomes=ends,
        broken_before=frozenset(end.scenario for end in before if not end.principal_whole),
    )


def sale_pool(setting: Setting) -> ExitPool:
    """The pool that all deals sell their bucket ETH in, at the plan's block."""
    market = setting.market
    cash = market.prices.cash_value(market.sale_pool.depth)
    return exit_pool(cash, market.sale_pool.fee_pips)


def book_checks(stress: BookStress, limits: RiskLimits) -> tuple[Check, ...]:
    """I3 over the book: with the token at 0 and ETH halved, every deal's reserve still pays.

    A deal without others is judged by its own checks.
    """
    if not stress.others:
        return ()
    (end,) = (one for one in stress.outcomes if one.scenario == THEOREM.name)
    text = "the least debt cover over the open book, all selling at once"
    cover, unit = end.lowest_cover_wad, Unit.WAD
    return (
        at_least("I3.book_cover", limits.min_cover_wad, cover, text, unit=unit),
        at_least(
            "I3.book_cover_warning",
            limits.warn_cover_wad,
            cover,
            text,
            unit=unit,
            severity=Severity.WARN,
        ),
    )
