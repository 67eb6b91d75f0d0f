"""What a rule is: a code, a meaning, its checks, and what a breach leads to at each moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from holdfast.risk.invariants.facts import Facts
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check


class Moment(StrEnum):
    """When the rules are asked.

    Before a trade is planned a breach is active: the trade would cause it. Before a step and on a
    tick it is passive: the market moved, or the chain did something by itself. Every passive
    breach forbids adding risk; what else it leads to is its `Reaction`.
    """

    PRE_TRADE = "pre_trade"
    BEFORE_STEP = "before_step"
    TICK = "tick"


class Reaction(StrEnum):
    """What a breach leads to."""

    WARN = "warn"
    """A person is told; nothing else changes."""
    BLOCK = "block"
    """No plan, no start, no leg that adds risk; what reduces it goes on."""
    REDUCE = "reduce"
    """The whole chain's trading state goes to REDUCING until the breach is over for a while."""
    CURE_CONVERT = "cure_convert"
    """Bucket ETH becomes cash until cash alone covers the debt; no risk is added."""
    CURE_REPAY = "cure_repay"
    """Debt is repaid until the LTV is where it opened; no risk is added."""
    HOLD = "hold"
    """The deal goes to HOLDING: all debt is repaid from the reserve and collateral comes home.

    Only where the books miss something (I9) it stands still until a person looked."""


@dataclass(frozen=True, slots=True)
class Reactions:
    """What a failed check leads to at each moment; None where the check is not asked."""

    pre_trade: Reaction | None = None
    before_step: Reaction | None = None
    tick: Reaction | None = None

    def at(self, moment: Moment) -> Reaction | None:
        """The reaction at `moment`."""
        match moment:
            case Moment.PRE_TRADE:
                return self.pre_trade
            case Moment.BEFORE_STEP:
                return self.before_step
            case Moment.TICK:
                return self.tick


class Invariant(Protocol):
    """One of the ten rules; it knows nothing of where its facts were read."""

    @property
    def code(self) -> str:
        """`I1` to `I10`; its checks' codes begin with it and a dot."""
        ...

    @property
    def name(self) -> str:
        """Its name in RISK.md."""
        ...

    @property
    def means(self) -> str:
        """What it means that the rule is broken."""
        ...

    reactions: ClassVar[Mapping[str, Reactions]]
    """What each of its checks leads to when it fails, by the check's code."""

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """Its checks, as far as the facts for them are known."""
        ...
