"""A word between processes at commit: PostgreSQL's NOTIFY, with a poll for when it is lost."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from psycopg import OperationalError, sql

from holdfast.common.db import libpq_url, lone_connection, raw_connection, unavailable
from holdfast.common.errors import Transient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from psycopg import AsyncConnection

    from holdfast.common.db import Session

_POLL_SECONDS = 1.0  # word comes at once, and waits where nobody listens: this is for bugs alone


async def notify(session: Session, channel: str) -> None:
    """Tell whoever listens on `channel`, when and only when `session` commits."""
    connection = await raw_connection(session)
    await connection.execute("SELECT pg_notify(%s, '')", (channel,))


class Signal:
    """Listens on one channel; use it as a context manager.

    The notification carries nothing: whoever is woken reads the truth from the tables, and so a
    poll that comes without one does no harm.
    """

    def __init__(self, url: str, channel: str, *, poll_seconds: float = _POLL_SECONDS) -> None:
        self._url = libpq_url(url)
        self._channel = channel
        self._poll_seconds = poll_seconds
        self._connection: AsyncConnection | None = None
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen from here on; `database.unavailable` when the database does not answer."""
        name = f"holdfast-listen-{self._channel}"
        listen = sql.SQL("LISTEN {}").format(sql.Identifier(self._channel))
        async with AsyncExitStack() as stack:
            connected = lone_connection(self._url, name=name)
            connection = await stack.enter_async_context(connected)
            try:
                await connection.execute(listen)
            except OperationalError as error:
                raise unavailable(error) from error
            self._connection, self._opened = connection, stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        await self._opened.aclose()

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Whether word came within `timeout_seconds`; all that came before counts as one.

        Raises:
            Transient: `signal.lost`, when the connection is gone: leave and listen anew.
        """
        if self._connection is None:
            raise Transient("signal.closed", "listen with `async with` before waiting")
        seconds = self._poll_seconds if timeout_seconds is None else timeout_seconds
        heard = False
        try:
            async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                heard = True
        except OperationalError as error:
            raise Transient("signal.lost", f"no longer listening: {error}") from error
        return heard

    async def ticks(self) -> AsyncGenerator[bool]:
        """Yield at once, then whenever word comes or the poll is due; True when word came."""
        yield False
        while True:
            yield await self.wait()
