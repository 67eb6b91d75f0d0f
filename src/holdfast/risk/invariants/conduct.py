"""I7 to I10: independent legs, small steps, exact books, fresh prices."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from holdfast.risk.checks import at_most, none_of
from holdfast.risk.invariants.facts import Facts, Lot, Prices
from holdfast.risk.invariants.rule import Reaction, Reactions
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Unit


class IndependentLegs:
    """I7: nothing but the reserve's own calls is needed to repay and bring collateral home."""

    code = "I7"
    name = "independent legs"
    means = (
        "a call of the way home is not in the plan: without redemption, principal could not return"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I7.way_home": Reactions(pre_trade=Reaction.BLOCK)
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """The calls that the way home lacks."""
        del limits
        if facts.missing_home is not None:
            what = "calls missing from the way home without redemption"
            yield none_of("I7.way_home", facts.missing_home, what)


class Progressive:
    """I8: the purchase lot is within the loss budget or the gate; so is redemption in flight."""

    code = "I8"
    name = "progressive"
    means = (
        "more is bought than may be lost before redemption has proved itself, or more is inside "
        "the redemption desk than may be stuck there"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I8.loss_budget": Reactions(Reaction.BLOCK, Reaction.BLOCK),
        "I8.in_flight": Reactions(Reaction.BLOCK, Reaction.BLOCK, Reaction.WARN),
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """The lot against the loss budget and belief; what is, or will be, in flight."""
        if facts.lot is not None:
            yield from _lot(facts.lot, limits)
        if facts.in_redemption is not None:
            yield at_most(
                "I8.in_flight",
                limits.in_flight,
                facts.in_redemption,
                "tokens in redemption",
                unit=Unit.USD8,
            )


class Conservation:
    """I9: assets less debt are NAV, and the ledger equals the chain to the wei."""

    code = "I9"
    name = "conservation"
    means = (
        "ledger and chain differ: something happened that nobody recorded, or is mined and not "
        "yet settled; what is still missing before the next step stops the deal for a person"
    )
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I9.mismatch": Reactions(before_step=Reaction.HOLD, tick=Reaction.WARN)
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """The difference of the two."""
        del limits
        if facts.mismatch is not None:
            what = "base units by which ledger and chain differ"
            yield none_of("I9.mismatch", facts.mismatch, what)


class Freshness:
    """I10: the oracle's price is recent, a second source agrees, and the node keeps up."""

    code = "I10"
    name = "freshness"
    means = "prices are old or disputed, or the node is behind: what is decided on may not be so"
    reactions: ClassVar[Mapping[str, Reactions]] = {
        "I10.oracle_age": Reactions(Reaction.BLOCK, Reaction.BLOCK, Reaction.REDUCE),
        "I10.cash_oracle_age": Reactions(Reaction.BLOCK, Reaction.BLOCK, Reaction.REDUCE),
        "I10.oracle_deviation": Reactions(Reaction.BLOCK, Reaction.BLOCK, Reaction.REDUCE),
        # Seen by the monitor alone: plans and steps meet it as REDUCING.
        "I10.node_lag": Reactions(tick=Reaction.REDUCE),
    }

    def checks(self, facts: Facts, limits: RiskLimits) -> Iterable[Check]:
        """Age of the oracle's price, its distance from the second source, the node's lag."""
        if facts.prices is None:
            return
        prices = facts.prices
        yield from _ages(prices, limits)
        yield at_most(
            "I10.oracle_deviation",
            limits.oracle_max_deviation,
            prices.deviation,
            "difference between the oracle's ETH price and the pool's average",
        )
        if prices.node_lag_seconds is not None:
            yield at_most(
                "I10.node_lag",
                limits.node_max_lag_seconds,
                prices.node_lag_seconds,
                "how far the node's newest block is behind the clock",
                unit=Unit.SECONDS,
            )


def _ages(prices: Prices, limits: RiskLimits) -> Iterable[Check]:
    yield at_most(
        "I10.oracle_age",
        limits.oracle_max_age_seconds,
        prices.age_seconds,
        "age of the oracle's price of ETH",
        unit=Unit.SECONDS,
    )
    yield at_most(
        "I10.cash_oracle_age",
        limits.cash_oracle_max_age_seconds,
        prices.cash_age_seconds,
        "age of the oracle's price of the debt currency",
        unit=Unit.SECONDS,
    )


def _lot(lot: Lot, limits: RiskLimits) -> Iterable[Check]:
    if not lot.is_gate_open:
        what = "the purchase lot, while experience does not prove redemption"
        yield at_most("I8.loss_budget", limits.loss_budget, lot.spend, what, unit=Unit.USD8)
    yield at_most(
        "I8.in_flight", limits.in_flight, lot.largest_rung, "the largest rung", unit=Unit.USD8
    )
