"""Every table of every feature, gathered in the one metadata by importing the stores."""

from __future__ import annotations

import importlib.util
import pkgutil
from typing import TYPE_CHECKING

import holdfast
from holdfast.common.db import metadata

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def all_tables() -> MetaData:
    """The metadata, complete: found by file name, so that no feature's store can be forgotten."""
    for feature in pkgutil.iter_modules(holdfast.__path__, "holdfast."):
        if feature.ispkg and importlib.util.find_spec(f"{feature.name}.store") is not None:
            importlib.import_module(f"{feature.name}.store")
    return metadata


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Alembic's name filter: the job engine's tables are its own, revision 0001 carries them."""
    return kind != "table" or name is None or not name.startswith("procrastinate_")
