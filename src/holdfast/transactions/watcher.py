"""Follows the chain block by block and settles intents by what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from holdfast.transactions.model import Place, Progress
from holdfast.transactions.scanner import Scanner
from holdfast.transactions.send_state import confirm
from holdfast.transactions.trail import Trail
from holdfast.transactions.verdicts import changes_of, log_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.receipts import Block, Head
    from holdfast.transactions.parts import Parts, Shared

log = structlog.stdlib.get_logger(__name__)

_CHUNK: Final = 32  # blocks read at once when catching up
_LAG_SECONDS: Final = 10.0  # after which an old head is believed to be the newest there is


class Watcher:
    """The following half of one chain's loop; starts after the block `place`."""

    def __init__(self, parts: Parts, shared: Shared, place: Place) -> None:
        self._parts = parts
        self._shared = shared
        self._trail = Trail(place)
        self._scanner = Scanner(parts, shared)

    async def step(self) -> bool:
        """Follow the chain as far as it has come; whether there are more blocks to follow now.

        Raises:
            Transient: node or journal did not answer; what was not written is read again.
        """
        head = await self._parts.network.head()
        if head.ref != self._shared.head.ref:
            self._shared.head = head
            self._shared.noticed_seconds = self._parts.clock.monotonic_seconds()
        last = self._trail.last
        if head.ref.hash == last.hash:
            await self._scanner.scan_when_due(head)
            return False
        if head.ref.number <= last.number:
            return await self._turn_back(head)
        newest = min(head.ref.number, last.number + _CHUNK)
        blocks = await self._parts.network.blocks(last.number + 1, newest)
        if not self._trail.is_continued_by(blocks):
            await self._rewind(head)
            return True
        await self._take(blocks)
        await self._scanner.scan_when_due(blocks[-1].head)
        return newest < head.ref.number

    async def _turn_back(self, head: Head) -> bool:
        """Follow a head that is not above the last block: another branch, or a node that lags."""
        now = self._parts.clock.monotonic_seconds()
        lags = self._trail.knows(head.ref)
        if lags and now - self._shared.noticed_seconds < _LAG_SECONDS:
            return False
        await self._rewind(head)
        return True

    async def _take(self, blocks: Sequence[Block]) -> None:
        at, live = blocks[-1].head.ref, self._shared.live
        found = live.mined([receipt for block in blocks for receipt in block.receipts])
        known = {intent.intent_id for intent, _ in found}
        waiting = [
            (one, one.receipt)
            for one in live.all()
            if one.receipt is not None and one.intent_id not in known
        ]
        mined = [*found, *waiting]
        if mined:
            senders = sorted({intent.new.sender for intent, _ in mined})
            nonces = await self._parts.network.nonces(senders, at)
            changes = changes_of(
                (one, confirm(one, receipt, at, nonces[one.new.sender])) for one, receipt in mined
            )
            await self._scanner.write(Progress(tuple(found), changes, Place(at.number, at.hash)))
            log_changes(changes)
        self._trail.extend(blocks)

    async def _rewind(self, head: Head) -> None:
        fork = await self._trail.find_fork(self._parts.network, head.ref.number)
        shared = self._shared
        async with shared.gate:
            final = await self._parts.journal.unmine(fork.number)
            lost = shared.live.unmine(fork.number)
        log.warning("tx.reorg", fork=fork.number, followed=self._trail.last.number, lost=len(lost))
        if final:
            log.error("tx.final_reorged", fork=fork.number, intent_ids=[str(one) for one in final])
        self._trail.cut(fork)
        shared.to_send.set()
