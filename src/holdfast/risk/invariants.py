"""The invariants I1-I8 of a deal, each as a function from facts to checks."""

from dataclasses import dataclass

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.model.deal import Funding
from holdfast.protocols.aave_v3.math import NO_DEBT, health_factor
from holdfast.risk.checks import at_least, at_most, none_of, warning
from holdfast.risk.formulas import interest, ltv
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Position, Stress, Unit
from holdfast.risk.reserve import debt_cover, stressed_value


@dataclass(frozen=True, slots=True)
class Anchor:
    """The core address at one block.

    `booked_wei` is what all open deals and this one have booked there; `allowances` counts the
    tokens it lets others move; `debt` and `collateral` are what it has at the lending venue;
    `shared_with` counts addresses of the engine that are the same as it.
    """

    balance_wei: int
    booked_wei: int
    allowances: int
    debt: Usd8
    collateral: Usd8
    shared_with: int


def anchor(facts: Anchor) -> tuple[Check, ...]:
    """I1: the anchor is all there and nothing of the engine can reach it."""
    return (
        at_least(
            "I1.core_below_booked",
            facts.booked_wei,
            facts.balance_wei,
            "the core address must hold what open deals have booked there",
            unit=Unit.WEI,
        ),
        none_of("I1.core_allowance", facts.allowances, "allowances given by the core address"),
        at_most(
            "I1.core_position",
            0,
            facts.debt + facts.collateral,
            "the core address must have no debt and no collateral at the lending venue",
            unit=Unit.USD8,
        ),
        none_of("I1.core_shared", facts.shared_with, "signing addresses that are the core address"),
    )


def one_way(position: Position, stress: Stress, gas_reserve: Usd8) -> Check:
    """I2: with the token worth 0, cash and the bucket alone repay the debt with its interest.

    `gas_reserve` is bucket ETH that pays for gas and so cannot be sold.
    """
    sellable = Usd8(max(0, position.reserve_eth - gas_reserve))
    raised = position.cash + stressed_value(sellable, stress.gap, stress.exit_slip)
    due = position.debt + interest(position.debt, stress.apr_ray, stress.days)
    return at_least(
        "I2.repayment",
        due,
        raised,
        "with the token worth 0 the reserve must raise the debt and its interest",
        unit=Unit.USD8,
    )


def covered(position: Position, stress: Stress, limits: RiskLimits) -> tuple[Check, ...]:
    """I3: the reserve covers what is owed; under the warning, bucket ETH becomes cash."""
    cover = debt_cover(position, stress)
    text = "debt cover, reserve over debt with stressed interest and costs"
    return (
        at_least("I3.debt_cover", limits.min_cover_wad, cover, text, unit=Unit.WAD),
        warning(
            at_least("I3.debt_cover_warning", limits.warn_cover_wad, cover, text, unit=Unit.WAD)
        ),
    )


def spending(funding: Funding, position: Position, bucket: Usd8, charges: Usd8) -> Check:
    """I4: what is spent on the token is within its source.

    `bucket` is the opportunistic bucket's whole value before anything was sold; `charges` are
    interest to the horizon, fees and gas (i + f).
    """
    if funding is Funding.BORROW:
        text = "borrow funding spends at most the loan"
        return at_most("I4.spend", position.debt, position.token_cost, text, unit=Unit.USD8)
    limit = max(0, bucket - charges)
    text = "bucket funding spends at most the bucket less interest and costs"
    return at_most("I4.spend", limit, position.token_cost, text, unit=Unit.USD8)


def exposure(position: Position, limit: Bps) -> tuple[Check, ...]:
    """I4: the token's share of NAV, at cost or market, and of the NAV that has it at 0."""
    larger = max(position.token_cost, position.token_market)
    return (
        at_most(
            "I4.exposure",
            limit,
            share_of(larger, position.nav),
            "the larger of the token's cost and market value over NAV",
        ),
        at_most(
            "I4.freeze_exposure",
            limit,
            share_of(position.token_cost, position.freeze_nav),
            "the token's cost over freeze NAV",
        ),
    )


def share_of(part: Usd8, whole: Usd8) -> Bps:
    """`part` over `whole` in bps, rounded up; unbounded when nothing is left to divide by."""
    if part == 0:
        return Bps(0)
    return Bps(mul_div(part, BPS, whole, round_up=True) if whole > 0 else NO_DEBT)


def unleveraged(at_venue: int) -> Check:
    """I5: the token is never supplied or approved to a lending venue.

    `at_venue` counts the calls that would do so, or the allowances and supplies that do.
    """
    return none_of(
        "I5.token_at_venue", at_venue, "supplies and approvals of the token to the venue"
    )


def leverage(
    position: Position, *, opening: Bps, most: Bps, threshold: Bps, limits: RiskLimits
) -> tuple[Check, ...]:
    """I6: LTV within its limits after the trade, and no liquidation when ETH halves."""
    now = ltv(position.debt, position.collateral)
    return (
        at_most("I6.ltv", min(most, limits.max_ltv), now, "debt over collateral"),
        at_most("I6.opening_ltv", opening, now, "debt over collateral right after the trade"),
        warning(at_most("I6.ltv_warning", limits.warn_ltv, now, "debt over collateral")),
        stressed_health(position, threshold, limits),
    )


def stressed_health(position: Position, threshold: Bps, limits: RiskLimits) -> Check:
    """I6: no liquidation when ETH halves; `threshold` is the venue's liquidation threshold."""
    left = mul_div(position.collateral, BPS - limits.gap, BPS)
    return at_least(
        "I6.stressed_health",
        WAD + 1,
        health_factor(left, threshold, position.debt),
        f"health factor after ETH falls by {limits.gap // 100} %",
        unit=Unit.WAD,
    )


def independent(missing: int) -> Check:
    """I7: nothing but the reserve's own calls is needed to repay and bring collateral home.

    `missing` counts calls of that way home that the plan does not allow.
    """
    return none_of("I7.way_home", missing, "calls missing from the way home without redemption")


def progressive(
    spend: Usd8, largest_rung: Usd8, limits: RiskLimits, *, is_gate_open: bool
) -> tuple[Check, ...]:
    """I8: the purchase lot is within the loss budget or the gate; so is redemption in flight."""
    unproven = (
        "the purchase lot; above the limit, only belief in redemption or the approval allows it"
    )
    checks = (
        at_most("I8.loss_budget", limits.loss_budget, spend, "the purchase lot", unit=Unit.USD8),
        warning(at_most("I8.unproven_lot", limits.unproven_lot, spend, unproven, unit=Unit.USD8)),
    )
    in_flight = at_most(
        "I8.in_flight", limits.in_flight, largest_rung, "the largest rung", unit=Unit.USD8
    )
    return (in_flight,) if is_gate_open else (*checks, in_flight)


def fresh(age_seconds: int, deviation: Bps, limits: RiskLimits) -> tuple[Check, ...]:
    """I10: the oracle's price is recent and a second source agrees with it."""
    return (
        at_most(
            "I10.oracle_age",
            limits.oracle_max_age_seconds,
            age_seconds,
            "age of the oracle's ETH price",
            unit=Unit.SECONDS,
        ),
        at_most(
            "I10.oracle_deviation",
            limits.oracle_max_deviation,
            deviation,
            "difference between the oracle's ETH price and the pool's",
        ),
    )
