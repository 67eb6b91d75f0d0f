"""The standard scenarios: does the principal come home whole, and what is lost, in each of them.

This is the integer truth: what a plan or a limit rests on is decided here. `stress` does the same
for whole books in floats, and `book` says how far deals that sell at once move their common pool.

A shock deeper than the gap reaches its depth over several monitor ticks, none of which moves more
than the gap: at the first the desk turns bucket ETH into cash and repays (RISK.md, the theorem).
The smallest single gap that breaks the reserve is `reserve.breaking_gap`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from holdfast.common.money import BPS, RAY, WAD, Bps, Usd8, mul_div
from holdfast.protocols.aave_v3.math import health_factor
from holdfast.risk.formulas import ltv
from holdfast.risk.model import Position, Stress
from holdfast.risk.reserve import (
    bucket_share_sold,
    bucket_sold,
    debt_cover,
    loss_bound,
    owed,
    reserve,
    to_raise,
)

DELAY_DAYS = 213
"""Seven months. Source: RISK.md, standard scenarios."""

VENUE_DISCOUNT = Bps(1_000)
"""How far under the market a single bad venue buys the reserve; twice the depeg scenario."""

LIQUIDATION_SHARE = Bps(500)
"""Share of the debt that is lost on top if unwinding fails before HF < 1. Source: RISK.md."""

MOST_SLIP = Bps(BPS - 1)
"""A sale always brings something: a slip of 100 % would divide by zero."""


@dataclass(frozen=True, slots=True)
class Shock:
    """One scenario; what it does not name stays as the plan's stress has it.

    `depth_left` is the share of the pool's depth that remains, `usdt_move` the change of the debt
    currency's price, `recovery` what a token fetches in the end as a share of par.
    """

    name: str
    eth_drop: Bps = Bps(0)
    apr_ray: int | None = None
    extra_days: int = 0
    gas_gwei: int | None = None
    depth_left: Bps = Bps(BPS)
    sale_discount: Bps = Bps(0)
    usdt_move: int = 0
    recovery: Bps = Bps(0)


_APR_80 = RAY * 80 // 100

THEOREM = Shock("token_to_zero_and_eth_down_50", eth_drop=Bps(5_000))
"""What debt cover is about: the token at 0 after the largest gap."""

STANDARD: tuple[Shock, ...] = (
    Shock("eth_down_30", eth_drop=Bps(3_000)),
    Shock("eth_down_50", eth_drop=Bps(5_000)),
    Shock("eth_down_63.9", eth_drop=Bps(6_390)),
    Shock("eth_down_80", eth_drop=Bps(8_000)),
    Shock("permanent_freeze"),
    Shock("delay_7_months", extra_days=DELAY_DAYS, recovery=Bps(BPS)),
    Shock("token_to_zero"),
    Shock("recovery_10", recovery=Bps(1_000)),
    Shock("recovery_30", recovery=Bps(3_000)),
    Shock("apr_80", apr_ray=_APR_80),
    Shock("gas_700_gwei", gas_gwei=700),
    Shock("usdt_up_5", usdt_move=500),
    Shock("usdt_down_5", usdt_move=-500),
    Shock("stale_oracle", eth_drop=Bps(5_000)),
    Shock("single_venue_price", sale_discount=VENUE_DISCOUNT),
    Shock("exit_depth_down_80", depth_left=Bps(2_000)),
    THEOREM,
    Shock("freeze_and_eth_down_50_and_apr_80", eth_drop=Bps(5_000), apr_ray=_APR_80),
    Shock("eth_down_50_and_usdt_up_5", eth_drop=Bps(5_000), usdt_move=500),
    Shock(
        "eth_down_50_and_gas_700_gwei_and_exit_depth_down_80",
        eth_drop=Bps(5_000),
        gas_gwei=700,
        depth_left=Bps(2_000),
    ),
)


@dataclass(frozen=True, slots=True)
class Exposed:
    """What a scenario is tried on: the position after the purchase and what surrounds it.

    `token_par` is what all tokens redeem for, `paid` what the bucket's sale has cost already and
    `gas_per_gwei` what the whole deal's gas costs for each gwei of gas price. `stress` sells at
    what an ordinary sale may lose; `pool_slip` is what the pool itself would keep now (the same
    where nobody asked it), `most_slip` the deepest that a sale may go at all, and `most_gas_gwei`
    what repaying may pay for gas: None where nothing sets a bound.
    """

    position: Position
    stress: Stress
    threshold: Bps
    token_par: Usd8
    paid: Usd8
    gas_per_gwei: Usd8
    pool_slip: Bps | None = None
    most_slip: Bps | None = None
    most_gas_gwei: int | None = None


class Delay(StrEnum):
    """Why the deal would not repay at once, but wait with its debt; a further fall may liquidate.

    Both end by themselves: others trade the pool back, and blocks become cheaper.
    """

    PRICE = "the pool is further under the oracle than any sale may go"
    GAS = "gas costs more than even repaying may pay"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario ends; `loss` is in dollars, without the move of ETH itself.

    `sold` is the bucket's ETH that must be sold, in dollars at today's price, `bucket_sold` its
    share of the bucket (more than all where the bucket does not suffice). `ltv` and `health_wad`
    are those after the largest single fall. A deal that has to wait, `delayed_by`, is not whole.
    """

    scenario: str
    principal_whole: bool
    cover_wad: int
    health_wad: int
    ltv: Bps
    bucket_sold: Bps
    sold: Usd8
    loss: Usd8
    delayed_by: Delay | None = None

    @property
    def is_liquidated(self) -> bool:
        """Whether the venue may sell the collateral."""
        return self.health_wad < WAD


def outcome(shock: Shock, exposed: Exposed, least_slip: Bps = Bps(0)) -> Outcome:
    """How `shock` ends for the deal: whole when the reserve repays all debt, and may do so at once.

    Args:
        shock: what happens.
        exposed: the deal.
        least_slip: what selling the bucket loses at least, since other deals sell as well.

    Source: RISK.md, what "principal is preserved" means.
    """
    stress = stressed(shock, exposed, least_slip)
    position = revalued(exposed.position, shock)
    left = Usd8(mul_div(position.collateral, BPS - stress.gap, BPS))
    health = health_factor(left, exposed.threshold, position.debt)
    repaid = position.debt == 0 or reserve(position, stress) >= owed(position.debt, stress)
    delay = _delay(shock, exposed, position, stress)
    return Outcome(
        scenario=shock.name,
        principal_whole=repaid and health > WAD and delay is None,
        cover_wad=debt_cover(position, stress),
        health_wad=health,
        ltv=ltv(position.debt, left),
        bucket_sold=bucket_share_sold(position, stress),
        sold=bucket_sold(position, stress),
        loss=_loss(shock, exposed, position, stress, is_liquidated=health < WAD),
        delayed_by=delay,
    )


def bound(exposed: Exposed) -> Usd8:
    """The most that the deal loses while the theorem's conditions hold, sold as deep as it may be.

    Source: RISK.md, S + i + f, and the sale.
    """
    deep = max(exposed.stress.exit_slip, exposed.most_slip or Bps(0))
    stress = replace(exposed.stress, exit_slip=deep)
    return loss_bound(exposed.position, stress, exposed.paid)


def cash_needed(shock: Shock, exposed: Exposed) -> Usd8:
    """What the deal must raise by selling bucket ETH, at most what the bucket is worth then."""
    stress = stressed(shock, exposed)
    position = revalued(exposed.position, shock)
    worth = mul_div(position.reserve_eth, BPS - stress.gap, BPS)
    return Usd8(min(to_raise(position, stress), worth))


def stressed(shock: Shock, exposed: Exposed, least_slip: Bps = Bps(0)) -> Stress:
    """The deal's stress with `shock` on top; a fall comes in steps no larger than the gap."""
    base = exposed.stress
    pool = base.exit_slip if exposed.pool_slip is None else exposed.pool_slip
    own = mul_div(pool, BPS, shock.depth_left, round_up=True)
    slip = max(base.exit_slip, max(own, least_slip) + shock.sale_discount)
    gas = exposed.gas_per_gwei * (shock.gas_gwei or 0)
    return Stress(
        gap=Bps(min(shock.eth_drop, base.gap)),
        exit_slip=Bps(min(MOST_SLIP, slip)),
        apr_ray=base.apr_ray if shock.apr_ray is None else max(shock.apr_ray, base.apr_ray),
        days=base.days + shock.extra_days,
        costs=Usd8(max(base.costs, gas)),
    )


def revalued(position: Position, shock: Shock) -> Position:
    """The position with cash and debt at the debt currency's new price, against the deal."""
    if shock.usdt_move == 0:
        return position
    scale = BPS + shock.usdt_move
    return replace(
        position,
        cash=Usd8(mul_div(position.cash, scale, BPS)),
        debt=Usd8(mul_div(position.debt, scale, BPS, round_up=True)),
    )


def _delay(shock: Shock, exposed: Exposed, position: Position, stress: Stress) -> Delay | None:
    if position.debt == 0:
        return None
    most_gas, most_slip = exposed.most_gas_gwei, exposed.most_slip
    if most_gas is not None and (shock.gas_gwei or 0) > most_gas:
        return Delay.GAS
    is_deep = most_slip is not None and stress.exit_slip > most_slip
    return Delay.PRICE if is_deep and to_raise(position, stress) else None


def _loss(
    shock: Shock, exposed: Exposed, position: Position, stress: Stress, *, is_liquidated: bool
) -> Usd8:
    """What is lost at the debt currency's new price, less what the tokens bring after all."""
    before = exposed.position
    dearer = (position.debt - position.cash) - (before.debt - before.cash)
    recovered = mul_div(exposed.token_par, shock.recovery, BPS)
    fined = mul_div(position.debt, LIQUIDATION_SHARE, BPS, round_up=True) if is_liquidated else 0
    most = loss_bound(position, stress, exposed.paid) + fined
    return Usd8(max(0, most + dearer - recovered))
