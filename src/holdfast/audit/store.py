"""The table of the record, and the statements that keep it append-only."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    select,
)

from holdfast.audit.model import Entry, Link, start
from holdfast.common.append_only import append_only
from holdfast.common.db import Session, metadata, stamp
from holdfast.common.ids import DealId

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("deal_id", Uuid, primary_key=True),
    # The key refuses a second entry at the same place, should two writers ever meet.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("participant_bank_id", Text, nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # Text, not JSON: the digest is over these very bytes, which JSON columns may rewrite.
    Column("detail", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    stamp("created_at"),
    Index(None, "participant_bank_id", "at"),
)

TRIGGERS: tuple[str, ...] = append_only("audit_entries")
"""Statements for the migration that creates the table, in order."""

_FIELDS = [
    audit_entries.c[name if name != "bank" else "participant_bank_id"]
    for name in (
        "deal_id",
        "seq",
        "bank",
        "chain_id",
        "actor",
        "action",
        "subject",
        "detail",
        "at",
        "previous",
        "digest",
    )
]


async def last_link(session: Session, deal: DealId) -> Link:
    """The end of the deal's chain."""
    query = (
        select(audit_entries.c.seq, audit_entries.c.digest)
        .where(audit_entries.c.deal_id == deal)
        .order_by(audit_entries.c.seq.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return start(deal) if row is None else Link(row.seq, row.digest)


async def lock(session: Session, deal: DealId) -> None:
    """Wait for whoever else locked this record; until the transaction ends."""
    key = func.hashtextextended(f"audit:{deal}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def append(session: Session, entries: Sequence[Entry]) -> None:
    """Write `entries`, which follow the end of their chain."""
    await session.execute(audit_entries.insert(), [_row(entry) for entry in entries])


async def entries_of(session: Session, deal: DealId) -> list[Entry]:
    """The deal's whole record, oldest first."""
    query = select(*_FIELDS).where(audit_entries.c.deal_id == deal).order_by(audit_entries.c.seq)
    return [Entry(*row) for row in await session.execute(query)]


def _row(entry: Entry) -> dict[str, object]:
    row = {name: getattr(entry, name) for name in Entry.__slots__}
    row["participant_bank_id"] = row.pop("bank")
    return row
