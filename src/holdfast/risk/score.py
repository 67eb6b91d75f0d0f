"""The market's score: 0 to 100 from volatility, depth, utilisation and peg; pure.

Each part is worth 100 up to where the market is usual, 0 from where a standard scenario of RISK.md
stands, and falls in a straight line between. The score is their weighted mean, and never more than
the worst part plus 50: a mean alone would hide a part that is broken.
"""

from dataclasses import dataclass, replace

from holdfast.common.money import USD8, Bps
from holdfast.risk.lately import USUAL_DEPTH, USUAL_UTILISATION, Lasting
from holdfast.risk.market import RiskMarket
from holdfast.risk.model import Unit
from holdfast.risk.volatility import REFERENCE

FULL = 100
_ABOVE_THE_WORST = 50


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the score: worth `FULL` at `good`, nothing at `bad`; `value` is what was read."""

    name: str
    weight: int
    good: int
    bad: int
    unit: Unit
    why: str
    value: int = 0

    @property
    def points(self) -> int:
        """0 to 100, rounded down."""
        return max(0, min(FULL, FULL * (self.value - self.bad) // (self.good - self.bad)))


_VOLATILITY = Part(
    "volatility",
    weight=35,
    good=REFERENCE,
    bad=2 * REFERENCE,
    unit=Unit.BPS,
    why="the fall of ETH is what every other loss of a deal begins with",
)
_DEPTH = Part(
    "depth",
    weight=25,
    good=USUAL_DEPTH,
    bad=200_000 * USD8,
    unit=Unit.USD8,
    why="the bucket of a $10M deal, $2M, is sold through it when the token fails",
)
_UTILISATION = Part(
    "utilisation",
    weight=20,
    good=USUAL_UTILISATION,
    bad=9_900,
    unit=Unit.BPS,
    why="over the kink the loan becomes dear, and at the end collateral stays locked",
)
_PEG = Part(
    "peg",
    weight=20,
    good=50,
    bad=500,
    unit=Unit.BPS,
    why="a debt currency off its dollar makes the debt dearer than the reserve reckons",
)


@dataclass(frozen=True, slots=True)
class Score:
    """The parts; their weights sum to 100."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """0 to 100, rounded down."""
        mean = sum(part.weight * part.points for part in self.parts) // FULL
        return min(mean, self.worst.points + _ABOVE_THE_WORST)

    @property
    def worst(self) -> Part:
        """The part that is worth least."""
        return min(self.parts, key=lambda part: part.points)


def score(market: RiskMarket, volatility: Bps, lasting: Lasting | None = None) -> Score:
    """The score of a market in which ETH moves by `volatility` a year.

    Depth and utilisation are the reading's, or those that were `lasting`.
    """
    now = Lasting.at(market) if lasting is None else lasting
    return Score(
        (
            replace(_VOLATILITY, value=volatility),
            replace(_DEPTH, value=now.depth),
            replace(_UTILISATION, value=now.utilisation),
            replace(_PEG, value=market.off_peg),
        )
    )
