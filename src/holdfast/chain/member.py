"""One endpoint of a pool: its exchanges, and its health as they show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import random
from typing import TYPE_CHECKING, Any

import structlog

from holdfast.chain.health import Circuit, Failure, Health, Trouble
from holdfast.chain.transport import LostError, NotSentError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from holdfast.chain.endpoint import Endpoint, Request
    from holdfast.chain.metrics import EndpointMetrics
    from holdfast.common.clock import Clock

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One endpoint for people; `head` is 0 while it is not known, latency None likewise."""

    name: str
    is_private: bool
    circuit: Circuit
    trouble: Trouble | None
    reason: str
    since: datetime
    head: int
    lag_blocks: int
    exchanges: int
    lost: int
    latency_seconds: float | None


class Member:
    """`endpoint` as one of several; `draw` is the luck in its pauses, random in [0, 1)."""

    def __init__(
        self,
        endpoint: Endpoint,
        metrics: EndpointMetrics,
        clock: Clock,
        draw: Callable[[], float] = random,
        *,
        is_private: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._metrics = metrics
        self._clock = clock
        self._draw = draw
        self.timeouts = endpoint.timeouts
        self.is_private = is_private
        self.health = Health(since=clock.monotonic_seconds())
        self.head = 0

    @property
    def name(self) -> str:
        """The endpoint for people; two on one host differ by a number."""
        return self._metrics.name

    def is_due(self) -> bool:
        """Whether it is out and may be probed now."""
        return self.health.is_due(self._clock.monotonic_seconds())

    async def exchange(self, requests: Sequence[Request], seconds: float) -> list[Any]:
        """The answers; raises NotSentError or LostError after noting the failure."""
        try:
            answers = await self._endpoint.exchange(requests, seconds)
        except (NotSentError, LostError) as error:
            await self._failed(error)
            raise
        self.health = self.health.answered()
        return answers

    def probing(self) -> None:
        """A probe is under way."""
        self.health = self.health.probing()

    def passed(self) -> None:
        """A probe found nothing wrong: use it, or go on using it."""
        if self.health.circuit is Circuit.HALF_OPEN:
            self._become(self.health.closed(self._clock.monotonic_seconds()))

    def failed(self, failure: Failure) -> None:
        """It did not do what it was asked for."""
        now = self._clock.monotonic_seconds()
        self._become(self.health.failed(failure, now, self._draw()))

    def take_out(self, trouble: Trouble, reason: str) -> None:
        """Do not use it before a later probe finds it in order."""
        if self.health.circuit is not Circuit.OPEN:
            now = self._clock.monotonic_seconds()
            self._become(self.health.opened(trouble, reason, now, self._draw()))

    def lags(self, blocks: int) -> None:
        """Note how far it is behind."""
        self._metrics.lags(blocks)

    def status(self, best_head: int) -> EndpointStatus:
        """How it is now, beside an endpoint at `best_head`."""
        health, metrics = self.health, self._metrics
        ago = self._clock.monotonic_seconds() - health.since
        return EndpointStatus(
            name=self.name,
            is_private=self.is_private,
            circuit=health.circuit,
            trouble=health.trouble,
            reason=health.reason,
            since=self._clock.now() - timedelta(seconds=ago),
            head=self.head,
            lag_blocks=max(0, best_head - self.head) if self.head else 0,
            exchanges=metrics.exchanges,
            lost=metrics.lost,
            latency_seconds=metrics.mean_seconds,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    async def _failed(self, error: NotSentError | LostError) -> None:
        is_costly = isinstance(error, NotSentError | TimedOutError)
        was_used = self.health.is_used
        self.failed(Failure(f"no usable answer: {error}", is_costly=is_costly))
        if was_used and isinstance(error, TimedOutError):
            # Whoever else waits on such a connection would wait as long: let them go elsewhere.
            await self._endpoint.close()

    def _become(self, health: Health) -> None:
        before, self.health = self.health, health
        if health.is_used and not before.is_used:
            self._metrics.taken_in()
            is_first = before.trouble is Trouble.UNVERIFIED
            (log.debug if is_first else log.info)("chain.endpoint_in", endpoint=self.name)
        elif not health.is_used and health.trouble is not before.trouble:
            trouble = str(health.trouble)
            self._metrics.taken_out(trouble)
            tell = log.error if health.trouble and health.trouble.is_lie else log.warning
            tell("chain.endpoint_out", endpoint=self.name, trouble=trouble, reason=health.reason)
