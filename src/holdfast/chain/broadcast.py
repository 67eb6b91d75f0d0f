"""One broadcast to several endpoints: whoever takes it first ends the wait for the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from holdfast.chain.gathering import is_taken
from holdfast.chain.sending import Silence
from holdfast.chain.transport import LostError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.endpoint import Request
    from holdfast.chain.member import Member

LATE_ANSWER_SECONDS: Final = 1.0
"""For the other endpoints' answers to a broadcast that one has taken already."""


class Broadcasts:
    """Broadcasts of one pool; one that is answered still reaches the endpoints that are slow."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[list[Any] | None]] = set()

    async def send(self, requests: Sequence[Request], members: Sequence[Member]) -> list[list[Any]]:
        """What `members` answer, each to all of `requests`; none of those that were not reached.

        Returns as soon as one endpoint took everything and the others had a moment to answer.
        """
        tasks = [asyncio.create_task(_sent(member, requests)) for member in members]
        self._under_way.update(tasks)
        for task in tasks:
            task.add_done_callback(self._under_way.discard)
        return await _first_taken(tasks)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _sent(member: Member, requests: Sequence[Request]) -> list[Any] | None:
    """The endpoint's answers; None when nothing was sent to it."""
    try:
        return await member.exchange(requests, member.timeouts.send_seconds)
    except NotSentError:
        return None
    except LostError as error:
        silence = Silence(0, f"{member.name} did not answer what was sent: {error}")
        return [silence] * len(requests)


async def _first_taken(tasks: Sequence[asyncio.Task[list[Any] | None]]) -> list[list[Any]]:
    """The answers of all, or of those that came soon after everything was taken by some."""
    answers: list[list[Any]] = []
    pending = set(tasks)
    while pending:
        is_all_taken = bool(answers) and all(
            any(is_taken(one) for one in each) for each in zip(*answers, strict=True)
        )
        done, pending = await asyncio.wait(
            pending,
            timeout=LATE_ANSWER_SECONDS if is_all_taken else None,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not done:
            break
        answers += [answer for task in done if (answer := task.result()) is not None]
    return answers
