"""Deals and scenarios as columns of numbers, for `stress`; dollars as float64.

A dollar value is exact in it up to $90M, and off by one part in 10^16 beyond.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from holdfast.common.money import BPS, RAY, USD8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.risk.scenarios import Exposed, Shock

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Bools: TypeAlias = npt.NDArray[np.bool_]
Whole: TypeAlias = npt.NDArray[np.int64]

DAYS: Final = 365.0

UNBOUNDED: Final = 10**9
"""More than any slip in basis points, and any price of gas in gwei."""


@dataclass(frozen=True, slots=True)
class DealColumns:
    """One row for each deal, each column of shape (deals, 1).

    Dollars; `gap` and `threshold` as fractions; `apr` a year. `slip_bps` is what an ordinary sale
    may lose, `pool_slip_bps` what the pool keeps, `most_slip_bps` the deepest sale; `UNBOUNDED`
    where nothing bounds it, as with `most_gas_gwei`.
    """

    collateral: Floats
    reserve_eth: Floats
    cash: Floats
    debt: Floats
    token_cost: Floats
    token_par: Floats
    paid: Floats
    gas_per_gwei: Floats
    costs: Floats
    gap: Floats
    slip_bps: Floats
    pool_slip_bps: Floats
    most_slip_bps: Floats
    most_gas_gwei: Floats
    apr: Floats
    days: Floats
    threshold: Floats

    def __len__(self) -> int:
        """How many deals."""
        return len(self.debt)

    def rows(self, chosen: slice) -> DealColumns:
        """Some of the deals."""
        return DealColumns(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def as_type(self, kind: npt.DTypeLike) -> DealColumns:
        """The same in another width."""
        return DealColumns(
            **{one.name: getattr(self, one.name).astype(kind) for one in fields(self)}
        )


@dataclass(frozen=True, slots=True)
class ShockColumns:
    """One column for each scenario, each row of shape (1, scenarios), or of one for each deal.

    `depth_left` and `sale_discount` are in bps, `eth_drop` and `usdt_move` fractions, `apr` a year
    (0 where the scenario names none), `recovery` a share of par.
    """

    eth_drop: Floats
    apr: Floats
    extra_days: Floats
    gas_gwei: Floats
    depth_left_bps: Floats
    discount_bps: Floats
    usdt_move: Floats
    recovery: Floats

    def __len__(self) -> int:
        """How many scenarios."""
        return int(self.eth_drop.shape[1])

    def as_type(self, kind: npt.DTypeLike) -> ShockColumns:
        """The same in another width."""
        return ShockColumns(
            **{one.name: getattr(self, one.name).astype(kind) for one in fields(self)}
        )


def deal_columns(deals: Sequence[Exposed]) -> DealColumns:
    """The columns of `deals`, in their order."""
    return DealColumns(
        collateral=_down([one.position.collateral for one in deals], USD8),
        reserve_eth=_down([one.position.reserve_eth for one in deals], USD8),
        cash=_down([one.position.cash for one in deals], USD8),
        debt=_down([one.position.debt for one in deals], USD8),
        token_cost=_down([one.position.token_cost for one in deals], USD8),
        token_par=_down([one.token_par for one in deals], USD8),
        paid=_down([one.paid for one in deals], USD8),
        gas_per_gwei=_down([one.gas_per_gwei for one in deals], USD8),
        costs=_down([one.stress.costs for one in deals], USD8),
        gap=_down([one.stress.gap for one in deals], BPS),
        slip_bps=_down([one.stress.exit_slip for one in deals], 1),
        pool_slip_bps=_down([_or(one.pool_slip, one.stress.exit_slip) for one in deals], 1),
        most_slip_bps=_down([_or(one.most_slip, UNBOUNDED) for one in deals], 1),
        most_gas_gwei=_down([_or(one.most_gas_gwei, UNBOUNDED) for one in deals], 1),
        apr=_down([one.stress.apr_ray for one in deals], RAY),
        days=_down([one.stress.days for one in deals], 1),
        threshold=_down([one.threshold for one in deals], BPS),
    )


def shock_columns(shocks: Sequence[Shock]) -> ShockColumns:
    """The columns of `shocks`, in their order."""
    return ShockColumns(
        eth_drop=_across([one.eth_drop for one in shocks], BPS),
        apr=_across([one.apr_ray or 0 for one in shocks], RAY),
        extra_days=_across([one.extra_days for one in shocks], 1),
        gas_gwei=_across([one.gas_gwei or 0 for one in shocks], 1),
        depth_left_bps=_across([one.depth_left for one in shocks], 1),
        discount_bps=_across([one.sale_discount for one in shocks], 1),
        usdt_move=_across([one.usdt_move for one in shocks], BPS),
        recovery=_across([one.recovery for one in shocks], BPS),
    )


def _or(value: int | None, other: int) -> int:
    return other if value is None else value


def _down(values: Sequence[int], unit: int) -> Floats:
    return np.array(values, dtype=np.float64).reshape(-1, 1) / unit


def _across(values: Sequence[int], unit: int) -> Floats:
    return np.array(values, dtype=np.float64).reshape(1, -1) / unit
