"""The tables of transactions and every statement over them."""

from holdfast.transactions.store.tables import (
    TRIGGERS,
    attempts,
    cursors,
    intents,
    receipts,
    shard_places,
    signers,
)

__all__ = ["TRIGGERS", "attempts", "cursors", "intents", "receipts", "shard_places", "signers"]
