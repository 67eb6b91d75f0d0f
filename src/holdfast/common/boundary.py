"""Named boundaries of durable work, at which a recovery test may kill the process."""

from __future__ import annotations

from typing import Protocol


class Boundary(Protocol):
    """Called with the name of each boundary that is passed, such as `advance.before_commit`."""

    def __call__(self, name: str) -> None:
        """Return at once; a recovery test's version may end the process instead."""
        ...


def unobserved(name: str) -> None:
    """Pass the boundary: what runs outside recovery tests."""
