"""The ledger in Postgres."""

from holdfast.ledger.store.journal import (
    STANDING_SQL,
    Standing,
    balances_of,
    core_booked,
    digests,
    insert_entries,
    lock_core,
    standing,
)
from holdfast.ledger.store.reconciliations import (
    insert_reconciliation,
    insert_settlement,
    last_missing,
)
from holdfast.ledger.store.reversals import untrue_entries
from holdfast.ledger.store.tables import TRIGGERS

__all__ = [
    "STANDING_SQL",
    "TRIGGERS",
    "Standing",
    "balances_of",
    "core_booked",
    "digests",
    "insert_entries",
    "insert_reconciliation",
    "insert_settlement",
    "last_missing",
    "lock_core",
    "standing",
    "untrue_entries",
]
