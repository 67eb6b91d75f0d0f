"""Every table of every feature, gathered in the one metadata by importing the stores."""

from __future__ import annotations

import importlib.util
import pkgutil
from typing import TYPE_CHECKING

import holdfast
from holdfast.common.db import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from sqlalchemy import MetaData


def all_tables() -> MetaData:
    """The metadata, complete."""
    for _store in _stores():
        pass
    return metadata


def all_triggers() -> list[str]:
    """The statements beside the tables that stores declare as `TRIGGERS`, safe to run again."""
    statements = [statement for store in _stores() for statement in getattr(store, "TRIGGERS", ())]
    return list(dict.fromkeys(statements))


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Alembic's name filter: the job engine's tables are its own, revision 0001 carries them."""
    return kind != "table" or name is None or not name.startswith("procrastinate_")


def _stores() -> Iterator[ModuleType]:
    """Every feature's `store`, file or folder: found by name, so that none can be forgotten."""
    for feature in pkgutil.iter_modules(holdfast.__path__, "holdfast."):
        if feature.ispkg and importlib.util.find_spec(f"{feature.name}.store") is not None:
            store = importlib.import_module(f"{feature.name}.store")
            yield store
            for part in pkgutil.iter_modules(getattr(store, "__path__", []), f"{store.__name__}."):
                yield importlib.import_module(part.name)
