"""The open book under stress: all its deals sell in one pool at once; integers, the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from holdfast.common.evm import BlockRef
from holdfast.common.money import Bps, Usd8
from holdfast.risk.exit_pool import ExitPool, shared_slip
from holdfast.risk.scenarios import Exposed, Shock, cash_needed, outcome

_FEW = 100
"""Deals: their standard scenarios take integers some 40 ms."""


@dataclass(frozen=True, slots=True)
class OpenBook:
    """Deals at one block, by a name that is shown, and the pool that they would sell in.

    `eth_price` is that of the same block.
    """

    at: BlockRef
    eth_price: Usd8
    pool: ExitPool
    deals: Sequence[tuple[str, Exposed]]

    def alone(self) -> Sequence[Exposed]:
        """The deals without their names."""
        return [exposed for _, exposed in self.deals]


@dataclass(frozen=True, slots=True)
class BookOutcome:
    """How a scenario ends for a book whose deals sell together.

    `slip` is what selling loses at least; `not_whole` are the places of the deals that do not bring
    their principal home, `lowest_cover_wad` the least debt cover among all, `health_wad` the least
    health factor. `sold` is in dollars at today's price.
    """

    scenario: str
    slip: Bps
    not_whole: tuple[int, ...]
    lowest_cover_wad: int
    health_wad: int
    sold: Usd8
    loss: Usd8

    @property
    def principal_whole(self) -> bool:
        """Whether every deal brings its principal home."""
        return not self.not_whole


def together(shock: Shock, deals: Sequence[Exposed], pool: ExitPool) -> BookOutcome:
    """How `shock` ends for deals that all sell at once; a book has at least one deal."""
    slip = slip_together(shock, deals, pool)
    ends = [outcome(shock, exposed, slip) for exposed in deals]
    return BookOutcome(
        scenario=shock.name,
        slip=slip,
        not_whole=tuple(place for place, end in enumerate(ends) if not end.principal_whole),
        lowest_cover_wad=min(end.cover_wad for end in ends),
        health_wad=min(end.health_wad for end in ends),
        sold=Usd8(sum(end.sold for end in ends)),
        loss=Usd8(sum(end.loss for end in ends)),
    )


def stressed_book(
    shocks: Sequence[Shock], deals: Sequence[Exposed], pool: ExitPool
) -> tuple[BookOutcome, ...]:
    """How each of a few dozen `shocks` ends for deals that all sell at once.

    A few deals in integers; many are sorted out in floats first, with the same verdicts.
    """
    if len(deals) <= _FEW:
        return tuple(together(shock, deals, pool) for shock in shocks)
    # Imported where it is needed: numpy would make every command start a tenth of a second later.
    large: Any = import_module("holdfast.risk.large_book")
    found: tuple[BookOutcome, ...] = large.ends(shocks, deals, pool)
    return found


def slip_together(shock: Shock, deals: Sequence[Exposed], pool: ExitPool) -> Bps:
    """What selling loses at least when all `deals` raise their cash in `pool` under `shock`.

    0 for a deal alone: what it loses by itself is in its own slip, as the pool quoted it.
    """
    if len(deals) < 2:
        return Bps(0)
    raised = Usd8(sum(cash_needed(shock, exposed) for exposed in deals))
    gap = Bps(max((min(shock.eth_drop, one.stress.gap) for one in deals), default=0))
    return shared_slip(pool, raised, gap, shock.depth_left)
