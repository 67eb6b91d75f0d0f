"""What each endpoint is asked, how it answers and whether it is used, as figures."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from holdfast.chain.transport import LostError, NotSentError, TimedOutError
from holdfast.common.metrics import SECONDS

if TYPE_CHECKING:
    from collections.abc import Generator


class ChainMetrics:
    """The figures of one chain's endpoints, in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        by_endpoint = ("endpoint",)
        self.requests = Counter(
            "holdfast_rpc_requests",
            "Requests handed to an endpoint, each of a batch counted.",
            by_endpoint,
            registry=registry,
        )
        self.errors = Counter(
            "holdfast_rpc_errors",
            "Exchanges without a usable answer: not_sent, timeout or lost.",
            ("endpoint", "kind"),
            registry=registry,
        )
        self.seconds = Histogram(
            "holdfast_rpc_exchange_seconds",
            "Time from request to answer of one exchange.",
            by_endpoint,
            registry=registry,
            buckets=SECONDS,
        )
        self.used = Gauge(
            "holdfast_rpc_endpoint_used",
            "1 while requests go to the endpoint, 0 while it is out.",
            by_endpoint,
            registry=registry,
        )
        self.lag = Gauge(
            "holdfast_rpc_lag_blocks",
            "Blocks behind the newest one that any endpoint shows.",
            by_endpoint,
            registry=registry,
        )
        self.openings = Counter(
            "holdfast_rpc_circuit_openings",
            "How often an endpoint was taken out, by the trouble it was in.",
            ("endpoint", "trouble"),
            registry=registry,
        )

    def endpoint(self, name: str) -> EndpointMetrics:
        """The figures of the endpoint `name`."""
        return EndpointMetrics(self, name)


class EndpointMetrics:
    """One endpoint's figures; totals are kept beside them for `holdfast chain status`."""

    def __init__(self, chain: ChainMetrics, name: str) -> None:
        self.name = name
        self.exchanges = 0
        self.lost = 0
        self.total_seconds = 0.0
        self._chain = chain
        self._requests = chain.requests.labels(name)
        self._seconds = chain.seconds.labels(name)
        self._used = chain.used.labels(name)
        self._lag = chain.lag.labels(name)

    @property
    def mean_seconds(self) -> float | None:
        """What an exchange took on average; None before the first."""
        return self.total_seconds / self.exchanges if self.exchanges else None

    @contextmanager
    def exchange(self, requests: int) -> Generator[None]:
        """Measure one exchange of so many requests."""
        self._requests.inc(requests)
        began = perf_counter()
        try:
            yield
        except (NotSentError, LostError) as error:
            self.lost += 1
            self._chain.errors.labels(self.name, _kind(error)).inc()
            raise
        finally:
            seconds = perf_counter() - began
            self.exchanges += 1
            self.total_seconds += seconds
            self._seconds.observe(seconds)

    def taken_out(self, trouble: str) -> None:
        """The endpoint is not used any more."""
        self._used.set(0)
        self._chain.openings.labels(self.name, trouble).inc()

    def taken_in(self) -> None:
        """The endpoint is used."""
        self._used.set(1)

    def lags(self, blocks: int) -> None:
        """How far the endpoint is behind."""
        self._lag.set(blocks)


def _kind(error: NotSentError | LostError) -> str:
    match error:
        case NotSentError():
            return "not_sent"
        case TimedOutError():
            return "timeout"
        case _:
            return "lost"
