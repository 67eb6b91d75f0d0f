"""Looks that grow with the book, done so seldom that they never take more than their share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

    from holdfast.common.clock import Clock

_PAUSE_PER_SECOND: Final = 20.0
"""A look of 5 ms comes again at once for all a person notices."""
_MOST_SECONDS: Final = 5.0
"""However long one took: a person waits no longer for what it finds."""


class Sparing:
    """Times looks: after one, the next is due when 20 times what it took or 5 s have passed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_at = clock.monotonic_seconds()

    def is_due(self) -> bool:
        """Whether it may be looked again."""
        return self._clock.monotonic_seconds() >= self._due_at

    @contextmanager
    def one(self) -> Generator[None]:
        """One look, timed whether it works or not."""
        began = self._clock.monotonic_seconds()
        try:
            yield
        finally:
            ended = self._clock.monotonic_seconds()
            self._due_at = ended + min(_PAUSE_PER_SECOND * (ended - began), _MOST_SECONDS)
