"""Whether an endpoint may be used: its circuit breaker, and what a round of looks proves.

Pure: time, answers and the luck of the draw are handed in.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILURES_IN_A_ROW: Final = 3
"""Open the circuit then: one lost answer happens, three in a row are an outage."""

WINDOW: Final = 20
FAILURES_IN_WINDOW: Final = 10
"""Open the circuit when this many of the last `WINDOW` exchanges failed, in whatever order."""

FIRST_PAUSE_SECONDS: Final = 0.25
"""A restarted node or a dropped connection is back by then; each further pause is twice as long."""

LONGEST_OUTAGE_PAUSE_SECONDS: Final = 5.0
"""A probe is one small exchange, so a node that comes back is in use within this time."""

LONGEST_REFUSAL_PAUSE_SECONDS: Final = 60.0
"""For an endpoint that answers wrongly: that ends with somebody's work, not by itself."""

STABLE_SECONDS: Final = 30.0
"""Pauses start from the shortest again after the endpoint has worked for so long."""

JITTER: Final = 0.25
"""The share of a pause that is drawn, so that many workers do not probe at the same moment."""

LEAST_LAG_BLOCKS: Final = 3
LAG_SECONDS: Final = 10.0
AUTOMINE_LAG_BLOCKS: Final = 64
"""Where each transaction makes a block, two looks at the same node are many blocks apart."""

LIKELY_LAGS: Final = 1_000
"""Two heads that are more allowed lags apart than this (hours) are not told apart by who is late:
a node so far behind is no more likely than one that makes its head up."""

_MASK: Final = (1 << WINDOW) - 1


class Circuit(StrEnum):
    """Whether requests go to an endpoint; half open, a probe is under way and nothing else."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Trouble(StrEnum):
    """Why an endpoint is not used."""

    UNVERIFIED = "unverified"
    UNREACHABLE = "unreachable"
    ERRORS = "errors"
    LAGGING = "lagging"
    DISAGREES = "disagrees"
    REFUSED = "refused"

    @property
    def is_lie(self) -> bool:
        """Whether the endpoint answers, and what it says cannot be believed."""
        return self in {Trouble.DISAGREES, Trouble.REFUSED}


@dataclass(frozen=True, slots=True)
class Failure:
    """One exchange without a usable answer.

    `is_costly` when to try again would cost a caller seconds, or there is nobody to try: a
    timeout, a refused connection. One of these opens the circuit.
    """

    text: str
    is_costly: bool


@dataclass(frozen=True, slots=True)
class Health:
    """One endpoint as it was seen; an endpoint is used when its circuit is closed and not before.

    Args:
        circuit: see `Circuit`.
        trouble: what opened it; None while it is closed.
        reason: the same for people.
        since: when it began to be used, or to be in this trouble (monotonic seconds).
        retry_at: when an open circuit may be probed (monotonic seconds).
        openings: how often it opened without a stable time in between.
        failures: lost answers in a row.
        recent: the last exchanges, a bit each, 1 for a lost answer.
    """

    circuit: Circuit = Circuit.OPEN
    trouble: Trouble | None = Trouble.UNVERIFIED
    reason: str = "not asked yet"
    since: float = 0.0
    retry_at: float = 0.0
    openings: int = 0
    failures: int = 0
    recent: int = 0

    @property
    def is_used(self) -> bool:
        """Whether requests go there."""
        return self.circuit is Circuit.CLOSED

    def is_due(self, now: float) -> bool:
        """Whether it is time to probe it."""
        return self.circuit is Circuit.OPEN and now >= self.retry_at

    def answered(self) -> Health:
        """After an answer to a request."""
        if not self.failures and not self.recent:
            return self
        return replace(self, failures=0, recent=(self.recent << 1) & _MASK)

    def failed(self, failure: Failure, now: float, draw: float) -> Health:
        """After a lost answer; `draw` is random in [0, 1)."""
        if self.circuit is Circuit.OPEN:
            return self  # an exchange from before it opened
        failures, recent = self.failures + 1, (self.recent << 1 | 1) & _MASK
        is_probe = self.circuit is Circuit.HALF_OPEN
        if is_probe or failure.is_costly or failures >= FAILURES_IN_A_ROW:
            return self.opened(Trouble.UNREACHABLE, failure.text, now, draw)
        if recent.bit_count() >= FAILURES_IN_WINDOW:
            share = f"{recent.bit_count()} of the last {WINDOW} exchanges failed: {failure.text}"
            return self.opened(Trouble.ERRORS, share, now, draw)
        return replace(self, failures=failures, recent=recent)

    def opened(self, trouble: Trouble, reason: str, now: float, draw: float) -> Health:
        """Not used for a pause, which grows with each opening; then it may be probed."""
        was_stable = self.is_used and now - self.since >= STABLE_SECONDS
        openings = 1 if was_stable else self.openings + 1
        return Health(
            circuit=Circuit.OPEN,
            trouble=trouble,
            reason=reason,
            since=self.since if trouble is self.trouble else now,
            retry_at=now + pause_seconds(trouble, openings, draw),
            openings=openings,
        )

    def probing(self) -> Health:
        """While a probe is under way."""
        return replace(self, circuit=Circuit.HALF_OPEN)

    def closed(self, now: float) -> Health:
        """After a probe that found nothing wrong."""
        return Health(Circuit.CLOSED, None, "", since=now, openings=self.openings)


def pause_seconds(trouble: Trouble, openings: int, draw: float) -> float:
    """How long to wait before the next probe, after so many openings; `draw` in [0, 1)."""
    longest = LONGEST_REFUSAL_PAUSE_SECONDS if trouble.is_lie else LONGEST_OUTAGE_PAUSE_SECONDS
    doublings = min(openings - 1, 16)  # more would only make a huge number to cut off
    pause = min(longest, math.ldexp(FIRST_PAUSE_SECONDS, doublings))
    return pause * (1 - JITTER * draw)


def allowed_lag_blocks(block_time_seconds: float) -> int:
    """How far an endpoint may be behind: `LAG_SECONDS` of blocks, a few where blocks are slow."""
    if block_time_seconds <= 0:
        return AUTOMINE_LAG_BLOCKS
    return max(LEAST_LAG_BLOCKS, math.ceil(LAG_SECONDS / block_time_seconds))


def best_head(heads: Mapping[str, int], allowed_lag: int, followed: int) -> int:
    """The number of the newest block that may be believed.

    A head that stands alone is not believed where two others stand together: one endpoint could
    otherwise make all others look late. `followed` is the newest block that was already used.
    """
    numbers = sorted(heads.values(), reverse=True)
    together = (high for high, low in pairwise(numbers) if high - low <= allowed_lag)
    return max(next(together, numbers[0]), followed)


def misplaced(heads: Mapping[str, int], allowed_lag: int, followed: int) -> dict[str, Trouble]:
    """The endpoints whose head is too far behind or ahead of the one that may be believed.

    It is all of them where the newest head stands alone and impossibly far ahead: nobody can say
    whether it is made up or all others are late.
    """
    if _is_newest_unlikely(heads, allowed_lag, followed):
        return dict.fromkeys(heads, Trouble.DISAGREES)
    best = best_head(heads, allowed_lag, followed)
    found: dict[str, Trouble] = {}
    for name, head in heads.items():
        if best - head > allowed_lag:
            found[name] = Trouble.LAGGING
        elif head - best > allowed_lag:
            found[name] = Trouble.DISAGREES
    return found


def _is_newest_unlikely(heads: Mapping[str, int], allowed_lag: int, followed: int) -> bool:
    # A newest head with another one near it, or one far above two that agree, is settled by those.
    best = best_head(heads, allowed_lag, 0)
    others = sorted(heads.values(), reverse=True)[1:]
    return bool(others) and best - max(others[0], followed) > LIKELY_LAGS * allowed_lag


def outvoted(hashes: Mapping[str, str]) -> set[str]:
    """The endpoints that show another settled block than the majority.

    Without a majority it is all of them: nobody can say which of two nodes lies.
    """
    ((favourite, votes), *others) = Counter(hashes.values()).most_common()
    if not others:
        return set()
    has_majority = 2 * votes > len(hashes)
    return {name for name, shown in hashes.items() if not has_majority or shown != favourite}
