"""Named boundaries of durable work, at which a recovery test may kill the process."""

from __future__ import annotations

from typing import Final, Protocol

NAMES: Final = (
    "desk.before_commit",
    "desk.after_commit",
    "queue.job_fetched",
    "queue.job_done",
    "sweep.before_commit",
    "sweep.after_commit",
    "advance.after_observe",
    "tx.after_sign",
    "advance.before_commit",
    "advance.after_commit",
    "tx.before_broadcast",
    "tx.after_broadcast",
    "tx.in_sent",
    "tx.after_sent",
    "tx.before_receipts",
    "tx.in_receipts",
    "tx.after_receipts",
    "tx.in_attempt",
    "tx.after_attempt",
    "tx.before_unmine",
    "tx.in_unmine",
    "tx.after_unmine",
    "still.before_commit",
    "still.after_commit",
    "events.before_commit",
    "events.after_commit",
    "chore.taken",
    "chore.done",
)
"""Every boundary there is: docs/recovery.md says what is true at each, and what dies there."""


class Boundary(Protocol):
    """Called with the name of each boundary that is passed, such as `advance.before_commit`."""

    def __call__(self, name: str) -> None:
        """Return at once; a recovery test's version may end the process instead."""
        ...


def unobserved(name: str) -> None:
    """Pass the boundary: what runs outside recovery tests."""
