"""One leader among many processes, by a lock that dies with its connection."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import make_conninfo

from holdfast.common.db import libpq_url, unavailable
from holdfast.common.errors import Transient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from psycopg.rows import TupleRow

_RETRY_SECONDS = 0.5
_CHECK_SECONDS = 1.0
_CHECK_TIMEOUT_SECONDS = 3.0

# Both ends notice within about six seconds when the network between them dies: until the server
# does, nobody else can lead, and until the client does, it wrongly believes that it leads.
_CLIENT_KEEPALIVE = {
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6_000,
}
_SERVER_KEEPALIVE = (
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
)

_log = structlog.stdlib.get_logger(__name__)


class LeaderLock:
    """The right to be the only one that does `name`, such as `chain:138`.

    The lock belongs to a connection that is opened for it and in no pool: one that went back to a
    pool would keep the lock while nobody leads.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        retry_seconds: float = _RETRY_SECONDS,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        self._url = libpq_url(url)
        self._name = name
        self._key = _lock_key(name)
        self._retry_seconds = retry_seconds
        self._check_seconds = check_seconds

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[asyncio.Event]:
        """Wait until we lead; the event is set when the lead is lost, and leaving gives it up."""
        async with await self._connect() as connection:
            await self._acquire(connection)
            _log.info("leader.acquired", name=self._name)
            lost = asyncio.Event()
            watch = asyncio.create_task(self._watch(connection, lost), name=f"leader.{self._name}")
            try:
                yield lost
            finally:
                watch.cancel()
                await asyncio.wait([watch])

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` while we lead.

        Raises:
            Transient: `leader.lost`; `work` was cancelled and another process may lead by now.
        """
        async with self.held() as lost:
            working = asyncio.ensure_future(work())
            losing = asyncio.ensure_future(lost.wait())
            try:
                await asyncio.wait([working, losing], return_when=asyncio.FIRST_COMPLETED)
            finally:
                losing.cancel()
                is_done = working.done()
                working.cancel()
                await asyncio.wait([working, losing])
            if not is_done:
                raise Transient("leader.lost", f"no longer the leader for {self._name}")
            await working

    async def _connect(self) -> AsyncConnection:
        try:
            return await AsyncConnection.connect(
                make_conninfo(self._url, **_CLIENT_KEEPALIVE),
                autocommit=True,
                application_name=f"holdfast-leader-{self._name}",
                options=_SERVER_KEEPALIVE,
            )
        except OperationalError as error:
            raise unavailable(error) from error

    async def _acquire(self, connection: AsyncConnection) -> None:
        # Asked again and again: a statement that waits for the lock would hold a snapshot all the
        # time and keep PostgreSQL from cleaning up.
        while True:
            row = await self._try(connection)
            if row is not None and row[0]:
                return
            await asyncio.sleep(self._retry_seconds)

    async def _try(self, connection: AsyncConnection) -> TupleRow | None:
        try:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (self._key,))
            return await cursor.fetchone()
        except OperationalError as error:
            raise unavailable(error) from error

    async def _watch(self, connection: AsyncConnection, lost: asyncio.Event) -> None:
        try:
            while True:
                await asyncio.sleep(self._check_seconds)
                async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
                    await connection.execute("SELECT 1")
        except (OperationalError, TimeoutError) as error:
            _log.error("leader.lost", name=self._name, reason=str(error))
            lost.set()


def _lock_key(name: str) -> int:
    """The signed 64-bit number that PostgreSQL knows the lock by."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
