"""I1 to I3: the anchor is out of reach, and the reserve alone pays the debt."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from holdfast.common.money import Usd8
from holdfast.risk.checks import at_least, at_most, none_of
from holdfast.risk.formulas import interest
from holdfast.risk.invariants.facts import Facts
from holdfast.risk.invariants.rule import Reaction, Reactions
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Severity, Unit
from holdfast.risk.reserve import debt_cover, stressed_value

_GOES_HOME: Final = Reactions(Reaction.BLOCK, Reaction.HOLD, Reaction.HOLD)


class AnchorWhole:
    """I1: the anchor is all there and nothing of the engine can reach it."""

    code = "I1"
    name = "anchor"
    means = (
        "ETH that deals count as untouchable is missing, or somebody else can move it or owes "
        "against it: the principal is no longer out of reach"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        # A sum over deals: none of them makes it whole by going home, but none may add to it.
        "I1.core_below_booked": Reactions(Reaction.BLOCK, Reaction.HOLD, Reaction.REDUCE),
        "I1.core_allowance": _GOES_HOME,
        "I1.core_position": _GOES_HOME,
        "I1.core_shared": _GOES_HOME,
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """Its balance against what is booked, its allowances, its loans, its signers."""
        del limits
        if facts.anchor is None:
            return
        anchor = facts.anchor
        yield at_least(
            "I1.core_below_booked",
            anchor.booked_wei,
            anchor.balance_wei,
            "the core address must hold what open deals have booked there",
            unit=Unit.WEI,
        )
        yield none_of(
            "I1.core_allowance", anchor.allowances, "allowances given by the core address"
        )
        yield at_most(
            "I1.core_position",
            0,
            anchor.debt + anchor.collateral,
            "the core address must have no debt and no collateral at the lending venue",
            unit=Unit.USD8,
        )
        yield none_of(
            "I1.core_shared", anchor.shared_with, "signing addresses that are the core address"
        )


class OneWay:
    """I2: with the token worth 0, cash and the bucket alone repay the debt with its interest."""

    code = "I2"
    name = "one-way"
    means = (
        "were the token worthless, paying the debt back would take more than the reserve: "
        "redemption would be needed to get principal back"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I2.repayment": Reactions(Reaction.BLOCK, Reaction.CURE_CONVERT, Reaction.CURE_CONVERT)
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """What the reserve raises under stress, less the gas, against what is due."""
        del limits
        if facts.sheet is None or facts.stress is None or facts.gas_reserve is None:
            return
        sheet, stress = facts.sheet, facts.stress
        sellable = Usd8(max(0, sheet.reserve_eth - facts.gas_reserve))
        yield at_least(
            "I2.repayment",
            sheet.debt + interest(sheet.debt, stress.apr_ray, stress.days),
            sheet.cash + stressed_value(sellable, stress.gap, stress.exit_slip),
            "with the token worth 0 the reserve must raise the debt and its interest",
            unit=Unit.USD8,
        )


class DebtCover:
    """I3: the reserve covers what is owed; under the warning, bucket ETH becomes cash."""

    code = "I3"
    name = "debt cover"
    means = (
        "a fall of ETH by the gap between two looks would leave less in the reserve than what is "
        "owed with interest and costs: collateral would have to be sold"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I3.debt_cover": _GOES_HOME,
        "I3.debt_cover_warning": Reactions(
            Reaction.WARN, Reaction.CURE_CONVERT, Reaction.CURE_CONVERT
        ),
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """The cover against its floor, and against its warning."""
        if facts.sheet is None or facts.stress is None:
            return
        cover = debt_cover(facts.sheet, facts.stress)
        text = "debt cover, reserve over debt with stressed interest and costs"
        yield at_least("I3.debt_cover", limits.min_cover_wad, cover, text, unit=Unit.WAD)
        yield at_least(
            "I3.debt_cover_warning",
            limits.warn_cover_wad,
            cover,
            text,
            unit=Unit.WAD,
            severity=Severity.WARN,
        )
