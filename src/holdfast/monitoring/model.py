"""Chores and the rule for waiting between attempts; pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class ChoreState(StrEnum):
    """Whether a chore is still to be done, or was given up; one that is done leaves no row."""

    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Chore:
    """One piece of work that a deal never waits for: what to do (`kind`) and for what."""

    kind: str
    subject: str
    state: ChoreState
    attempts: int
    next_at: datetime
    error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a chore, the `number`th; unless it ends, the next is due at `again_at`."""

    kind: str
    subject: str
    number: int
    again_at: datetime


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait between attempts, in seconds, and how many to make.

    With these numbers the twentieth attempt is some eleven hours after the first: a pager that is
    down for a night still gets what happened in it.
    """

    first_seconds: float = 5.0
    most_seconds: float = 3_600.0
    attempts: int = 20

    def pause_seconds(self, attempts: int, spread: float) -> float:
        """The pause after the `attempts`th attempt: doubled each time, up to a fifth off it.

        Args:
            attempts: how many were made, from 1.
            spread: from 0 to 1, at random, so that what failed together is not retried together.
        """
        doubled = self.first_seconds * 2.0 ** min(attempts - 1, 32)
        return min(doubled, self.most_seconds) * (0.8 + 0.4 * spread)
