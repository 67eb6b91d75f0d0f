"""What one look at a deal led to, ready to be written; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.execution.model import Send
from holdfast.model.deal import DealEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.execution.errors import Unexplained
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.execution.script import Script
    from holdfast.execution.settlement import Settlement
    from holdfast.model.leg import Leg
    from holdfast.risk.model import Check


@dataclass(frozen=True, slots=True)
class Prepared:
    """The settlement, what comes after it, and the legs that carry it out.

    `doubt` is what the chain was found to lack of what is recorded, once that is certain;
    `blocks` are the rules that the next move would have broken. `is_certain` once the chain was
    asked for the deal's own blocks and has them, as far as the chain loop may still take them back.
    """

    settlement: Settlement
    script: Script
    deal: DealRecord
    legs: Sequence[Leg]
    seen: Seen
    doubt: Unexplained | None = None
    blocks: tuple[Check, ...] = ()
    is_certain: bool = False

    @property
    def would_go_on(self) -> bool:
        """Whether legs follow, or would if a rule or their trial allowed it.

        Then the chain must bear us out: what is missing may be the very reason why it does not.
        """
        return isinstance(self.script.outcome, Send) or bool(self.blocks)

    @property
    def starts(self) -> bool:
        """Whether the deal begins with it."""
        return any(changed.event is DealEvent.START for changed in self.script.changes)
