"""Dies at a named boundary, so that recovery tests crash the real process and nothing less."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from holdfast.common.boundary import NAMES, Boundary, unobserved
from holdfast.common.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable


class CrashAt:
    """Kills the process, as a power cut would, the `nth` time that it passes boundary `name`."""

    def __init__(self, name: str, nth: int = 1, *, kill: Callable[[], None] | None = None) -> None:
        self._name = name
        self._left = nth
        self._kill = kill or _kill_own_process

    def __call__(self, name: str) -> None:
        """Count the passes; the last one does not return."""
        if name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            self._kill()


def crash_boundary(wanted: str | None, *, is_devnet: bool) -> Boundary:
    """The boundary for HOLDFAST_CRASH_AT: `name`, or `name:3` for the third pass.

    Raises:
        Rejected: `config.crash_at` on any chain that is not a devnet, and for a name that no
            boundary has: a test that waits for it would wait in vain.
    """
    if wanted is None:
        return unobserved
    if not is_devnet:
        raise Rejected(
            "config.crash_at", "HOLDFAST_CRASH_AT is for tests on a devnet: unset it on this chain"
        )
    name, _, nth = wanted.partition(":")
    if name not in NAMES:
        raise Rejected("config.crash_at", f"no boundary is called {name}: see docs/recovery.md")
    return CrashAt(name, int(nth or 1))


def _kill_own_process() -> None:
    # SIGKILL: nothing is flushed, closed or rolled back by us.
    os.kill(os.getpid(), signal.SIGKILL)
