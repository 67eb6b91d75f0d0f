"""The standard scenarios: does the principal come home whole, and what is lost, in each of them.

A shock deeper than the gap reaches its depth over several monitor ticks, none of which moves more
than the gap: at the first the desk turns bucket ETH into cash and repays (RISK.md, the theorem).
The smallest single gap that breaks the reserve is `reserve.breaking_gap`.
"""

from dataclasses import dataclass, replace

from holdfast.common.money import BPS, RAY, WAD, Bps, Usd8, mul_div
from holdfast.protocols.aave_v3.math import health_factor
from holdfast.risk.model import Position, Stress
from holdfast.risk.reserve import bucket_share_sold, debt_cover, loss_bound, owed, reserve

DELAY_DAYS = 213
"""Seven months. Source: RISK.md, standard scenarios."""

VENUE_DISCOUNT = Bps(1_000)
"""How far under the market a single bad venue buys the reserve; twice the depeg scenario."""


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
    Shock("token_to_zero_and_eth_down_50", eth_drop=Bps(5_000)),
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
    `gas_per_gwei` what the whole deal's gas costs for each gwei of gas price.
    """

    position: Position
    stress: Stress
    threshold: Bps
    token_par: Usd8
    paid: Usd8
    gas_per_gwei: Usd8


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario ends; `loss` is in dollars, without the move of ETH itself."""

    scenario: str
    principal_whole: bool
    cover_wad: int
    health_wad: int
    bucket_sold: Bps
    loss: Usd8


def outcome(shock: Shock, exposed: Exposed) -> Outcome:
    """How `shock` ends for the deal; the principal is whole when the reserve repays all debt.

    Source: RISK.md, what "principal is preserved" means.
    """
    gap = Bps(min(shock.eth_drop, exposed.stress.gap))
    stress = _stress(shock, exposed, gap)
    position = _revalued(exposed.position, shock)
    health = _health(position, gap, exposed.threshold)
    repaid = position.debt == 0 or reserve(position, stress) >= owed(position.debt, stress)
    return Outcome(
        scenario=shock.name,
        principal_whole=repaid and health > WAD,
        cover_wad=debt_cover(position, stress),
        health_wad=health,
        bucket_sold=bucket_share_sold(position, stress),
        loss=_loss(shock, exposed, position, stress),
    )


def _stress(shock: Shock, exposed: Exposed, gap: Bps) -> Stress:
    base = exposed.stress
    slip = mul_div(base.exit_slip, BPS, shock.depth_left, round_up=True) + shock.sale_discount
    gas = exposed.gas_per_gwei * (shock.gas_gwei or 0)
    return replace(
        base,
        gap=gap,
        exit_slip=Bps(min(BPS - 1, slip)),
        apr_ray=base.apr_ray if shock.apr_ray is None else max(shock.apr_ray, base.apr_ray),
        days=base.days + shock.extra_days,
        costs=Usd8(max(base.costs, gas)),
    )


def _revalued(position: Position, shock: Shock) -> Position:
    """The position with cash and debt at the debt currency's new price, against the deal."""
    scale = BPS + shock.usdt_move
    return replace(
        position,
        cash=Usd8(mul_div(position.cash, scale, BPS)),
        debt=Usd8(mul_div(position.debt, scale, BPS, round_up=True)),
    )


def _health(position: Position, gap: Bps, threshold: Bps) -> int:
    left = mul_div(position.collateral, BPS - gap, BPS)
    return health_factor(left, threshold, position.debt)


def _loss(shock: Shock, exposed: Exposed, revalued: Position, stress: Stress) -> Usd8:
    before = exposed.position
    dearer = (revalued.debt - revalued.cash) - (before.debt - before.cash)
    recovered = mul_div(exposed.token_par, shock.recovery, BPS)
    return Usd8(max(0, loss_bound(revalued, stress, exposed.paid) + dearer - recovered))
