"""Alembic's entry point: runs revisions on the connection that `runner` hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context

from holdfast.migrations.tables import all_tables, is_ours

if TYPE_CHECKING:
    from sqlalchemy import Connection


def _migrate() -> None:
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=all_tables(),
        include_name=is_ours,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_migrate()
