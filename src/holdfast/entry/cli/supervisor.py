"""Starts a worker again whenever it ends by itself: recovery is a start, so somebody must start it.

For a place without systemd or an orchestrator. It does nothing else, so little in it can fail.
"""

from __future__ import annotations

import asyncio
import math
import random
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import structlog

from holdfast.entry.cli.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from holdfast.common.clock import Clock

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_FINAL: Final = frozenset({ExitCode.DONE, ExitCode.USAGE})
"""Ends that a further start would only repeat: asked to end, wrongly called."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to wait before the next start, in seconds.

    Args:
        first: after the first quick end; doubled with each one that follows.
        longest: the most it grows to.
        settled: who ran for so long was set up rightly: a refusal is none of its settings. On a
            machine that is busy a start alone has taken 15 seconds.
        well: who ran for so long was well, and is started again as after the first end.
        jitter: the part that chance adds, so that workers which lost one database do not all
            come back at the same moment.
    """

    first: float = 0.2
    longest: float = 10.0
    settled: float = 60.0
    well: float = 30.0
    jitter: float = 0.3

    def before_start(self, ends: int) -> float:
        """The pause after `ends` quick ends in a row, at least one."""
        pause = min(self.longest, math.ldexp(self.first, min(ends - 1, 30)))
        return pause * (1 + random.uniform(0, self.jitter))  # noqa: S311 - spreads load only


class Child(Protocol):
    """A process that was started; `returncode` is None while it runs."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def returncode(self) -> int | None:
        """What it ended with; negative for the signal that killed it."""
        ...

    def send_signal(self, signal: int) -> None:
        """Send it a signal."""
        ...

    async def wait(self) -> int:
        """Its return code, once it has ended."""
        ...


Start: TypeAlias = "Callable[[Sequence[str]], Awaitable[Child]]"


async def start_process(command: Sequence[str]) -> Child:
    """`command` as a process in a session of its own.

    A terminal's Ctrl-C would otherwise reach it twice, and the second signal means that it shall
    not finish what it does.
    """
    return await asyncio.create_subprocess_exec(*command, start_new_session=True)


@dataclass(slots=True)
class Supervisor:
    """Keeps one process of `command` running until it is told to stop."""

    command: Sequence[str]
    clock: Clock
    pauses: Pauses = field(default_factory=Pauses)
    start: Start = start_process
    _child: Child | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        """Start it, and again whenever it ends by itself; returns its last exit code.

        SIGTERM and SIGINT are passed on, and end this too.
        """
        loop = asyncio.get_running_loop()
        for each in _STOP_SIGNALS:
            loop.add_signal_handler(each, self._stop, each)
        try:
            return await self._keep_running()
        finally:
            for each in _STOP_SIGNALS:
                loop.remove_signal_handler(each)

    async def _keep_running(self) -> int:
        ends = 0
        was_settled = False
        while True:
            started = self.clock.monotonic_seconds()
            code = await self._one_life()
            lived = self.clock.monotonic_seconds() - started
            was_settled = was_settled or lived >= self.pauses.settled
            is_refused = code == ExitCode.REJECTED and not was_settled
            if code in _FINAL or is_refused or self._stopping.is_set():
                return code
            ends = 1 if lived >= self.pauses.well else ends + 1
            pause = self.pauses.before_start(ends)
            _log.warning(
                "supervisor.restarting",
                exit_code=code,
                lived_seconds=round(lived, 1),
                wait_seconds=round(pause, 2),
            )
            if await self._told_to_stop_within(pause):
                return code

    async def _one_life(self) -> int:
        self._child = await self.start(self.command)
        _log.info("supervisor.started", pid=self._child.pid)
        if self._stopping.is_set():  # told while there was no process yet to tell
            self._child.send_signal(signal.SIGTERM)
        return await self._child.wait()

    async def _told_to_stop_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    def _stop(self, number: signal.Signals) -> None:
        self._stopping.set()
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(number)
