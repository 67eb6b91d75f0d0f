"""I4 to I6: how much of the token, none of it lent on, and how much debt."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.model.deal import Funding
from holdfast.protocols.aave_v3.math import health_factor
from holdfast.risk.checks import at_least, at_most, none_of
from holdfast.risk.formulas import ltv, share_of
from holdfast.risk.invariants.facts import Facts, Lending, Spending
from holdfast.risk.invariants.rule import Reaction, Reactions
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Position, Severity, Unit

_ADDS_NOTHING: Final = Reactions(Reaction.BLOCK, Reaction.BLOCK, Reaction.BLOCK)
_REPAYS: Final = Reactions(Reaction.BLOCK, Reaction.CURE_REPAY, Reaction.CURE_REPAY)
_GOES_HOME: Final = Reactions(Reaction.BLOCK, Reaction.HOLD, Reaction.HOLD)
"""One gap took the loan past its cap to where the next could liquidate: no part of it stays."""


class Spend:
    """I4: the token is paid from its source alone, and is a small part of what there is."""

    code = "I4"
    name = "spend"
    means = (
        "more is spent on the token, or more of the deal is in it, than can be lost without "
        "touching principal; held tokens are redeemed, never sold for this"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I4.spend": Reactions(pre_trade=Reaction.BLOCK),
        "I4.exposure": _ADDS_NOTHING,
        "I4.freeze_exposure": _ADDS_NOTHING,
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """The spending within its source; the token over NAV, and over NAV without it."""
        if facts.sheet is None:
            return
        if facts.spending is not None:
            yield _within_source(facts.spending, facts.sheet)
        if facts.max_exposure is not None:
            yield from _exposure(facts.sheet, Bps(min(facts.max_exposure, limits.max_exposure)))


class NoTokenLeverage:
    """I5: the token is never supplied or approved to a lending venue; allowances go back to 0."""

    code = "I5"
    name = "no leverage on the token"
    means = (
        "the token could be borrowed against, or a contract can still move the deal's tokens after "
        "the leg that needed it; left-over allowances are taken back before anything else is sent"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        # The approved calls have none; an allowance to the venue is among those asked for below.
        "I5.token_at_venue": Reactions(pre_trade=Reaction.BLOCK),
        # A planned deal's account is new: it has allowed nobody anything yet.
        "I5.allowances": Reactions(before_step=Reaction.BLOCK, tick=Reaction.BLOCK),
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """Calls that bring the token to the venue, and allowances that are left."""
        del limits
        if facts.token_at_venue is not None:
            what = "supplies and approvals of the token to the venue"
            yield none_of("I5.token_at_venue", facts.token_at_venue, what)
        if facts.allowances is not None:
            yield none_of("I5.allowances", facts.allowances, "allowances that are not 0")


class Leverage:
    """I6: LTV within its limits, and no liquidation when ETH halves."""

    code = "I6"
    name = "LTV"
    means = (
        "the loan is larger than the collateral may carry: a further fall of ETH brings "
        "liquidation nearer than the deal was approved for"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I6.ltv": _REPAYS,
        "I6.opening_ltv": Reactions(pre_trade=Reaction.BLOCK),
        "I6.ltv_warning": Reactions(pre_trade=Reaction.WARN, tick=Reaction.WARN),
        "I6.stressed_health": _GOES_HOME,
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """The LTV against its caps and its warning, and the health factor after the gap."""
        if facts.sheet is None or facts.lending is None:
            return
        lending, now = facts.lending, ltv(facts.sheet.debt, facts.sheet.collateral)
        text = "debt over collateral"
        yield at_most("I6.ltv", min(lending.most, limits.max_ltv), now, text)
        if lending.opening is not None:
            yield at_most("I6.opening_ltv", lending.opening, now, f"{text} right after the trade")
        yield at_most("I6.ltv_warning", limits.warn_ltv, now, text, severity=Severity.WARN)
        yield _stressed_health(facts.sheet, lending, limits)


def _within_source(spending: Spending, sheet: Position) -> Check:
    if spending.funding is Funding.BORROW:
        text = "borrow funding spends at most the loan"
        return at_most("I4.spend", sheet.debt, sheet.token_cost, text, unit=Unit.USD8)
    limit = max(0, spending.bucket - spending.charges)
    text = "bucket funding spends at most the bucket less interest and costs"
    return at_most("I4.spend", limit, sheet.token_cost, text, unit=Unit.USD8)


def _exposure(sheet: Position, limit: Bps) -> Iterable[Check]:
    larger = Usd8(max(sheet.token_cost, sheet.token_market))
    yield at_most(
        "I4.exposure",
        limit,
        share_of(larger, sheet.nav),
        "the larger of the token's cost and market value over NAV",
    )
    yield at_most(
        "I4.freeze_exposure",
        limit,
        share_of(sheet.token_cost, sheet.freeze_nav),
        "the token's cost over freeze NAV",
    )


def _stressed_health(sheet: Position, lending: Lending, limits: RiskLimits) -> Check:
    left = mul_div(sheet.collateral, BPS - limits.gap, BPS)
    return at_least(
        "I6.stressed_health",
        WAD + 1,
        health_factor(left, lending.threshold, sheet.debt),
        f"health factor after ETH falls by {limits.gap // 100} %",
        unit=Unit.WAD,
    )
