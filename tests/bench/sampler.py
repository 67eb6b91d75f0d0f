"""Where this process spends its processor time: sampled by CPU time, told by area."""

import collections
import contextlib
import signal
import time

_EVERY_SECONDS = 0.002

_AREAS = (
    # The innermost frame of a known place decides; what is above it only waits for it.
    ("/site-packages/sqlalchemy/", "SQLAlchemy"),
    ("/site-packages/greenlet", "SQLAlchemy"),
    ("/site-packages/psycopg", "PostgreSQL driver"),
    ("/site-packages/procrastinate/", "job engine"),
    ("/site-packages/aiohttp/", "HTTP and JSON-RPC"),
    ("/site-packages/yarl/", "HTTP and JSON-RPC"),
    ("/site-packages/multidict/", "HTTP and JSON-RPC"),
    ("/site-packages/structlog/", "logging"),
    ("/holdfast/common/log.py", "logging"),
    ("/holdfast/common/redaction.py", "logging"),
    ("/lib/python3.11/logging/", "logging"),
    ("/holdfast/signing/", "signing"),
    ("/site-packages/coincurve/", "signing"),
    ("/site-packages/eth_", "encoding and decoding"),
    ("/holdfast/chain/rpc.py", "HTTP and JSON-RPC"),
    ("/holdfast/chain/transport.py", "HTTP and JSON-RPC"),
    ("/holdfast/chain/", "encoding and decoding"),
    ("/holdfast/protocols/", "encoding and decoding"),
    ("/holdfast/transactions/", "transactions"),
    ("/holdfast/ledger/", "ledger"),
    ("/holdfast/audit/", "audit and authorization"),
    ("/holdfast/authorization/", "audit and authorization"),
    ("/holdfast/monitoring/", "monitoring"),
    ("/holdfast/execution/", "deciding and building legs"),
    ("/holdfast/model/", "deciding and building legs"),
    ("/holdfast/planning/", "deciding and building legs"),
    ("/holdfast/", "other of ours"),
    ("/lib/python3.11/asyncio/", "event loop"),
    ("/lib/python3.11/selectors.py", "event loop"),
)


class Sampler:
    """Counts samples by area, and by function for whoever wants to look closer."""

    def __init__(self):
        self.areas = collections.Counter()
        self.functions = collections.Counter()
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self):
        """Sample the main thread while the block runs; its processor seconds add up."""
        before, spent = signal.signal(signal.SIGPROF, self._take), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
        try:
            yield self
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)
            self.seconds += time.process_time() - spent

    def shares(self):
        """The share of each area, largest first."""
        total = sum(self.areas.values())
        return {area: count / total for area, count in self.areas.most_common()}

    def _take(self, _number, frame):
        code = frame.f_code
        self.functions[f"{code.co_filename.rpartition('/python3.11/')[2]}:{code.co_qualname}"] += 1
        self.areas[_area(frame)] += 1


def _area(frame):
    while frame is not None:
        name = frame.f_code.co_filename
        for part, area in _AREAS:
            if part in name:
                return area
        frame = frame.f_back
    return "other"
