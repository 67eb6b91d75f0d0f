"""What the chain's watch and its followers need of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from holdfast.common.clock import Clock, Sleeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from holdfast.common.alerts import Alert, Ended


class PatientClock(Clock, Sleeper, Protocol):
    """Tells the time and waits."""


class Herald(Protocol):
    """Hands alerts on."""

    async def tell(self, *news: Alert | Ended) -> None:
        """Have people told of what began and what ended.

        Raises:
            Transient: when that has to be tried again.
        """
        ...


class Message(Protocol):
    """One message of a socket."""

    @property
    def data(self) -> object:
        """Its text; anything else was not asked for."""
        ...


class Subscription(Protocol):
    """Opens a socket that a node tells of new blocks on."""

    def __call__(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Its messages as they come, until the node closes it.

        Raises `aiohttp.ClientError`, `OSError` or `TimeoutError` when it is not opened or breaks.
        """
        ...
