"""The database edge: the one metadata, the column types, and short transactions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from sqlalchemy import MetaData, Numeric, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg import AsyncConnection as PsycopgConnection
    from sqlalchemy.engine import Dialect

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


class Units(TypeDecorator[int]):
    """Base units as `numeric(78,0)`: any uint256 or its negative, exact."""

    impl = Numeric(78, 0)
    cache_ok = True

    @override
    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class Database:
    """A sized pool of connections to one Postgres."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls, url: str, *, pool_size: int = 8, max_overflow: int = 4) -> Database:
        """A pool for `url` (`postgresql+psycopg://...`); connects on first use."""
        return cls(
            create_async_engine(
                url, pool_size=pool_size, max_overflow=max_overflow, pool_pre_ping=True
            )
        )

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for migrations and for connections outside the pool."""
        return self._engine

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        async with self._engine.begin() as session:
            yield session

    async def close(self) -> None:
        """Close every connection of the pool."""
        await self._engine.dispose()


async def raw_connection(session: Session) -> PsycopgConnection[Any]:
    """The psycopg connection under `session`, in the same transaction."""
    pooled = await session.get_raw_connection()
    return cast("PsycopgConnection[Any]", pooled.driver_connection)
