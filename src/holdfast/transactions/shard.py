"""Which of a chain's senders one loop works for, where several share the chain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of a chain's senders that one loop works for: part `number` of `of`, from 0.

    A sender's part follows from its address alone, so that every process and the database agree.
    """

    number: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        """As in `0/2`."""
        return f"{self.number}/{self.of}"
