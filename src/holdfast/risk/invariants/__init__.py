"""The ten invariants of RISK.md: planning, execution and monitoring all ask them here.

`evaluate` is the one way to ask. Which facts were read decides what can be checked; the moment
decides what is asked and what a breach leads to. `docs/risk.md` shows `RULES` as a table.
"""

from collections.abc import Iterable
from typing import Final

from holdfast.risk.invariants.conduct import (
    Conservation,
    Freshness,
    IndependentLegs,
    Progressive,
)
from holdfast.risk.invariants.facts import Anchor, Facts, Lending, Lot, Prices, Spending
from holdfast.risk.invariants.position import Leverage, NoTokenLeverage, Spend
from holdfast.risk.invariants.principal import AnchorWhole, DebtCover, OneWay
from holdfast.risk.invariants.rule import Invariant, Moment, Reaction, Reactions
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check

__all__ = [
    "RULES",
    "Anchor",
    "Facts",
    "Invariant",
    "Lending",
    "Lot",
    "Moment",
    "Prices",
    "Reaction",
    "Reactions",
    "Spending",
    "breaches_of",
    "evaluate",
    "reaction",
]

RULES: Final[tuple[Invariant, ...]] = (
    AnchorWhole(),
    OneWay(),
    DebtCover(),
    Spend(),
    NoTokenLeverage(),
    Leverage(),
    IndependentLegs(),
    Progressive(),
    Conservation(),
    Freshness(),
)

_REACTIONS: Final = {code: one for rule in RULES for code, one in rule.reactions.items()}
_ASKED: Final = {
    moment: frozenset(code for code, one in _REACTIONS.items() if one.at(moment) is not None)
    for moment in Moment
}


def evaluate(facts: Facts, limits: RiskLimits, moment: Moment) -> tuple[Check, ...]:
    """Every check that is asked at `moment` and whose facts are known, in the rules' order."""
    asked = _ASKED[moment]
    return tuple(
        check for rule in RULES for check in rule.checks(facts, limits) if check.code in asked
    )


def reaction(check: Check, moment: Moment) -> Reaction | None:
    """What `check` leads to at `moment`: nothing while it holds, or where it is not asked."""
    return None if check.ok else _REACTIONS[check.code].at(moment)


def breaches_of(checks: Iterable[Check], moment: Moment, *reactions: Reaction) -> tuple[Check, ...]:
    """The checks that fail and lead to one of `reactions` at `moment`."""
    return tuple(check for check in checks if reaction(check, moment) in reactions)
