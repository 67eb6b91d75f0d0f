"""What the market asks of a deal by itself: one answer for the saga and the monitor; pure.

The saga acts on it. The monitor asks the same before it wakes a deal, so that it wakes none that
would look and do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.execution.breaches import breaches
from holdfast.execution.cures import cure_for, is_emergency
from holdfast.execution.model import Change, Position, RepayPart, Send
from holdfast.model.deal import DealEvent, DealStatus, HoldReason

if TYPE_CHECKING:
    from holdfast.execution.breaches import Exposure
    from holdfast.execution.model import Cure, Venues
    from holdfast.execution.observation import CoreSeen
    from holdfast.execution.records import DealRecord
    from holdfast.risk.limits import RiskLimits

STANDS_STILL: Final = frozenset(
    {HoldReason.OPERATOR, HoldReason.FOREIGN_USE, HoldReason.REORG, HoldReason.UNEXPLAINED}
)
"""Holds that a person has to end; principal is guarded meanwhile."""

_RESTORED_BY_REPAYING: Final = frozenset({"I6.ltv"})


@dataclass(frozen=True, slots=True)
class Pressure:
    """Broken hard rules, the cure that would restore the position, and whether prices are old.

    `is_emergency` says that waiting for a better price of a sale would risk the principal; never on
    a price that is old.
    """

    breaches: tuple[str, ...]
    cure: Cure | None
    is_price_stale: bool
    is_emergency: bool

    @classmethod
    def of(cls, venues: Venues) -> Pressure:
        """What one look at the chain found of it."""
        return cls(venues.breaches, venues.cure, venues.is_price_stale, venues.is_emergency)

    @property
    def is_urgent(self) -> bool:
        """Whether the market asks for a cure, or for the way home, whatever the deal is doing."""
        priced = not self.is_price_stale
        return (priced and self.cure is not None) or any(
            priced or not _is_priced(code) for code in self.breaches
        )


def pressure_on(
    deal: DealRecord,
    exposure: Exposure,
    core: CoreSeen,
    *,
    limits: RiskLimits,
    is_price_stale: bool,
) -> Pressure:
    """What the market does to the deal at the block of `exposure`."""
    return Pressure(
        breaches=breaches(deal, exposure, core, limits),
        cure=cure_for(deal, exposure, limits),
        is_price_stale=is_price_stale,
        is_emergency=not is_price_stale and is_emergency(deal, exposure, limits),
    )


def asked(
    status: DealStatus, hold: HoldReason | None, position: Position, pressure: Pressure
) -> Send | Change | None:
    """What the market asks before anything else: a cure, or where none restores, to go home.

    Nothing of a deal that is on its way home already, waits for a person's approval, or is over. On
    a price that is too old neither is decided; the anchor needs no price.
    """
    is_guarded = status is DealStatus.EXECUTING or (
        status is DealStatus.HOLDING and hold in STANDS_STILL
    )
    return _protection(position, pressure) if is_guarded else None


def _protection(position: Position, pressure: Pressure) -> Send | Change | None:
    is_stale = pressure.is_price_stale
    broken = {code for code in pressure.breaches if not (is_stale and _is_priced(code))}
    cure = None if is_stale else pressure.cure
    if isinstance(cure, RepayPart):
        broken -= _RESTORED_BY_REPAYING
    if broken and (position.debt or position.collateral):
        return Change(DealEvent.HOLD, HoldReason.INVARIANT)
    return None if cure is None else Send(cure)


def _is_priced(code: str) -> bool:
    return code.startswith(("I2.", "I3.", "I6."))
