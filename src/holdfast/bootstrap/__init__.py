"""Builds the object graph; the only place that names concrete adapters.

A part is imported when it is asked for: the kill switch must not wait for what talks to chains.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.bootstrap.records import (
        database_url,
        opened_reporter,
        opened_risk_status,
        opened_switch,
        opened_workers_reporter,
    )
    from holdfast.bootstrap.settings import (
        create_keystore,
        keys_of,
        keystore_keys,
        limits_of,
        profile_of,
    )
    from holdfast.bootstrap.system import opened, opened_chain
    from holdfast.bootstrap.whole import System

__all__ = [
    "System",
    "create_keystore",
    "database_url",
    "keys_of",
    "keystore_keys",
    "limits_of",
    "opened",
    "opened_chain",
    "opened_reporter",
    "opened_risk_status",
    "opened_switch",
    "opened_workers_reporter",
    "profile_of",
]

_PARTS: Final[Mapping[str, str]] = {
    "System": "whole",
    "opened": "system",
    "opened_chain": "system",
    **dict.fromkeys(
        ("create_keystore", "keys_of", "keystore_keys", "limits_of", "profile_of"), "settings"
    ),
}
"""The module of each name; all others are of `records`."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - each of its own type, told above
    if name not in __all__:
        raise AttributeError(name)
    part = importlib.import_module(f"{__name__}.{_PARTS.get(name, 'records')}")
    return getattr(part, name)
