"""Follows every event of our accounts, block by block, from a cursor in Postgres.

What a block holds and the cursor's move past it are written in one transaction that fails unless
the cursor stands where it was read from: so no block is skipped, none is taken twice, and a second
listener that believes it leads writes nothing. Start-up is recovery: the cursor is read, and what
was missed is read in chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.common.boundary import Boundary, unobserved
from holdfast.common.errors import Transient
from holdfast.common.system_clock import SystemClock
from holdfast.monitoring.classification import alert_about, events_of
from holdfast.monitoring.decoding import filters
from holdfast.monitoring.metrics import MonitoringMetrics
from holdfast.monitoring.sparing import Sparing
from holdfast.monitoring.store import accounts as account_store
from holdfast.monitoring.store import events as store
from holdfast.monitoring.trail import REMEMBERED, STEP_BACK, Next, fork, next_move, suspects
from holdfast.transactions.model import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.chain.logs import LogFilter, LogPage, MinedLog
    from holdfast.chain.receipts import Head
    from holdfast.common.alerts import Alarm, Alert
    from holdfast.common.clock import Clock
    from holdfast.common.db import Database, Session
    from holdfast.common.evm import Address, BlockHash, BlockRef
    from holdfast.common.ids import ChainId
    from holdfast.monitoring.decoding import Contracts
    from holdfast.monitoring.ether import EtherWatch, Look
    from holdfast.monitoring.events import Watched
    from holdfast.monitoring.ports import AccountBook, Chain, EventBook, OwnTransactions
    from holdfast.monitoring.venues import Venues
    from holdfast.monitoring.watchlist import Watchlist

CHUNK: Final = 100
"""Blocks read at once when catching up: with their logs they fit one exchange."""
SPAN: Final = 1_000
"""Blocks asked for at once when a new account is looked up; more than nodes refuse."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Where the last run came to: the cursor, the blocks behind it, accounts and their ether."""

    place: Place
    blocks: dict[int, BlockHash]
    ether: Mapping[Address, int]
    known: Sequence[Watched]
    current: Sequence[Watched]


@dataclass(frozen=True, slots=True)
class Parts:
    """What one chain's listener works with."""

    chain_id: ChainId
    chain: Chain
    db: Database
    venues: Venues
    watchlist: Watchlist
    own: OwnTransactions
    ether: EtherWatch
    alarm: Alarm
    book: EventBook = store
    accounts: AccountBook = account_store
    metrics: MonitoringMetrics = field(default_factory=MonitoringMetrics.unread)
    at: Boundary = unobserved
    clock: Clock = field(default_factory=SystemClock)


class Hearing:
    """One run of the listener, from the cursor as it was found."""

    def __init__(self, parts: Parts, contracts: Contracts, found: Found) -> None:
        self._parts = parts
        self._contracts = contracts
        self._place = found.place
        self._blocks = found.blocks
        self._ether = found.ether
        self._known = {one.address: one for one in found.known}
        # At once, before any block is read: what was looked up once is not looked up again.
        self._watched = {one.address: one for one in found.current}
        self._wanted: list[LogFilter] = []
        self._wanted_of: Mapping[Address, Watched] | None = None
        # Both cost more the more accounts there are, and a person acts on what they find.
        self._ether_looks = Sparing(parts.clock)
        self._not_looked_at: BlockRef | None = None
        self._account_looks = Sparing(parts.clock)

    @classmethod
    async def begun(cls, parts: Parts) -> Hearing:
        """From the cursor; on a chain that was never listened to, from its newest block."""
        head = await parts.chain.head()
        contracts = await parts.venues.contracts(head.ref)
        async with parts.db.begin() as session:
            await store.begin_at(session, parts.chain_id, Place(head.ref.number, head.ref.hash))
            known = await account_store.watched(session, parts.chain_id)
            current, _ = await parts.watchlist.now(session, known, head.ref.number)
            found = Found(
                place=await store.place_of(session, parts.chain_id),
                blocks=await store.remembered(session, parts.chain_id),
                ether=await account_store.balances(session, parts.chain_id),
                known=known,
                current=current,
            )
        at = found.place.number
        _log.info("events.started", chain_id=parts.chain_id, block=at, head=head.ref.number)
        return cls(parts, contracts, found)

    async def step(self) -> bool:
        """Read as far as the chain has come; whether there is more to read now.

        Raises:
            Transient: node or database did not answer, or another listener was faster.
        """
        head = await self._parts.chain.head()
        self._show_lag(head)
        move = next_move(self._place, self._blocks, head)
        if move is Next.REWIND:
            return await self._rewind(head)
        has_more = await self._read(head) if move is Next.READ else False
        self._show_lag(head)
        if not has_more:
            await self._look_around()
        return has_more

    async def _look_around(self) -> None:
        if self._not_looked_at is not None:
            await self._catch_up_on_ether(self._not_looked_at)
        if self._account_looks.is_due():
            with self._account_looks.one():
                await self._look_for_accounts()

    def _show_lag(self, head: Head) -> None:
        self._parts.metrics.behind(self._parts.chain_id, head.ref.number - self._place.number)

    async def _read(self, head: Head) -> bool:
        first, last = self._place.number + 1, min(head.ref.number, self._place.number + CHUNK)
        page = await self._parts.chain.logs(first, last, self._filters())
        if page.heads[0].parent != self._place.hash:
            return await self._rewind(head)
        has_more = last < head.ref.number
        # Ether is looked at where the reading has caught up: an older block tells nothing more.
        look = None if has_more else await self._look_at_ether(page.heads[-1].ref)
        await self._take(page, look)
        self._not_looked_at = page.heads[-1].ref if look is None else None
        return has_more

    def _filters(self) -> list[LogFilter]:
        if self._wanted_of is not self._watched:
            self._wanted = filters(self._contracts, self._watched)
            self._wanted_of = self._watched
        return self._wanted

    async def _catch_up_on_ether(self, at: BlockRef) -> None:
        """Look at the ether of a block that was read while no look was due."""
        look = await self._look_at_ether(at)
        if look is None:
            return
        async with self._parts.db.begin() as session:
            await self._move(session, self._place)
            news = await look.written(session)
            await self._parts.alarm.ended(session, *news.over)
            await self._parts.alarm.raised(session, *news.alerts)
        self._ether = {**self._ether, **look.now}
        self._not_looked_at = None

    async def _look_at_ether(self, at: BlockRef) -> Look | None:
        if not self._ether_looks.is_due():
            return None
        with self._ether_looks.one():
            return await self._parts.ether.look(self._watched, self._ether, at)

    async def _take(self, page: LogPage, look: Look | None) -> None:
        """Write what a page holds together with the cursor's move past it."""
        chain_id = self._parts.chain_id
        blocks = {one.ref.number: one.ref.hash for one in page.heads}
        newest = page.heads[-1].ref
        after = Place(newest.number, newest.hash)
        async with self._parts.db.begin() as session:
            await self._move(session, after)
            await self._parts.book.remember(session, chain_id, blocks, keep=REMEMBERED)
            alerts = await self._kept(session, page.logs, self._watched)
            if look is not None:
                news = await look.written(session)
                await self._parts.alarm.ended(session, *news.over)
                alerts += news.alerts
            await self._parts.alarm.raised(session, *alerts)
            self._parts.at("events.before_commit")
        self._parts.at("events.after_commit")
        self._place = after
        self._blocks = _newest(self._blocks | blocks)
        if look is not None:
            self._ether = {**self._ether, **look.now}

    async def _rewind(self, head: Head) -> bool:
        """Go back to where the chain forked; what was found above is marked, and read again.

        Returns whether there was a fork: none where another node shows the block that we followed.
        """
        chain_id = self._parts.chain_id
        place = await self._fork(min(self._place.number, head.ref.number))
        if place == self._place:
            return False
        at_fork = {place.number: place.hash}
        async with self._parts.db.begin() as session:
            await self._move(session, place)
            marked = await self._parts.book.orphan(session, chain_id, place)
            await self._parts.book.remember(session, chain_id, at_fork, keep=REMEMBERED)
        followed = self._place.number
        _log.warning("events.reorg", fork=place.number, followed=followed, events=marked)
        kept = {number: found for number, found in self._blocks.items() if number < place.number}
        self._blocks = kept | at_fork
        self._place = place
        self._not_looked_at = None
        return True

    async def _fork(self, newest: int) -> Place:
        """The last block that is still canonical, or one certainly before the fork."""
        numbers = suspects(self._blocks, newest)
        for start in range(0, len(numbers), CHUNK):
            heads = await self._parts.chain.heads(numbers[start : start + CHUNK])
            found = fork(self._blocks, {one.ref.number: one.ref.hash for one in heads})
            if found is not None:
                return found
        oldest = min(numbers, default=newest)
        (head,) = await self._parts.chain.heads([max(oldest - STEP_BACK, 0)])
        return Place(head.ref.number, head.ref.hash)

    async def _look_for_accounts(self) -> None:
        """Listen for new accounts from their first block on, whatever was read before."""
        parts = self._parts
        async with parts.db.begin() as session:
            known = list(self._known.values())
            old, new = await parts.watchlist.now(session, known, self._place.number + 1)
        if [one.address for one in old] != list(self._watched):
            self._watched = {one.address: one for one in old}
        if not new:
            return
        logs = await self._missed(new)
        added = {one.address: one for one in new}
        async with parts.db.begin() as session:
            await self._move(session, self._place)
            await parts.accounts.add(session, parts.chain_id, new)
            alerts = await self._kept(session, logs, self._watched | added)
            await parts.alarm.raised(session, *alerts)
        self._watched = self._watched | added
        self._known |= added
        _log.info("events.accounts", new=len(new), logs=len(logs))

    async def _missed(self, new: Sequence[Watched]) -> list[MinedLog]:
        """The logs of new accounts up to the cursor, read from the history that it stands in."""
        wanted = filters(self._contracts, [one.address for one in new])
        found: list[MinedLog] = []
        end = self._place.number
        for first in range(min(one.since for one in new), end + 1, SPAN):
            last = min(first + SPAN - 1, end)
            head, logs = await self._parts.chain.span(first, last, wanted)
            if self._blocks.get(last, head.ref.hash) != head.ref.hash:
                raise Transient("chain.reorged", f"block {last} is another than was followed")
            found += logs
        return found

    async def _move(self, session: Session, after: Place) -> None:
        """Move the cursor from where we believe it to stand; else the transaction is over."""
        if not await self._parts.book.move(session, self._parts.chain_id, self._place, after):
            raise Transient("events.moved_on", "another listener has moved the cursor meanwhile")

    async def _kept(
        self, session: Session, logs: Sequence[MinedLog], watched: Mapping[Address, Watched]
    ) -> list[Alert]:
        """Write the events in `logs`; returns what to raise about those that are new."""
        parts = self._parts
        if not logs:
            return []
        causes = await parts.own.causes(session, {one.tx_hash for one in logs})
        events = events_of(logs, self._contracts, watched, causes)
        new = await parts.book.add(session, parts.chain_id, events)
        alerts = [alert_about(each, parts.chain_id) for each in new]
        return [alert for alert in alerts if alert is not None]


def _newest(blocks: dict[int, BlockHash]) -> dict[int, BlockHash]:
    oldest = max(blocks) - REMEMBERED
    return {number: found for number, found in blocks.items() if number > oldest}
