"""The database edge: the one metadata, the column types, and short transactions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import psycopg
from psycopg import AsyncConnection as PsycopgConnection
from psycopg.conninfo import make_conninfo
from psycopg.errors import IdleInTransactionSessionTimeout
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    Text,
    TypeDecorator,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncTransaction,
    create_async_engine,
)
from typing_extensions import override

from holdfast.common.errors import Ambiguous, Broken, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable
    from datetime import datetime
    from enum import StrEnum

    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

Session: TypeAlias = AsyncConnection
"""One open transaction; application code never commits, the boundary (`Database.begin`) does."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Json = JSONB

# A transaction is short by design; one that is not must end before it stops other deals: that of a
# worker that froze in the middle holds its deal's row until the server gives up on it. Our
# statements find a few rows by a key, whichever key it is: planning them anew for each value was a
# fifth of the server's time.
_SESSION_OPTIONS = (
    "-c lock_timeout=10s -c statement_timeout=30s -c idle_in_transaction_session_timeout=5s"
    " -c timezone=UTC -c plan_cache_mode=force_generic_plan"
)

_PREPARED_AFTER = 1  # uses on one connection: nearly all our statements come again and again


class Units(TypeDecorator[int]):
    """Base units as `numeric(78,0)`: any uint256 or its negative, exact."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Numeric(78, 0)
    cache_ok: bool | None = True

    @override
    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


def stamp(name: str) -> Column[datetime]:
    """The column of a moment: the beginning of the transaction that wrote the row, unless told."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def stamps() -> tuple[Column[datetime], Column[datetime], Column[int]]:
    """What every row that changes has: when it was made, when it changed, and how often."""
    version = Column("version", Integer, nullable=False, server_default=text("1"))
    return stamp("created_at"), stamp("updated_at"), version


def block_columns() -> tuple[Column[int], Column[str], Column[int]]:
    """The block that a row tells of: its number, its hash, and its timestamp in seconds."""
    return (
        Column("block_number", BigInteger, nullable=False),
        Column("block_hash", Text, nullable=False),
        Column("block_timestamp", BigInteger, nullable=False),
    )


def listed(values: Iterable[StrEnum]) -> str:
    """The values as an SQL list, for a condition that a schema keeps: in a stable order."""
    return ", ".join(f"'{value}'" for value in sorted(values))


class Database:
    """A sized pool of connections to one Postgres."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._is_closed = False

    @classmethod
    def connect(cls, url: str, *, pool_size: int = 8, max_overflow: int = 4) -> Database:
        """A pool for `url` (`postgresql+psycopg://...`); connects on first use."""
        return cls(
            create_async_engine(
                url,
                pool_size=pool_size,
                max_overflow=max_overflow,
                # No ping before each use, a quarter of a short transaction's cost: the first to
                # meet a dead connection is `Transient`, and the pool drops all its elders.
                pool_pre_ping=False,
                connect_args={
                    "options": _SESSION_OPTIONS,
                    "application_name": "holdfast",
                    "prepare_threshold": _PREPARED_AFTER,
                },
            )
        )

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for migrations and for connections outside the pool."""
        return self._engine

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            Transient: `database.unavailable`; the database refused or was lost before the commit,
                so nothing was written.
            Ambiguous: `database.commit_unknown`; it was lost during the commit.
            Broken: `database.closed`; whoever opened the pool has closed it.
        """
        if self._is_closed:  # the engine would connect anew, and nobody would close that again
            raise Broken("database.closed", "the database is used after it was closed")
        try:
            async with self._engine.connect() as session:
                # Begun by hand: a block that writes through the raw connection alone commits too.
                transaction = await session.begin()
                yield session  # leaving with an error closes the connection, which rolls back
                await _commit(transaction)
        except (OperationalError, InterfaceError) as error:
            raise unavailable(error.orig or error) from error
        except InternalError as error:
            # We stood still for too long, and the server rolled back and hung up.
            if isinstance(error.orig, IdleInTransactionSessionTimeout):
                raise unavailable(error.orig) from error
            raise

    async def close(self) -> None:
        """Close every connection of the pool, which opens no other."""
        self._is_closed = True
        await self._engine.dispose()


async def raw_connection(session: Session) -> PsycopgConnection[Any]:
    """The psycopg connection under `session`, in the same transaction."""
    pooled = await session.get_raw_connection()
    return cast("PsycopgConnection[Any]", pooled.driver_connection)


@asynccontextmanager
async def lone_connection(
    url: str, *, name: str, **parameters: str | int
) -> AsyncGenerator[PsycopgConnection[Any]]:
    """A connection of its own, in no pool and without transactions; closed whatever happens.

    Args:
        url: as the driver itself takes it.
        name: that the server's list of connections shows.
        parameters: of the connection, such as keepalives.

    Raises:
        Transient: `database.unavailable` when it cannot be opened.
    """
    try:
        connection = await PsycopgConnection.connect(
            make_conninfo(url, application_name=name, **parameters), autocommit=True
        )
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    try:
        yield connection
    finally:
        # Waits for nothing, so that no cancellation stops it. The driver's own `async with` rolls
        # back first: cancelled there, it leaves the connection open.
        await connection.close()


def libpq_url(url: str) -> str:
    """The same address without SQLAlchemy's driver name, for psycopg itself."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def unavailable(error: BaseException) -> Transient:
    """What a driver's failure to reach the database is to everybody else."""
    return Transient("database.unavailable", f"the database did not answer: {error}")


async def _commit(transaction: AsyncTransaction) -> None:
    try:
        await transaction.commit()
    except (OperationalError, InterfaceError) as error:
        if not error.connection_invalidated:
            raise  # the server answered that it did not commit
        raise Ambiguous(
            "database.commit_unknown",
            "the database was lost during a commit: read again what was written",
        ) from error
