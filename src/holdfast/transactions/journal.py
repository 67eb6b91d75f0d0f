"""The loop's durable side on Postgres: every method is one short transaction."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from holdfast.common.alerts import Ended, LoggedAlarm
from holdfast.common.boundary import unobserved
from holdfast.common.lease import Unrivalled
from holdfast.transactions.alerts import REOPENED, gap_filled
from holdfast.transactions.consequences import consequences_of
from holdfast.transactions.shard import Shard
from holdfast.transactions.store import reading, recording, unmining, updating
from holdfast.transactions.unmined import Unmined

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from holdfast.common.alerts import Alarm
    from holdfast.common.boundary import Boundary
    from holdfast.common.db import Database, Session
    from holdfast.common.ids import ChainId
    from holdfast.transactions.model import Attempt, Intent, Place, Progress, Send, StatusChange
    from holdfast.transactions.ports import Lease, Reorgs, Waker


class PostgresJournal:
    """The intents of one chain, or of a shard of it."""

    def __init__(  # noqa: PLR0913 - its ports, each by name
        self,
        database: Database,
        chain_id: ChainId,
        waker: Waker,
        boundary: Boundary,
        *,
        reorgs: Reorgs,
        alarm: Alarm | None = None,
        lease: Lease | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._database = database
        self._chain_id = chain_id
        self._waker = waker
        self._boundary = boundary
        self._reorgs = reorgs
        self._alarm = alarm or LoggedAlarm()
        self._lease = lease or Unrivalled()
        self._shard = shard or Shard()

    async def place(self) -> Place | None:
        """The last block whose receipts are all written; None before the first."""
        async with self._database.begin() as session:
            return await reading.place_of(session, self._chain_id, self._shard)

    async def live(self) -> list[Intent]:
        """Every intent that is not final, in nonce order per sender."""
        async with self._database.begin() as session:
            return await reading.live_intents(session, self._chain_id, self._shard)

    async def to_act_on(self) -> list[Intent]:
        """The live intents with unsent bytes or a cancellation asked for, in the same order."""
        async with self._database.begin() as session:
            return await reading.intents_to_act_on(session, self._chain_id, self._shard)

    async def sent(self, sends: Sequence[Send]) -> None:
        """Note what was broadcast."""
        async with self._writing() as session:
            await updating.mark_sent(session, sends)
            self._boundary("tx.in_sent")
        self._boundary("tx.after_sent")

    async def advance(self, progress: Progress) -> None:
        """Write receipts, statuses and place, and wake the deals whose groups are final.

        A deal with an intent that became ambiguous, or no longer is, is woken too: it may have to
        hold, or to go on.
        """
        # A mere place is no boundary: losing it costs reading a few blocks again.
        passed = self._boundary if progress.receipts or progress.changes else unobserved
        passed("tx.before_receipts")
        async with self._writing() as session:
            if progress.receipts:
                await updating.save_receipts(session, progress.receipts)
            if progress.changes:
                await self.change(session, progress.changes)
            if progress.place is not None:
                await updating.move_to(session, self._chain_id, self._shard, progress.place)
            passed("tx.in_receipts")
        passed("tx.after_receipts")

    async def add_attempt(self, intent: Intent, attempt: Attempt) -> bool:
        """Write a further attempt of a live intent; False when another loop was faster."""
        async with self._writing() as session:
            is_added = await updating.add_attempt(session, intent, attempt)
            self._boundary("tx.in_attempt")
        self._boundary("tx.after_attempt")
        return is_added

    async def fill(self, intent: Intent) -> bool:
        """Write a no-op's intent; False when its nonce has an intent, live or final, already."""
        async with self._writing() as session:
            is_new = await recording.fill(session, intent)
            if is_new:
                await self._alarm.raised(session, gap_filled(intent))
            return is_new

    async def mined_above(self, number: int) -> list[Place]:
        """The blocks above `number` that decided about intents, final or not."""
        async with self._database.begin() as session:
            return await unmining.mined_above(session, self._chain_id, number, self._shard)

    async def mined_above_finality(self, followed: int) -> list[Place]:
        """The same for the blocks that a reorg may still reach when `followed` is the newest."""
        return await self.mined_above(followed - self._reorgs.finality + 1)

    async def unmine(self, gone: Sequence[Place], followed: int) -> Unmined:
        """Take back what those blocks decided, which the chain no longer has."""
        self._boundary("tx.before_unmine")
        async with self._writing() as session:
            orphans = await unmining.orphans_of(session, self._chain_id, gone, self._shard)
            unmined = Unmined.of(orphans, followed - self._reorgs.finality + 1)
            await unmining.take_back(session, unmined.taken_back)
            await self._reorgs.reopened(session, unmined.reopened)
            await self._reorgs.lost(session, unmined.lost)
            self._boundary("tx.in_unmine")
        self._boundary("tx.after_unmine")
        return unmined

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[Session]:
        """A transaction that a leader who was replaced cannot write in."""
        async with self._database.begin() as session:
            await self._lease.fence(session)
            yield session

    async def change(self, session: Session, changes: Sequence[StatusChange]) -> None:
        """Write statuses in the caller's transaction, tell people, and wake deals."""
        written = await updating.set_statuses(session, changes)
        found = consequences_of(changes, written)
        await self._alarm.ended(session, *found.over)
        await self._alarm.raised(session, *found.alerts)
        if found.never_sent:
            await updating.supersede(session, found.never_sent)
        deals = set(found.unclear)
        if found.groups:
            finished = await updating.finished_deals(session, found.groups)
            again = sorted(found.reorged.intersection(finished))
            await self._alarm.ended(session, *(Ended(REOPENED, str(one)) for one in again))
            deals.update(finished)
        await self._waker.wake(session, *sorted(deals))
