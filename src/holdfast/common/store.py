"""Leases as Postgres keeps them, and the word of the database on who may still write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, Table, Text, text

from holdfast.common.db import metadata, stamp

if TYPE_CHECKING:
    from holdfast.common.db import Session

LEASE_SECONDS: Final = 3.0
"""A leader that did not renew its lease for so long may be replaced; three renewals are missed."""

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    # Grows with each new leader and never falls: what an older one writes is refused.
    Column("epoch", BigInteger, nullable=False, server_default=text("1")),
    Column("holder", Text),  # none after the lead was handed over
    stamp("acquired_at"),
    stamp("renewed_at"),
)

TRIGGERS: Final[tuple[str, ...]] = (
    # Two statements on purpose: the second must see what was committed before the lock was ours,
    # and in a volatile function it does.
    """
CREATE OR REPLACE FUNCTION may_write(lease text, held_epoch bigint, write_key bigint)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(write_key);
  RETURN EXISTS (SELECT FROM leases WHERE name = lease AND epoch = held_epoch);
END $$
""".strip(),
)
"""Statements for the migration, safe to run again."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Who leads what: `holder` is host/process id, None after the lead was handed over.

    `led_seconds` since it was taken, `silent_seconds` since it was last renewed.
    """

    name: str
    holder: str | None
    epoch: int
    led_seconds: float
    silent_seconds: float

    @property
    def is_led(self) -> bool:
        """Whether somebody leads, and said so lately."""
        return self.holder is not None and self.silent_seconds <= LEASE_SECONDS


_LEADS = text("""
    SELECT name, holder, epoch,
        CAST(extract(epoch FROM clock_timestamp() - acquired_at) AS float8) AS led_seconds,
        CAST(extract(epoch FROM clock_timestamp() - renewed_at) AS float8) AS silent_seconds
    FROM leases ORDER BY name
""")


async def leads(session: Session) -> list[Lead]:
    """Every lease there ever was, led or not."""
    return [Lead(*row) for row in await session.execute(_LEADS)]


async def lead_of(session: Session, name: str) -> Lead | None:
    """One lease, led or not; None when nobody ever had it."""
    return next((one for one in await leads(session) if one.name == name), None)


_MAY_WRITE = text(
    "SELECT may_write(CAST(:name AS text), CAST(:epoch AS bigint), CAST(:key AS bigint))"
)


async def may_write(session: Session, name: str, epoch: int, key: int) -> bool:
    """Whether `epoch` is the newest of the lease.

    If so it stays true until `session` ends: it holds `key` shared, and the next leader ends every
    transaction that does before it begins.
    """
    found = await session.execute(_MAY_WRITE, {"name": name, "epoch": epoch, "key": key})
    return bool(found.scalar_one())
