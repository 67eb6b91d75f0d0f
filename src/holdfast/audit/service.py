"""Recording and verifying what was done to a deal."""

from uuid import UUID

from holdfast.audit import store
from holdfast.audit.model import Act, Entry, Link, sealed, verified
from holdfast.common.clock import Clock
from holdfast.common.db import Session
from holdfast.common.ids import DealId

DESK = DealId(UUID(int=0))
"""Whose record has what people did about no deal in particular."""


class AuditTrail:
    """The record of every deal; one hash chain per deal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def record(self, session: Session, first: Act, *more: Act) -> Link:
        """Append these acts, all of one deal, in the caller's transaction; return the chain's end.

        The caller holds the deal's row lock, or `lock_desk`, so that nobody else appends to this
        chain.
        """
        link = await store.last_link(session, first.deal_id)
        entries: list[Entry] = []
        for act in (first, *more):
            entries.append(sealed(act, self._clock.now(), link))
            link = entries[-1].link
        await store.append(session, entries)
        return link

    async def lock_desk(self, session: Session) -> None:
        """Have nobody else append to the record of `DESK`, which has no row, until the end."""
        await store.lock(session, DESK)

    async def verify(self, session: Session, deal: DealId) -> Link:
        """Check the deal's whole chain and return its end.

        Raises:
            Broken: `audit.chain` at the first entry that was changed, removed, added or moved.
        """
        return verified(deal, await store.entries_of(session, deal))
