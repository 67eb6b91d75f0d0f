"""How long a deal waits before it looks again by itself; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.execution.model import Send, Wait, WaitFor

if TYPE_CHECKING:
    from holdfast.execution.records import DealRecord

_MOST_DOUBLINGS: Final = 10  # of a pause that is bounded anyway: no number grows without end


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a deal waits before it looks again by itself, in seconds.

    `under_way` only guards against a lost wake-up: the chain loop wakes the deal when its group
    ends. `block` is about the chain's block time.
    """

    under_way: float = 30.0
    block: float = 1.0
    holding: float = 15.0
    most: float = 300.0

    def pause_seconds(
        self, deal: DealRecord, outcome: Send | Wait, blocks_to_final: int
    ) -> float | None:
        """How long `deal` waits after `outcome`; None when only a person can go on."""
        if deal.group_id is not None:
            return self.under_way
        if deal.trouble is not None:
            doublings = min(deal.trouble.times - 1, _MOST_DOUBLINGS)
            return min(self.block * float(1 << doublings), self.most)
        return self._idle_seconds(outcome, blocks_to_final)

    def _idle_seconds(self, outcome: Send | Wait, blocks_to_final: int) -> float | None:
        match outcome:
            case Wait(WaitFor.APPROVAL | WaitFor.NOTHING):
                return None
            case Wait(
                WaitFor.THAW
                | WaitFor.QUEUE
                | WaitFor.RESERVE
                | WaitFor.OPERATOR
                | WaitFor.TRADING
                | WaitFor.LIMITS
                | WaitFor.PRICE
            ):
                return self.holding
            case Wait(WaitFor.FINALITY):
                return self.block * blocks_to_final
            case _:
                return self.block


def waits_for(outcome: Send | Wait) -> WaitFor | None:
    """What an idle deal is to be shown as waiting for; nothing where it is over."""
    match outcome:
        case Wait(WaitFor.NOTHING) | Send():
            return None
        case Wait(what):
            return what
