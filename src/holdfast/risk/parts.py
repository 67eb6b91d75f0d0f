"""A large book through many scenarios: what scenarios have in common is worked out once.

Hundreds of scenarios are combinations of a few shocks. What is owed, what ETH sells for and which
ratios hold depend on some of them alone; only what tokens bring after all differs between the
scenarios of one `Group`. Work is done for some deals at a time, whose columns fit a core's cache.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from holdfast.common.money import BPS
from holdfast.risk.arrays import DealColumns, ShockColumns
from holdfast.risk.formulas import PIPS
from holdfast.risk.stress import Sale, brings, due_of, keeps, left_of, ratios_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Hashable, Iterator

    from holdfast.risk.arrays import Floats
    from holdfast.risk.exit_pool import ExitPool
    from holdfast.risk.stress import Due, Ratios

T = TypeVar("T")

ROWS: Final = 16_384
"""Deals of a part: a column of them is 128 kB, so what one formula works on stays in a core's
second cache, and calling numpy is not what takes the time: with 4,096 it was a third of it."""

_MOST_KEPT: Final = 256
"""Of what several groups share of one part; combinations of the standard shocks need a third."""

NEAR_BPS: Final = 1e-6
"""Of a basis point: a slip that near under a whole one is rounded up past it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Scenarios that differ only in what the tokens bring after all.

    Attributes:
        shock: one of them, its shocks as single numbers.
        slip_bps: what selling loses at least.
        recoveries: by the share of par that tokens bring, the places of the scenarios.
    """

    shock: ShockColumns
    slip_bps: Floats
    recoveries: dict[float, list[int]]

    @property
    def count(self) -> int:
        """How many scenarios."""
        return sum(map(len, self.recoveries.values()))


def groups(deals: DealColumns, shocks: ShockColumns, least_slip_bps: Floats) -> list[Group]:
    """All scenarios in groups; falls of ETH that go beyond what any deal allows are one."""
    deepest = deals.gap.max(initial=0.0)
    slips = np.broadcast_to(least_slip_bps, (1, len(shocks)))[0]
    found: dict[Hashable, Group] = {}
    for place, (shock, slip) in enumerate(zip(_each(shocks), slips, strict=True)):
        drop = min(shock.eth_drop, deepest)
        key = (_due(shock), _sale(replace(shock, eth_drop=drop), slip))
        group = found.setdefault(key, Group(shock, slip, {}))
        group.recoveries.setdefault(float(shock.recovery), []).append(place)
    return list(found.values())


def common(found: Collection[Group]) -> frozenset[Hashable]:
    """What more than one of the groups asks of a part, by its key."""
    asked = Counter(
        key
        for group in found
        for key in (_due(group.shock), _ratios(group.shock), _sale(group.shock, group.slip_bps))
    )
    return frozenset(key for key, times in asked.items() if times > 1)


class Part:
    """Some deals of a book, as flat columns.

    What is asked under a key in `common` is kept; the rest is not, to leave the cache to it.
    """

    def __init__(self, deals: DealColumns, common: Container[Hashable]) -> None:
        self.deals = _flat(deals)
        slips = np.stack((self.deals.slip_bps, self.deals.pool_slip_bps))
        self._slips, self._kinds = np.unique(slips, axis=1, return_inverse=True)
        self._common = common
        self._kept: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        """How many deals."""
        return len(self.deals)

    def due(self, shock: ShockColumns) -> Due:
        """What each deal has to pay."""
        return self._once(_due(shock), lambda: due_of(self.deals, shock))

    def with_ratios(self, shock: ShockColumns, make: Callable[[ShockColumns, Ratios], T]) -> T:
        """What `make` gives for the LTV and health factor of each deal."""
        return self._once(_ratios(shock), lambda: make(shock, ratios_of(self.deals, shock)))

    def sale(self, shock: ShockColumns, least_slip_bps: Floats) -> Sale:
        """What selling the bucket brings each deal."""
        key = _sale(shock, least_slip_bps)
        return self._once(key, lambda: self._sale(shock, least_slip_bps))

    def _sale(self, shock: ShockColumns, least_slip_bps: Floats) -> Sale:
        # Slips are few: each is worked out once.
        own, pools = self._slips
        kept = keeps(own, pools, shock, least_slip_bps)[self._kinds]
        left = left_of(self.deals, shock)
        return Sale(kept, left, brings(self.deals, left, kept))

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._common:
            return make()
        found: T | None = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            found = self._kept[key] = make()
        return found


def parts(deals: DealColumns, found: Collection[Group]) -> Iterator[tuple[slice, Part]]:
    """All deals, some at a time, with their places; `found` is what they will be asked for."""
    shared = common(found)
    for first in range(0, len(deals), ROWS):
        rows = slice(first, min(first + ROWS, len(deals)))
        yield rows, Part(deals.rows(rows), shared)


def shared_slip_bps(deals: DealColumns, shocks: ShockColumns, pool: ExitPool) -> Floats:
    """What the last one loses in each scenario when all deals sell at once; (1, scenarios).

    Never less than the integers of `exit_pool.shared_slip` have it, and at most a basis point more.
    """
    raised = np.zeros((1, len(shocks)))
    if len(deals) < 2:  # its own slip is what the pool quoted for it alone
        return raised
    found = groups(deals, shocks, raised)
    by_group = np.zeros(len(found))
    for _, part in parts(deals, found):
        by_group += [_raised(part, group.shock) for group in found]
    for group, together in zip(found, by_group, strict=True):
        for places in group.recoveries.values():
            raised[0, places] = together
    gap = np.minimum(shocks.eth_drop, deals.gap.max(initial=0.0))
    cash = pool.cash / 10**8 * np.sqrt(1 - gap) * (shocks.depth_left_bps / BPS)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(raised < cash, 1 - raised / cash, 0.0)
    lost = BPS * (1 - left**2 * ((PIPS - pool.fee_pips) / PIPS))
    return np.minimum(np.ceil(lost + NEAR_BPS), BPS)


def _raised(part: Part, shock: ShockColumns) -> float:
    most = part.deals.reserve_eth * left_of(part.deals, shock)
    return float(np.minimum(part.due(shock).missing, most).sum(dtype=np.float64))


def _flat(deals: DealColumns) -> DealColumns:
    """Each column by itself; of the gap and the threshold one number where all have the same."""
    flat = {one.name: np.ascontiguousarray(getattr(deals, one.name)[:, 0]) for one in fields(deals)}
    for name in ("gap", "threshold"):  # those of one desk and one market
        if (flat[name] == flat[name][0]).all():
            flat[name] = flat[name][:1]
    return DealColumns(**flat)


def _each(shocks: ShockColumns) -> Iterator[ShockColumns]:
    """Every scenario by itself."""
    names = [one.name for one in fields(ShockColumns)]
    for row in zip(*(getattr(shocks, name)[0] for name in names), strict=True):
        yield ShockColumns(**dict(zip(names, row, strict=True)))


def _due(shock: ShockColumns) -> Hashable:
    """The shocks that what is owed depends on."""
    return ("due", shock.usdt_move, shock.extra_days, shock.apr, shock.gas_gwei)


def _ratios(shock: ShockColumns) -> Hashable:
    """Those that debt against collateral depends on."""
    return ("ratios", shock.usdt_move, shock.eth_drop)


def _sale(shock: ShockColumns, least_slip_bps: Floats) -> Hashable:
    """Those that the price of a sale depends on."""
    return ("sale", shock.eth_drop, shock.depth_left_bps, shock.discount_bps, least_slip_bps)
