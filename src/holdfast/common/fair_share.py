"""Spreads the leads of one kind over the processes that could take them all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MODEST_SECONDS: Final = 1.0
"""Two tries of a process that leads nothing: it comes first."""


class FairShare:
    """The leads that one process holds, which make it slower to take one more.

    Whoever leads already leaves the others time to take theirs, and takes it if they do not: in a
    process alone with eight shards the last one is led after eight seconds. Nothing is given up
    for one that comes later.
    """

    def __init__(self) -> None:
        self._held = 0
        self._turn = asyncio.Lock()

    async def one_more(self, take: Callable[[], Awaitable[int | None]]) -> int | None:
        """What `take` returns; None also when another lead was taken while this one waited."""
        held = self._held
        if held > 0:
            await asyncio.sleep(_MODEST_SECONDS)
        async with self._turn:
            if self._held > held:
                return None
            epoch = await take()
            self._held += epoch is not None
            return epoch

    def one_less(self) -> None:
        """A lead was given up or lost."""
        self._held -= 1
