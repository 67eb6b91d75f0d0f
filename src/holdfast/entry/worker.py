"""The worker process: runs its parts until told to stop, and ends whenever one of them does.

Crash-only: there is no repair inside the process. Whoever supervises it starts it again, and
start-up is recovery.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.errors import Broken, HoldfastError, Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from holdfast.common.ids import DealId
    from holdfast.execution.service import Advance

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_DRAIN_SECONDS: Final = 15.0
_STUCK_EXIT_CODE: Final = 6

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the worker does for as long as it lives."""

    name: str
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Watched:
    """Advances a deal, and has a person told of an error that nobody foresaw."""

    advance: Advance

    async def __call__(self, deal_id: DealId) -> None:
        """Advance the deal; whatever goes wrong is raised on."""
        try:
            await self.advance(deal_id)
        except HoldfastError:
            raise  # foreseen: told of, or tried again
        except Exception as error:
            await self.advance.stand_still.tell_unforeseen(deal_id, error)
            raise


async def run_worker(
    parts: Sequence[Part],
    *,
    drain_seconds: float = _DRAIN_SECONDS,
    give_up: Callable[[], None] | None = None,
) -> None:
    """Run `parts` until SIGTERM or SIGINT, then let them finish what they are doing.

    Args:
        parts: all needed; cancelling one lets it finish its jobs.
        drain_seconds: what does not finish in this time is cut off, as in a crash.
        give_up: ends the process then; also on a second signal.

    Raises:
        BaseExceptionGroup: of what the parts raised; a part that ended by itself is `Broken`,
            `worker.part_ended`, and one that was refused something `worker.part_refused`.
    """
    loop = asyncio.get_running_loop()
    frame = _Frame(drain_seconds, give_up or _leave_at_once)
    for each in _STOP_SIGNALS:
        loop.add_signal_handler(each, frame.stop)
    try:
        await frame.supervise(parts)
    finally:
        frame.close()
        for each in _STOP_SIGNALS:
            loop.remove_signal_handler(each)


class _Frame:
    """The parts of one worker and how far its end has come."""

    def __init__(self, drain_seconds: float, give_up: Callable[[], None]) -> None:
        self._drain_seconds = drain_seconds
        self._give_up = give_up
        self._tasks: list[asyncio.Task[None]] = []
        self._deadline: asyncio.TimerHandle | None = None

    async def supervise(self, parts: Sequence[Part]) -> None:
        _log.info("worker.started", parts=[part.name for part in parts], pid=os.getpid())
        async with asyncio.TaskGroup() as group:
            for part in parts:
                self._tasks.append(group.create_task(self._kept(part), name=part.name))
        _log.info("worker.stopped")

    def stop(self) -> None:
        """Let the parts finish; asked twice, end at once."""
        if self._deadline is not None:
            self._give_up()
            return
        _log.info("worker.stopping")
        self._begin_draining()
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    async def _kept(self, part: Part) -> None:
        try:
            await _unrefused(part)
        except Exception as error:
            # The task group cancels the other parts now: they have as long as after a signal.
            _log.error("worker.part_failed", part=part.name, exc_info=error)
            self._begin_draining()
            raise
        except asyncio.CancelledError:
            if self._is_told_to_end():
                raise
            # Something that it waited for was cancelled: the task group would not notice the end.
            _log.exception("worker.part_failed", part=part.name)
        self._begin_draining()
        raise Broken("worker.part_ended", f"{part.name} ended by itself: start the worker again")

    def _is_told_to_end(self) -> bool:
        task = asyncio.current_task()
        return self._deadline is not None or (task is not None and task.cancelling() > 0)

    def _begin_draining(self) -> None:
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._drain_seconds, self._cut_off)

    def _cut_off(self) -> None:
        late = [task.get_name() for task in self._tasks if not task.done()]
        _log.error("worker.cut_off", late=late)
        self._give_up()


async def _unrefused(part: Part) -> None:
    """Run the part; what refuses its work is none of the settings, which were read before.

    Raises:
        BaseExceptionGroup: of `worker.part_refused`, which has whoever supervises start it again.
    """
    try:
        await part.run()
    except* Rejected as refused:
        raise Broken(
            "worker.part_refused", f"{part.name} was refused something: its log says what"
        ) from refused


def _leave_at_once() -> None:
    os._exit(_STUCK_EXIT_CODE)  # what is under way is safe to repeat; waiting longer helps nobody
