"""Looks at every live intent from time to time: what is not mined is pushed, or in dispute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.common.errors import Broken, Rejected
from holdfast.transactions.actions import (
    Action,
    Broadcast,
    Cancel,
    Fill,
    Rebroadcast,
    Replace,
    Seen,
    Stuck,
    Unclear,
)
from holdfast.transactions.foreign import Prover
from holdfast.transactions.model import Place, Progress
from holdfast.transactions.presser import Presser
from holdfast.transactions.send_state import confirm, decide, displaced, is_push_due
from holdfast.transactions.verdicts import changes_of, log_changes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from holdfast.chain.receipts import Head, MinedTransaction
    from holdfast.common.evm import Address, BlockRef, Receipt
    from holdfast.common.ids import IntentId
    from holdfast.transactions.model import Intent
    from holdfast.transactions.parts import Parts, Shared
    from holdfast.transactions.trail import Trail


@dataclass(frozen=True, slots=True)
class _Look:
    """What one scan sees of all accounts; `nonces` are the chain's, by account."""

    head: Head
    tip_wei: int
    nonces: Mapping[Address, int]
    first_live_nonces: Mapping[Address, int]
    now_seconds: float


class Scanner:
    """The patient half of the watcher: deadlines, replacements, repeats, foreign nonces."""

    def __init__(self, parts: Parts, shared: Shared, trail: Trail) -> None:
        self._parts = parts
        self._shared = shared
        self._trail = trail
        self._presser = Presser(parts, shared)
        self._prover = Prover(parts.network, parts.clock)
        now = parts.clock.monotonic_seconds()
        self._scanned, self._reloaded, self._placed = now - parts.pace.scan, now, now

    async def write(self, progress: Progress) -> None:
        """Write what was found, then let memory follow."""
        async with self._shared.gate:
            await self._parts.journal.advance(progress)
            self._shared.live.apply(progress.receipts, progress.changes)
        self._parts.metrics.written(progress)
        if progress.place is not None:
            self._placed = self._parts.clock.monotonic_seconds()

    async def scan_when_due(self, head: Head) -> None:
        """Scan if it is time or asked for; `head` is the newest block whose receipts are known.

        Raises:
            Transient: node or journal did not answer.
        """
        now = self._parts.clock.monotonic_seconds()
        if now - self._scanned < self._parts.pace.scan and not self._shared.scan_wanted:
            return
        self._scanned, self._shared.scan_wanted = now, False
        if now - self._reloaded >= self._parts.pace.reload:
            await self._reload()
            self._reloaded = now
        live, parts = self._shared.live, self._parts
        parts.metrics.looked(parts.shard.name, live.all(), parts.clock.now().timestamp())
        if len(live) > 0:
            await self._scan(head)
        if now - self._placed >= self._parts.pace.place:
            await self.write(Progress(place=Place(head.ref.number, head.ref.hash)))

    async def _reload(self) -> None:
        async with self._shared.gate:
            self._shared.live.replace_all(await self._parts.journal.live())

    async def _scan(self, head: Head) -> None:
        network, live = self._parts.network, self._shared.live
        nonces = await network.nonces(sorted(live.first_nonces()), head.ref)
        tip = await network.suggest_tip_wei()
        now = self._parts.clock.now().timestamp()
        look = _Look(head, tip, nonces, live.first_nonces(), now)
        decided = [
            (intent, self._decided(intent, self._seen(intent, look)))
            for intent in live.all()
            # Others were recorded since the nonces were read, or are settled block by block.
            if intent.new.sender in nonces and intent.receipt is None
        ]
        disputed = [one for one, action in decided if isinstance(action, Unclear)]
        if disputed:
            # Another loop may have added the very attempt that was mined; it recorded it first.
            await self._reload()
            disputed = [live.get(one.intent_id) or one for one in disputed]
        found, finality = await self._search(disputed), self._parts.patience.finality
        resolved: dict[IntentId, tuple[Intent, Action]] = {
            one.intent_id: (
                one,
                confirm(one, receipt, head.ref, nonces[one.new.sender], finality=finality),
            )
            for one, receipt in found
        }
        unproved = [one for one in disputed if one.intent_id not in resolved]
        for one, use in await self._foreign_uses(unproved, head.ref):
            resolved[one.intent_id] = (one, displaced(one, use, head.ref, finality=finality))
        await self._act([resolved.get(pair[0].intent_id, pair) for pair in decided], found)

    def _decided(self, intent: Intent, seen: Seen) -> Action:
        parts = self._parts
        action = decide(intent, seen, parts.fee_model, parts.patience)
        is_stuck = isinstance(action, Stuck | Fill)
        if isinstance(action, Rebroadcast) or (
            is_stuck and is_push_due(intent.last, seen, parts.patience)
        ):
            self._shared.live.push_again(intent, intent.last)
        return action

    async def _search(self, disputed: Sequence[Intent]) -> list[tuple[Intent, Receipt]]:
        """Receipts that following the blocks missed; a find proves, and no find proves nothing."""
        hashes = [tx_hash for one in disputed for tx_hash in one.hashes]
        if not hashes:
            return []
        found = self._shared.live.mined(await self._parts.network.find_receipts(hashes))
        return [pair for pair in found if await self._is_canonical(pair[1].block)]

    async def _foreign_uses(
        self, disputed: Sequence[Intent], head: BlockRef
    ) -> list[tuple[Intent, MinedTransaction]]:
        found = await self._prover.find(disputed, head)
        return [pair for pair in found if await self._is_canonical(pair[1].block)]

    async def _is_canonical(self, block: BlockRef) -> bool:
        """Whether we followed `block`, which a node on another branch may have told of.

        One that is not followed yet is checked when it is.
        """
        is_ahead = block.number > self._trail.last.number
        return is_ahead or await self._trail.holds(Place(block.number, block.hash))

    async def _act(
        self, decided: Sequence[tuple[Intent, Action]], found: Sequence[tuple[Intent, Receipt]]
    ) -> None:
        changes = changes_of(decided)
        if changes or found:
            await self.write(Progress(tuple(found), changes))
            log_changes(changes)
        await self._press(decided)

    async def _press(self, decided: Sequence[tuple[Intent, Action]]) -> None:
        filled: set[Address] = set()
        for intent, action in decided:
            match action:
                case Replace() | Cancel():
                    await self._signing(intent, self._presser.press(intent, action))
                case Fill() if intent.new.sender not in filled:
                    filled.add(intent.new.sender)
                    await self._signing(intent, self._fill(intent, action))
                case Broadcast() | Rebroadcast() | Stuck() | Fill():
                    self._shared.to_send.set()
                case _:
                    pass

    async def _signing(self, intent: Intent, work: Awaitable[None]) -> None:
        """Do `work`, which signs; a key that cannot sign is told, and holds up no other intent."""
        try:
            await work
        except (Rejected, Broken) as error:
            now = self._shared.live.get(intent.intent_id) or intent
            changes = changes_of([(now, Stuck("unsigned", {"error": error.code}))])
            if changes:
                await self.write(Progress(changes=changes))
                log_changes(changes)

    async def _fill(self, blocked: Intent, action: Fill) -> None:
        """Fill a gap that is nobody's; one that was an intent of ours is for a person to see."""
        if not await self._presser.fill(blocked, action):
            changes = changes_of([(blocked, action.stuck)])
            if changes:
                await self.write(Progress(changes=changes))
                log_changes(changes)

    def _seen(self, intent: Intent, look: _Look) -> Seen:
        live, sender = self._shared.live, intent.new.sender
        nonce = look.nonces[sender]
        return Seen(
            block=look.head.ref,
            base_fee_wei=look.head.base_fee_wei,
            tip_wei=look.tip_wei,
            account_nonce=nonce,
            first_live_nonce=look.first_live_nonces[sender],
            passed_since=live.passed_since(intent, nonce, look.head.ref.number),
            now_seconds=look.now_seconds,
            pushed_seconds=live.pushed_seconds(intent),
        )
