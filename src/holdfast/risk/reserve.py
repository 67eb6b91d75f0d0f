"""The reserve R: what pays the debt when the token is worth nothing."""

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.formulas import interest
from holdfast.risk.model import Position, Stress


def stressed_value(value: Usd8, gap: Bps, slip: Bps) -> Usd8:
    """What bucket ETH fetches after a fall by `gap`, sold at a loss of `slip`; rounded down.

    Source: RISK.md, (1 - gap)(1 - slip).
    """
    return Usd8(mul_div(value, (BPS - gap) * (BPS - slip), BPS * BPS))


def reserve(position: Position, stress: Stress) -> Usd8:
    """R: cash, and the bucket's ETH at its stressed value. Source: RISK.md."""
    return Usd8(position.cash + stressed_value(position.reserve_eth, stress.gap, stress.exit_slip))


def owed(debt: Usd8, stress: Stress) -> Usd8:
    """The debt with stressed interest to the horizon, and the costs.

    Source: RISK.md I3, D (1 + r_stress h) + f.
    """
    return Usd8(debt + interest(debt, stress.apr_ray, stress.days) + stress.costs)


def debt_cover(position: Position, stress: Stress) -> int:
    """How often the reserve pays what is owed, in WAD, rounded down; `NO_DEBT` without debt.

    Source: RISK.md I3.
    """
    if position.debt == 0:
        return NO_DEBT
    return mul_div(reserve(position, stress), WAD, owed(position.debt, stress))


def to_raise(position: Position, stress: Stress) -> Usd8:
    """What is owed beyond the cash held, which selling bucket ETH must raise."""
    if position.debt == 0:
        return Usd8(0)
    return Usd8(max(0, owed(position.debt, stress) - position.cash))


def bucket_sold(position: Position, stress: Stress) -> Usd8:
    """The bucket ETH that must be sold to pay all that is owed, in dollars at today's price.

    Rounded up; the whole bucket when that does not suffice.
    """
    missing = to_raise(position, stress)
    kept = (BPS - stress.gap) * (BPS - stress.exit_slip)
    if missing == 0 or kept == 0:
        return position.reserve_eth if missing else Usd8(0)
    return Usd8(min(position.reserve_eth, mul_div(missing, BPS * BPS, kept, round_up=True)))


def bucket_share_sold(position: Position, stress: Stress) -> Bps:
    """The share of the bucket's ETH that must be sold under stress to pay all that is owed.

    Rounded up; 0 when cash alone pays, more than 10,000 when the whole bucket does not.
    """
    missing = to_raise(position, stress)
    fetched = stressed_value(position.reserve_eth, stress.gap, stress.exit_slip)
    if missing == 0:
        return Bps(0)
    return Bps(mul_div(missing, BPS, fetched, round_up=True) if fetched else NO_DEBT)


def exit_cost(position: Position, stress: Stress) -> Usd8:
    """What selling bucket ETH to pay all that is owed loses against the oracle, rounded up."""
    missing = to_raise(position, stress)
    sold = mul_div(missing, BPS, BPS - stress.exit_slip, round_up=True)
    return Usd8(sold - missing)


def loss_bound(position: Position, stress: Stress, paid: Usd8) -> Usd8:
    """The most the deal can lose in dollars while the theorem's conditions hold.

    `paid` is what selling bucket ETH for the purchase has cost.

    Source: RISK.md, S + i + f.
    """
    carry = interest(position.debt, stress.apr_ray, stress.days)
    costs = stress.costs + exit_cost(position, stress) + paid
    return Usd8(position.token_cost + carry + costs)


def breaking_gap(position: Position, stress: Stress) -> Bps:
    """Reverse stress: the smallest single fall of ETH after which the reserve no longer pays.

    Rounded down; 10,000 when no fall breaks it, since cash alone pays.
    """
    missing = to_raise(position, stress)
    if missing == 0:
        return Bps(BPS)
    fetched = stressed_value(position.reserve_eth, Bps(0), stress.exit_slip)
    if fetched == 0:
        return Bps(0)
    return Bps(max(0, BPS - mul_div(missing, BPS, fetched, round_up=True)))
