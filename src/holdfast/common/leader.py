"""One leader among many processes: a lock that dies with its connection, and a lease beside it.

The lock alone would leave a frozen leader in the lead for ever: its kernel goes on answering for
it. The lease tells: who does not renew it is cut off from its lock, and the next one leads.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, LiteralString

import structlog
from psycopg import OperationalError

from holdfast.common.db import libpq_url, lone_connection, unavailable
from holdfast.common.errors import Transient
from holdfast.common.fair_share import FairShare
from holdfast.common.lease import Lease, lease_seconds_now, lock_key
from holdfast.common.store import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

_RETRY_SECONDS: Final = 0.5
_RENEW_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 3.0  # for a renewal or a farewell; a server slower than this is gone
_STALE_WRITERS_SECONDS: Final = 0.02  # between two looks whether a cut-off transaction has ended

# Both ends notice within about six seconds when the network between them dies.
_CLIENT_KEEPALIVE = {
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6_000,
}
_SERVER_KEEPALIVE = (
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
)

# Lock and epoch in one statement: nobody sees a leader that holds the one without the other.
_TAKE: Final[LiteralString] = """
    WITH lock AS MATERIALIZED (SELECT pg_try_advisory_lock(%(key)s) AS is_ours)
    INSERT INTO leases (name, holder) SELECT %(name)s, %(holder)s FROM lock WHERE is_ours
    ON CONFLICT (name) DO UPDATE SET epoch = leases.epoch + 1, holder = excluded.holder,
        acquired_at = clock_timestamp(), renewed_at = clock_timestamp()
    RETURNING epoch
"""
_RENEW: Final[LiteralString] = """
    UPDATE leases SET renewed_at = clock_timestamp()
    WHERE name = %(name)s AND epoch = %(epoch)s RETURNING epoch
"""
_HAND_OVER: Final[LiteralString] = """
    UPDATE leases SET holder = NULL WHERE name = %(name)s AND epoch = %(epoch)s
"""
_HOLDS: Final[LiteralString] = """
    l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = %(key)s
"""
# Silent itself too, not only unrenewed: one that took the lock a moment ago, or that runs a
# version without leases, is alive.
_END_FROZEN: Final[LiteralString] = f"""
    SELECT l.pid, pg_terminate_backend(l.pid)
    FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid, leases
    WHERE {_HOLDS} AND leases.name = %(name)s
        AND leases.renewed_at < clock_timestamp() - make_interval(secs => %(seconds)s)
        AND a.state_change < clock_timestamp() - make_interval(secs => %(seconds)s)
"""  # noqa: S608 - constants only
_END_WRITERS: Final[LiteralString] = f"""
    SELECT l.pid, pg_terminate_backend(l.pid) FROM pg_locks AS l WHERE {_HOLDS}
"""  # noqa: S608 - constants only

_log = structlog.stdlib.get_logger(__name__)


class LeaderLock:
    """The right to be the only one that does `name`, such as `chain:138`.

    The lock belongs to a connection that is opened for it and in no pool: one that went back to a
    pool would keep the lock while nobody leads.

    Attributes:
        lease: what work under this lead asks before it does something.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        retry_seconds: float = _RETRY_SECONDS,
        renew_seconds: float = _RENEW_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        share: FairShare | None = None,
    ) -> None:
        self.lease = Lease(name)
        self._url = libpq_url(url)
        self._name = name
        self._share = share or FairShare()
        self._retry_seconds = retry_seconds
        self._renew_seconds = renew_seconds
        self._values = {
            "name": name,
            "key": lock_key(name),
            "seconds": lease_seconds,
            "holder": f"{socket.gethostname()}/{os.getpid()}",
        }

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[asyncio.Event]:
        """Wait until we lead; the event is set when the lead is lost, and leaving gives it up."""
        async with self._connected() as connection:
            epoch = await self._acquire(connection)
            _log.info("leader.acquired", name=self._name, epoch=epoch)
            lost = asyncio.Event()
            watch = asyncio.create_task(
                self._watch(connection, epoch, lost), name=f"leader.{self._name}"
            )
            try:
                yield lost
            finally:
                # First what needs no waiting: a second cancellation may end any wait.
                self.lease.end()
                self._share.one_less()
                watch.cancel()
                await asyncio.wait([watch])
                await self._hand_over(connection, epoch)

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

    def _connected(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return lone_connection(
            self._url,
            name=f"holdfast-leader-{self._name}",
            options=_SERVER_KEEPALIVE,
            **_CLIENT_KEEPALIVE,
        )

    async def _acquire(self, connection: AsyncConnection) -> int:
        # Asked again and again: a statement that waits for the lock would hold a snapshot all the
        # time and keep PostgreSQL from cleaning up.
        while True:
            epoch = await self._share.one_more(functools.partial(self._take, connection))
            if epoch is not None:
                return epoch
            frozen = await self._ask(connection, _END_FROZEN, self._values)
            if frozen is not None:
                _log.warning("leader.frozen_cut_off", name=self._name, backend=frozen[0])
            await asyncio.sleep(self._retry_seconds)

    async def _take(self, connection: AsyncConnection) -> int | None:
        asked = lease_seconds_now()
        taken = await self._ask(connection, _TAKE, self._values)
        if taken is None:
            return None
        await self._end_stale_writers(connection)
        self.lease.begin(taken[0], asked)
        return int(taken[0])

    async def _end_stale_writers(self, connection: AsyncConnection) -> None:
        """End what earlier leaders began to write; whatever they begin from now on is refused."""
        of_writers = {**self._values, "key": self.lease.write_key}
        while True:
            writer = await self._ask(connection, _END_WRITERS, of_writers)
            if writer is None:
                return
            _log.warning("leader.writer_cut_off", name=self._name, backend=writer[0])
            await asyncio.sleep(_STALE_WRITERS_SECONDS)

    async def _ask(
        self, connection: AsyncConnection, query: LiteralString, values: Mapping[str, object]
    ) -> TupleRow | None:
        try:
            cursor = await connection.execute(query, values)
            return await cursor.fetchone()
        except OperationalError as error:
            raise unavailable(error) from error

    async def _watch(self, connection: AsyncConnection, epoch: int, lost: asyncio.Event) -> None:
        try:
            while True:
                await self._renew(connection, epoch)
                await asyncio.sleep(self._renew_seconds)
        except (Transient, TimeoutError) as error:
            _log.error("leader.lost", name=self._name, reason=str(error))
        finally:  # also after what nobody foresaw: nothing renews the lease any more
            self.lease.end()
            lost.set()

    async def _renew(self, connection: AsyncConnection, epoch: int) -> None:
        asked = lease_seconds_now()
        async with asyncio.timeout(_ANSWER_SECONDS):
            answer = await self._ask(connection, _RENEW, {**self._values, "epoch": epoch})
        if answer is None:
            raise Transient("leader.lost", "a newer leader has begun")
        self.lease.renew(asked)

    async def _hand_over(self, connection: AsyncConnection, epoch: int) -> None:
        """Say that nobody leads; the lock itself is free when the connection closes."""
        with suppress(OperationalError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.execute(_HAND_OVER, {**self._values, "epoch": epoch})
