"""Asks again after `Transient`, and after nothing else, with pauses that grow and are never equal.

`Ambiguous` may have been done, `Rejected` would fail again and `Broken` must be seen: repeating any
of them is how one transfer becomes two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import stamina
import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from holdfast.common.errors import Paused, Transient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

A_MOMENT_SECONDS: Final = 5.0
"""How long a person at a command waits for what may be back at once."""

_FIRST_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 2.0  # nothing is late by more, once the other side is back
_JITTER_SECONDS: Final = 0.3  # many that lost the same server do not come back as one

_log = structlog.stdlib.get_logger(__name__)


async def patiently(call: Callable[[], Awaitable[T]], *, seconds: float | None = None) -> T:
    """What `call` returns, called again for as long as it raises `Transient`.

    Args:
        call: what may be repeated when it says that nothing was done.
        seconds: after which the last `Transient` is raised on; never by default.
    """
    caller = stamina.AsyncRetryingCaller(
        attempts=None,
        timeout=seconds,
        wait_initial=_FIRST_SECONDS,
        wait_max=_LONGEST_SECONDS,
        wait_jitter=_JITTER_SECONDS,
    )
    return await caller.on(Transient)(call)


def log_retries() -> None:
    """Tell of each retry in one event, in place of the library's own, which shows arguments."""
    set_on_retry_hooks([_told])


def _told(details: RetryDetails) -> None:
    cause = details.caused_by
    if isinstance(cause, Paused):
        return
    _log.warning(
        "retry.scheduled",
        attempt=details.retry_num,
        wait_seconds=round(details.wait_for, 2),
        **(cause.as_dict() if isinstance(cause, Transient) else {}),
    )
