"""Figures for a monitoring system: one registry a process, served to this machine alone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from holdfast.common.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HOST: Final = "127.0.0.1"
"""Nobody is asked for a password here, so only this machine may ask."""

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
"""Histogram buckets for answers of nodes and databases: from a loopback call to a timeout."""

_log = structlog.stdlib.get_logger(__name__)


def new_registry() -> CollectorRegistry:
    """A registry with the figures of the process itself; features add theirs to it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """Serves `registry` at `http://127.0.0.1:<port>/metrics`; port 0 takes a free one."""

    registry: CollectorRegistry
    port: int

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[int]:
        """Serve while the block runs; gives the port.

        Raises:
            Rejected: `metrics.port` when the port cannot be had.
        """
        try:
            server, thread = start_http_server(self.port, addr=HOST, registry=self.registry)
        except OSError as error:
            raise Rejected(
                "metrics.port",
                f"port {self.port} cannot be served ({error.strerror}): give each worker of a "
                "machine its own HOLDFAST_METRICS_PORT",
                value=self.port,
            ) from error
        _log.info("metrics.serving", port=server.server_port)
        try:
            yield server.server_port
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join()
