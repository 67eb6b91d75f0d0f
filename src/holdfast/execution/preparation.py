"""What comes next for a deal: look and decide; nothing is written and no row is locked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from holdfast.common.boundary import Boundary, unobserved
from holdfast.common.errors import Transient
from holdfast.execution.errors import MoveRefused
from holdfast.execution.model import Send, Wait, WaitFor
from holdfast.execution.prepared import Prepared
from holdfast.execution.restraint import lowers_risk, restrained
from holdfast.execution.script import play
from holdfast.execution.settlement import refused
from holdfast.model.deal import HoldReason

if TYPE_CHECKING:
    from holdfast.execution.foresight import Foresight
    from holdfast.execution.model import Move
    from holdfast.execution.observation import Seen
    from holdfast.execution.ports import Builder, Observer
    from holdfast.execution.records import DealRecord
    from holdfast.execution.script import Script
    from holdfast.execution.settlement import Settlement
    from holdfast.risk.trading import Trading

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Preparation:
    """Decides by what `observer` sees, has `builder` make the legs, and `foresight` look ahead."""

    observer: Observer
    builder: Builder
    foresight: Foresight
    at: Boundary = unobserved

    async def __call__(self, settlement: Settlement, trading: Trading) -> Prepared:
        """What follows `settlement` while trading stands like that.

        Raises:
            Transient: the chain did not answer, or is behind what is recorded.
        """
        seen = await self.observer.observe(settlement.deal)
        self.at("advance.after_observe")
        if seen.position.at.number < settlement.deal.last_block:
            raise Transient("chain.behind", "the node has not seen the deal's own blocks yet")
        script = _script(settlement, seen, trading)
        prepared = Prepared(settlement, script, script.deal, (), seen)
        if isinstance(script.outcome, Send):
            return await self._with_legs(prepared, script.outcome.move)
        return prepared

    async def _with_legs(self, prepared: Prepared, move: Move) -> Prepared:
        """With the legs of `move`, unless it is refused or would break a rule."""
        deal, script, seen = prepared.deal, prepared.script, prepared.seen
        if lowers_risk(deal.status, move):
            seen = replace(seen, fees=seen.homeward_fees)
            prepared = replace(prepared, seen=seen)
        try:
            legs = await self.builder.build(deal, move, seen)
        except MoveRefused as error:
            _log.warning("deal.move_refused", leg=error.kind, reason=error.message)
            return replace(prepared, deal=refused(deal, error.kind, error.message))
        if blocks := await self.foresight.blocks(deal, move, legs, seen):
            waiting = replace(script, outcome=Wait(WaitFor.LIMITS))
            return replace(prepared, script=waiting, blocks=blocks)
        return replace(prepared, legs=legs)


def _script(settlement: Settlement, seen: Seen, trading: Trading) -> Script:
    """What the saga plays, as far as the trading state and the price of gas allow it."""
    stop = HoldReason.FOREIGN_USE if settlement.is_displaced else None
    script = play(settlement.deal, seen.position, seen.venues, stop=stop)
    script = restrained(settlement.deal, script, trading.state, seen.venues)
    if isinstance(script.outcome, Send) and _is_too_dear(script.deal, script.outcome.move, seen):
        return replace(script, outcome=Wait(WaitFor.GAS))
    return script


def _is_too_dear(deal: DealRecord, move: Move, seen: Seen) -> bool:
    """Whether gas keeps `move` back: what lowers risk only above the emergency's ceiling."""
    return seen.gas_stops_all if lowers_risk(deal.status, move) else seen.gas_is_too_dear
