"""Whether experience with a redemption desk allows a purchase lot; pure.

The gate limits buying alone: tokens that are held are redeemed by the ladder, which adds no risk.
A lot within the loss budget needs no belief. A larger one needs the belief that redemption
succeeds, seen from its cautious side, to reach what the lot needs to break even.

Source: RISK.md, redemption gate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.risk.checks import shown
from holdfast.risk.errors import ImpossibleInput
from holdfast.risk.formulas import break_even_success
from holdfast.risk.model import Unit

PRIOR_WEIGHT: Final = 2
"""n0: the prior counts as much as two full-sized trials. Source: RISK.md."""

CAUTION: Final = 0.20
"""The share of the belief that lies under the bound. Source: RISK.md, 20 % lower bound."""

BOUND_MARGIN: Final = 1e-9
"""How far the bound must pass break-even, as a probability.

It is the one float here: scipy's inverse is good to about 1e-12 where both shapes are above 1e-4,
and what is too close to call stays shut.
"""

_LEAST_SHARE: Final = Fraction(1, BPS)
"""A prior's mean is kept this far from 0 and 1, where a Beta distribution does not exist."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was asked of a redemption desk: `size` in dollars at par, and whether cash came.

    `times` is how often exactly this happened.
    """

    size: Usd8
    is_paid: bool
    times: int = 1


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What one token costs and brings, as shares of par.

    `price_wad` is the token's own price and `cost_wad` all that it costs until redeemed, in WAD;
    `fee` is the desk's, `recovery` what a token still fetches if it is never redeemed.
    """

    price_wad: int
    cost_wad: int
    fee: Bps
    recovery: Bps = Bps(0)


@dataclass(frozen=True, slots=True)
class Lot:
    """A purchase lot: what is paid for it, and its face at par, which is what gets redeemed."""

    cost: Usd8
    face: Usd8


@dataclass(frozen=True, slots=True)
class Belief:
    """The Beta distribution of the chance that the desk pays a lot of this size."""

    successes: Fraction
    failures: Fraction

    @property
    def lower_bound(self) -> float:
        """The chance that is exceeded with 80 % probability; for comparing, see `BOUND_MARGIN`."""
        return _beta_quantile(float(self.successes), float(self.failures), CAUTION)


class GateState(StrEnum):
    """Why the gate stands as it does."""

    WITHIN_BUDGET = "within_budget"
    PROVED = "proved"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The gate for one lot; `bound_wad` is the belief's lower bound, rounded down."""

    state: GateState
    lot: Lot
    budget: Usd8
    bound_wad: int
    break_even: Bps
    trials: int
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether the lot may be bought as far as redemption is concerned."""
        return self.state is not GateState.SHUT

    @property
    def is_proved(self) -> bool:
        """Whether it is experience that opens the gate, not the lot's smallness."""
        return self.state is GateState.PROVED


def cost_per_token(paid: Usd8, carried: Usd8, face: Usd8) -> int:
    """The all-in cost k of a token as a share of par, in WAD, rounded up.

    Args:
        paid: for the lot, the pool's fee and the slip included.
        carried: what is paid beside until it is redeemed: interest, gas, selling the bucket.
        face: the lot at par, more than zero.

    Source: RISK.md, k = p (1 + slip) (1 + swap fee) (1 + phi r T / 365) + gas / q.
    """
    return mul_div(paid + carried, WAD, face, round_up=True)


def belief(trials: Iterable[Trial], terms: TokenTerms, target: Usd8) -> Belief:
    """What `trials` let one believe about redeeming `target` dollars at par.

    A trial weighs min(1, size / target): small tests do not prove large ones.

    Raises:
        ImpossibleInput: `risk.target` when it is not positive, `risk.recovery` when a token that
            is never redeemed fetches as much as one that is.

    Source: RISK.md, prior Beta(n0 pi, n0 (1 - pi)), pi = (p - rho) / (1 - f_r - rho).
    """
    if target <= 0:
        raise ImpossibleInput("target", "the lot must be more than zero", target)
    mean = _prior_mean(terms)
    weight = {True: Fraction(0), False: Fraction(0)}
    for trial in trials:
        weight[trial.is_paid] += trial.times * min(Fraction(1), Fraction(trial.size, target))
    return Belief(
        successes=PRIOR_WEIGHT * mean + weight[True],
        failures=PRIOR_WEIGHT * (1 - mean) + weight[False],
    )


def verdict(lot: Lot, trials: Iterable[Trial], terms: TokenTerms, budget: Usd8) -> GateVerdict:
    """Whether `lot` may be bought, given what the desk did before.

    Args:
        lot: what would be bought.
        trials: everything that was asked of this desk on this chain.
        terms: what a token costs and brings.
        budget: the largest lot, by its cost, that needs no belief.

    Raises:
        ImpossibleInput: as `belief`.
    """
    known = tuple(trials)
    bound = belief(known, terms, lot.face).lower_bound
    needed = break_even_success(terms.cost_wad, terms.fee, terms.recovery)
    count = sum(trial.times for trial in known)
    state = _state(lot, budget, bound, needed)
    return GateVerdict(
        state=state,
        lot=lot,
        budget=budget,
        bound_wad=int(bound * WAD),
        break_even=needed,
        trials=count,
        reason=_reason(state, lot, budget, _told(bound, needed, count)),
    )


def _prior_mean(terms: TokenTerms) -> Fraction:
    """What the market's price alone says of redemption, kept off 0 and 1."""
    recovery = Fraction(terms.recovery, BPS)
    win = 1 - Fraction(terms.fee, BPS) - recovery
    if win <= 0:
        raise ImpossibleInput("recovery", "redeeming must bring more than failing", terms.recovery)
    mean = (Fraction(terms.price_wad, WAD) - recovery) / win
    return min(1 - _LEAST_SHARE, max(_LEAST_SHARE, mean))


def _state(lot: Lot, budget: Usd8, bound: float, needed: Bps) -> GateState:
    if lot.cost <= budget:
        return GateState.WITHIN_BUDGET
    return GateState.PROVED if bound - BOUND_MARGIN >= needed / BPS else GateState.SHUT


def _told(bound: float, needed: Bps, count: int) -> str:
    asked = f"{count} {'redemption' if count == 1 else 'redemptions'} so far"
    return (
        f"{asked} {'lets' if count == 1 else 'let'} one believe in at least {100 * bound:.1f} %, "
        f"break-even needs {needed / 100:.1f} %"
    )


def _reason(state: GateState, lot: Lot, budget: Usd8, told: str) -> str:
    free = f"lots up to {shown(budget, Unit.USD8)} need no belief in redemption"
    size = shown(lot.cost, Unit.USD8)
    match state:
        case GateState.WITHIN_BUDGET:
            return f"{free}, and this one is {size}"
        case GateState.PROVED:
            return f"{free}; this one of {size} does, and {told}"
        case GateState.SHUT:
            return f"{free}; this one of {size} does, but {told}"


def _beta_quantile(successes: float, failures: float, share: float) -> float:
    """The quantile of a Beta distribution. Source: scipy.special.betaincinv (Boost)."""
    from scipy.special import betaincinv  # noqa: PLC0415 - slow to import, and seldom needed

    return float(betaincinv(successes, failures, share))
