"""What is done to a forked worker before it starts: a planted bug, or another way to fail."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from holdfast.common import crash
from holdfast.common.leader import LeaderLock
from holdfast.common.lease import Lease
from holdfast.common.system_clock import SystemClock
from holdfast.monitoring.store import events
from holdfast.transactions.store import recording

PAUSED = "paused at its boundary"


def pause_instead_of_dying():
    """At HOLDFAST_CRASH_AT the process stands still until SIGCONT, as in a frozen machine."""

    def pause():
        print(PAUSED, flush=True)  # noqa: T201 - to the worker's log
        os.kill(os.getpid(), signal.SIGSTOP)

    crash._kill_own_process = pause


def die_listening():
    """SIGKILL in the transaction that holds what the listener read, before it commits."""
    remember = events.remember

    async def remembered(*arguments, **options):
        await remember(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    events.remember = remembered


def lead_without_the_lock():
    """A second leader: it believes that it leads, whatever lock and lease say, and never stops."""

    @contextlib.asynccontextmanager
    async def held(_):
        yield asyncio.Event()

    async def fence(_, __):
        return

    LeaderLock.held = held
    Lease.require = lambda _: 0
    Lease.fence = fence


def live_an_hour_ahead():
    """The machine's clock is wrong: later than everybody's."""
    _shift_clock(timedelta(hours=1))


def live_an_hour_behind():
    """The machine's clock is wrong: earlier than everybody's."""
    _shift_clock(timedelta(hours=-1))


def _shift_clock(by):
    now = SystemClock.now
    SystemClock.now = lambda clock: now(clock) + by


def broadcast_before_commit():
    """The oldest mistake there is: signed bytes go out before anything remembers them."""
    insert = recording.insert_intents

    async def insert_and_send(session, signed):
        await insert(session, signed)
        for _, _, attempt in signed:
            _send(attempt.raw)

    recording.insert_intents = insert_and_send


def _send(raw):
    profile = Path(os.environ["HOLDFAST_PROFILE"]).read_text()  # noqa: TID251 - a worker's own
    url = urlsplit(json.loads(profile)["rpc_urls"][0])
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_sendRawTransaction",
        "params": [f"0x{raw.hex()}"],
    }
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request("POST", "/", json.dumps(request), {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()
