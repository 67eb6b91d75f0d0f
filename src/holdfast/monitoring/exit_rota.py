"""Which open deals' unwinds are tried next, and how old the oldest check is; pure.

What was tried when is known as long as one process leads. A new leader takes every deal for one
that is due, since nobody tells it when the last leader was there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from holdfast.common.ids import DealId

MOST_PERIODS: Final = 3
"""How many periods old a check may be. One is when it is due; with two more, a round that the chain
or the database spoils, or a large book under a new leader, is no reason to call somebody."""

AGAIN_SHARE: Final = 10
"""What could not be tried is tried again after a tenth of the period: not so soon that the same
deals keep all others waiting."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """When a deal was last known to be tried, and when it was last attempted, as block numbers.

    Of one that is not `is_known` the first is a guess.
    """

    checked: int
    attempted: int | None = None
    is_known: bool = True


@dataclass(slots=True)
class Rota:
    """The turns of all open deals; a check is due every `every_blocks` blocks."""

    every_blocks: int
    _turns: dict[DealId, _Turn] = field(default_factory=dict["DealId", _Turn])
    _has_begun: bool = False

    def follow(self, open_deals: Collection[DealId], head: int) -> set[DealId]:
        """Take the deals that are open now; returns those that were before and no longer are.

        One that joins under this leader was looked at when it was planned and is due a period
        later.
        """
        over = set(self._turns) - set(open_deals)
        for deal in over:
            del self._turns[deal]
        begun = self._has_begun
        new = _Turn(head) if begun else _Turn(head - self.every_blocks, is_known=False)
        for deal in open_deals:
            self._turns.setdefault(deal, new)
        self._has_begun = True
        return over

    def due(self, head: int, cover: Mapping[DealId, int]) -> list[DealId]:
        """The deals to try now, in that order.

        Those first whose checks are more whole periods old, so that each has its turn; among them
        those with the least debt cover. One without a known `cover` goes before all others.
        """
        late = {
            deal: self._age(turn, head) // self.every_blocks
            for deal, turn in self._turns.items()
            if self._is_due(turn, head)
        }
        return sorted(late, key=lambda deal: (-late[deal], cover.get(deal, -1)))

    def attempted(self, deals: Collection[DealId], head: int) -> None:
        """They were asked about, whatever came of it."""
        for deal in deals:
            self._turns[deal] = replace(self._turns[deal], attempted=head)

    def checked(self, deals: Collection[DealId], head: int) -> None:
        """It is known how they would come home."""
        for deal in deals:
            self._turns[deal] = _Turn(head, head)

    def age_blocks(self, head: int) -> int:
        """How old the oldest check of an open deal is; 0 when none is open."""
        return max((self._age(turn, head) for turn in self._turns.values()), default=0)

    def is_late(self, head: int) -> bool | None:
        """Whether a check is older than it may be; None while some are not known yet."""
        if self.age_blocks(head) > MOST_PERIODS * self.every_blocks:
            return True
        return False if all(turn.is_known for turn in self._turns.values()) else None

    def _age(self, turn: _Turn, head: int) -> int:
        """Of a check above the head, which was reorged away, a period: it counts for nothing."""
        return head - turn.checked if turn.checked <= head else self.every_blocks

    def _is_due(self, turn: _Turn, head: int) -> bool:
        if self._age(turn, head) < self.every_blocks:
            return False
        pause = -(-self.every_blocks // AGAIN_SHARE)
        return turn.attempted is None or not 0 <= head - turn.attempted < pause
