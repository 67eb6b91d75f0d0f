"""Applies, shows and compares schema revisions on one database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script

from holdfast.common.errors import Broken
from holdfast.migrations.revisions import VERSIONS, newest
from holdfast.migrations.tables import all_tables, is_ours

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sqlalchemy import Connection

    from holdfast.common.db import Database, Session

_LOCK = 0x686F6C6466617374  # "holdfast": two processes that upgrade at once take turns
_HEAD = "head"


async def upgrade(database: Database, revision: str = _HEAD) -> None:
    """Bring the schema up to `revision`, in one transaction: all of it or nothing."""
    async with _unhurried(database) as session:
        await session.run_sync(_run, revision, is_upgrade=True)


async def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to `revision`; `base` is an empty database."""
    async with _unhurried(database) as session:
        await session.run_sync(_run, revision, is_upgrade=False)


async def differences(database: Database) -> list[str]:
    """What the tables in code and the tables in the database disagree about; empty when nothing."""
    async with _unhurried(database) as session:
        return await session.run_sync(_differences)


async def draft(database: Database, message: str, folder: Path | None = None) -> Path:
    """A new revision, filled with what `differences` found; to be cleaned and completed by hand.

    Args:
        database: at the newest revision.
        message: the first line of the revision's docstring.
        folder: where to write it, beside the other revisions unless given.
    """
    async with _unhurried(database) as session:
        return await session.run_sync(_draft, message, folder or VERSIONS)


def _draft(connection: Connection, message: str, folder: Path) -> Path:
    config = _config(connection)
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{VERSIONS}\n{folder}")
    number = f"{int(newest()) + 1:04d}"
    script = command.revision(
        config, message=message, autogenerate=True, rev_id=number, version_path=str(folder)
    )
    if not isinstance(script, Script):
        raise Broken("database.draft", "Alembic wrote no single revision")
    return Path(script.path)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "holdfast:migrations")
    config.attributes["connection"] = connection
    return config


@asynccontextmanager
async def _unhurried(database: Database) -> AsyncGenerator[Session]:
    """A transaction in which a slow machine may import every revision between two statements."""
    async with database.begin() as session:
        await session.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '60s'")
        yield session


def _run(connection: Connection, revision: str, *, is_upgrade: bool) -> None:
    # A revision may rewrite a table: the limits on everyday transactions do not apply here.
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if is_upgrade:
        command.upgrade(_config(connection), revision)
    else:
        command.downgrade(_config(connection), revision)


def _differences(connection: Connection) -> list[str]:
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": is_ours,
        "target_metadata": all_tables(),
    }
    context = MigrationContext.configure(connection, opts=options)
    return [_named(difference) for difference in compare_metadata(context, all_tables())]


def _named(difference: Any) -> str:  # noqa: ANN401 - nested lists of tuples, by kind
    """One difference in words: what to do and to which table, column, index or constraint."""
    if isinstance(difference, list):  # changes of one column come together
        return "; ".join(_named(each) for each in cast("list[object]", difference))
    what, *subjects = difference
    names = [getattr(subject, "name", subject) for subject in subjects]
    return " ".join([what, *(str(name) for name in names if isinstance(name, str))])
