"""Follows the chain block by block and settles intents by what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from holdfast.common.errors import Transient
from holdfast.transactions.model import Place, Progress
from holdfast.transactions.scanner import Scanner
from holdfast.transactions.send_state import confirm
from holdfast.transactions.trail import Trail
from holdfast.transactions.verdicts import changes_of, log_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.receipts import Block, Head
    from holdfast.common.evm import BlockRef, Receipt
    from holdfast.transactions.model import Intent
    from holdfast.transactions.parts import Parts, Shared

log = structlog.stdlib.get_logger(__name__)

Mined: TypeAlias = "Sequence[tuple[Intent, Receipt]]"

_CHUNK: Final = 32  # blocks read at once when catching up
_LAG_SECONDS: Final = 10.0  # after which an old head is believed to be the newest there is


class Watcher:
    """The following half of one chain's loop; starts after the block `place`."""

    def __init__(self, parts: Parts, shared: Shared, place: Place) -> None:
        self._parts = parts
        self._shared = shared
        self._trail = Trail(place, parts.network)
        self._scanner = Scanner(parts, shared, self._trail)
        self._checked = parts.clock.monotonic_seconds() - parts.pace.reload
        # Whoever led before may have followed that much without a last check.
        self._checked_to = place.number - parts.patience.finality

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
            await self._look_around(head)
            return False
        if head.ref.number <= last.number:
            return await self._turn_back(head)
        newest = min(head.ref.number, last.number + _CHUNK)
        blocks = await self._parts.network.blocks(last.number + 1, newest)
        if not self._trail.is_continued_by(blocks):
            await self._rewind(head)
            return True
        await self._take(blocks)
        if self._trail.last.number < head.ref.number:
            return True  # an account's nonce at an old block is more than many nodes can tell
        await self._look_around(blocks[-1].head)
        return False

    async def _look_around(self, head: Head) -> None:
        """What is done from time to time, once `head` is followed."""
        await self._recheck_when_due()
        await self._scanner.scan_when_due(head)

    async def _turn_back(self, head: Head) -> bool:
        """Follow a head that is not above the last block: another branch, or a node that lags."""
        now = self._parts.clock.monotonic_seconds()
        # After a start nothing is remembered below the last block: there a head says nothing.
        lags = self._trail.knows(head.ref) or self._trail.begins_after(head.ref.number)
        if lags and now - self._shared.noticed_seconds < _LAG_SECONDS:
            return False
        await self._rewind(head)
        return True

    async def _take(self, blocks: Sequence[Block]) -> None:
        """Follow `blocks`, which continue the trail, and settle what they make certain."""
        head, live = blocks[-1].head.ref, self._shared.live
        found = live.mined([receipt for block in blocks for receipt in block.receipts])
        known = {intent.intent_id for intent, _ in found}
        waiting = [pair for pair in live.waiting() if pair[0].intent_id not in known]
        gone = await self._gone(waiting, range(blocks[0].head.ref.number, head.number + 1))
        if gone:
            await self._unmine(gone, self._trail.last.number)
            return
        await self._settle(found, waiting, head)
        self._trail.extend(blocks)

    async def _settle(self, found: Mined, waiting: Mined, head: BlockRef) -> None:
        mined = [*found, *waiting]
        if not mined:
            return
        senders = sorted({intent.new.sender for intent, _ in mined})
        nonces = await self._parts.network.nonces(senders, head)
        finality = self._parts.patience.finality
        changes = changes_of(
            (one, confirm(one, receipt, head, nonces[one.new.sender], finality=finality))
            for one, receipt in mined
        )
        changed = {change.intent.intent_id for change in changes}
        # Written again with its outcome: another loop may have taken the receipt back meanwhile.
        receipts = (*found, *(pair for pair in waiting if pair[0].intent_id in changed))
        if receipts:
            await self._scanner.write(Progress(receipts, changes, Place(head.number, head.hash)))
            log_changes(changes)

    async def _gone(self, waiting: Mined, just_read: range) -> list[Place]:
        """The blocks that waiting receipts name and the chain does not have (any more).

        Where our trail passed such a block, the reorg was seen; but the journal may hold what
        another leader saw.
        """
        gone: list[Place] = []
        for _, receipt in waiting:
            place = Place(receipt.block.number, receipt.block.hash)
            if place.number in just_read or not await self._holds(place):
                gone.append(place)
        return gone

    async def _holds(self, place: Place) -> bool:
        is_ahead = place.number > self._trail.last.number  # found by its hash; not followed yet
        return is_ahead or await self._trail.holds(place)

    async def _recheck_when_due(self) -> None:
        """Take back what another leader, on a branch that we never followed, took for final."""
        now = self._parts.clock.monotonic_seconds()
        if now - self._checked < self._parts.pace.reload:
            return
        last = self._trail.last.number
        # What was not as deep as finality at the last check: it may have been passed at once.
        followed = min(self._checked_to, last)
        places = await self._parts.journal.mined_above_finality(followed)
        gone = [place for place in places if not await self._holds(place)]
        if gone:
            await self._unmine(gone, followed)
        self._checked, self._checked_to = now, last

    async def _rewind(self, head: Head) -> None:
        followed = self._trail.last
        # The nodes may disagree: what is gone is told by the links from this very head.
        branch = Trail(Place(head.ref.number, head.ref.hash), self._parts.network)
        fork = await self._trail.find_fork(branch)
        log.warning("tx.reorg", fork=fork.number, followed=followed.number)
        places = await self._doubted(fork, head)
        gone = [place for place in places if not await _is_on(branch, place)]
        if gone:
            await self._unmine(gone, followed.number)
        # What was decided up to a block that is still there stays decided.
        passed = [one for one in places if one not in gone and one.number <= followed.number]
        last = max([fork, *passed], key=lambda place: place.number)
        self._trail.turn(fork, branch, last)

    async def _doubted(self, fork: Place, head: Head) -> Sequence[Place]:
        """The deciding blocks that may be gone when the chain goes another way after `fork`."""
        last = self._trail.last.number
        if head.ref.number >= last:
            return await self._parts.journal.mined_above(fork.number)
        # Shorter than it was: the node lost blocks, or it lags, maybe on a branch that was left
        # long ago. What is as deep as finality is not given up for that.
        places = await self._parts.journal.mined_above_finality(last)
        return [place for place in places if place.number > fork.number]

    async def _require_gone(self, places: Sequence[Place]) -> None:
        """Take back nothing on the word of a node that another one contradicts.

        Raises:
            Transient: `chain.reorged` when a block is there after all, once the nodes have been
                compared; `chain.read_only` when they disagree and none is believed.
        """
        network = self._parts.network
        await network.recheck()
        newest = (await network.head()).ref.number
        for place in [one for one in places if one.number <= newest]:
            if (await network.block(place.number)).ref.hash == place.hash:
                raise Transient("chain.reorged", f"block {place.number} is not gone: asking again")

    async def _unmine(self, gone: Sequence[Place], followed: int) -> None:
        shared, journal = self._shared, self._parts.journal
        await self._require_gone(gone)
        async with shared.gate:
            unmined = await journal.unmine(gone, followed)
            shared.live.replace_all(await journal.live())
            shared.live.push_orphans(unmined.taken_back)
        log.warning(
            "tx.unmined",
            blocks=[place.number for place in gone],
            pending=len(unmined.pending),
            reopened=len(unmined.reopened),
            lost=len(unmined.lost),
        )
        shared.to_send.set()


async def _is_on(branch: Trail, place: Place) -> bool:
    return place.number <= branch.last.number and await branch.hash_at(place.number) == place.hash
