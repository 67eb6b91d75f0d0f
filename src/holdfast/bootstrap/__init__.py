"""Builds the object graph; the only place that names concrete adapters."""

from holdfast.bootstrap.settings import (
    create_keystore,
    database_url,
    keys_of,
    keystore_keys,
    limits_of,
    profile_of,
)
from holdfast.bootstrap.system import (
    opened,
    opened_chain,
    opened_reporter,
    opened_risk_status,
    opened_switch,
    opened_workers_reporter,
)
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
