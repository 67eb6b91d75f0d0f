"""Which revision a database is at and which this version needs, without Alembic.

Every command asks, and Alembic would import all revisions to answer.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.errors import Rejected

if TYPE_CHECKING:
    from holdfast.common.db import Database

_log = structlog.stdlib.get_logger(__name__)

VERSIONS: Final = Path(__file__).parent / "versions"
"""A file for each revision, whose name begins with it; they follow one another by number."""


async def current(database: Database) -> str | None:
    """The revision that the database is at; None before the first."""
    async with database.begin() as session:
        table = await session.exec_driver_sql("SELECT to_regclass('alembic_version')")
        if table.scalar_one() is None:
            return None
        found = await session.exec_driver_sql("SELECT version_num FROM alembic_version")
        return found.scalar_one_or_none()


def newest() -> str:
    """The revision that this version of the program needs."""
    return max(_known())


def is_newer(revision: str | None) -> bool:
    """Whether a database is at a revision of a later version, which only added to the schema."""
    return revision is not None and revision not in _known()


async def require_newest(database: Database) -> None:
    """Refuse to work on a schema that lacks what this version needs.

    A newer one is worked on: revisions only add, so that workers of two versions can run at once.

    Raises:
        Rejected: `database.schema` with the revision found and the one needed.
    """
    found = await current(database)
    if is_newer(found):
        _log.warning("database.newer_schema", found=found, known=newest())
    elif found != newest():
        raise Rejected(
            "database.schema",
            f"the database is at revision {found or 'none'} and this version needs {newest()}: "
            "run `holdfast db upgrade`",
            found=found,
            needed=newest(),
        )


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(file.name.partition("_")[0] for file in VERSIONS.glob("[0-9]*_*.py"))
