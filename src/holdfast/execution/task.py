"""What the legs of a move are built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast.execution.calls import DealCalls
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import LegKind

DEADLINE_SECONDS: Final = 300
"""How long a swap may wait to be mined: 25 blocks of 12 s, long before a quote is worthless."""


@dataclass(frozen=True, slots=True)
class Task:
    """One move of one deal at one observed block."""

    deal: DealRecord
    seen: Seen
    calls: DealCalls

    @property
    def deadline(self) -> int:
        """The chain time in seconds by which a swap must be mined."""
        return self.seen.head.ref.timestamp + DEADLINE_SECONDS

    def failed(self, kind: LegKind) -> bool:
        """Whether a leg of this kind is what was refused or reverted last."""
        return self.deal.trouble is not None and self.deal.trouble.kind is kind
