"""The live intents in memory: what the journal holds, found by hash, sender and need.

Memory only saves reads. Whatever is lost with it is read again from the journal at start-up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from holdfast.transactions.model import AttemptState, IntentStatus
from holdfast.transactions.send_state import may_broadcast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.common.evm import Address, Receipt, TxHash
    from holdfast.common.ids import IntentId
    from holdfast.transactions.model import Attempt, Intent, Send, StatusChange
    from holdfast.transactions.unmined import Orphan


@dataclass(slots=True)
class _Notes:
    """What this process alone remembers of an intent.

    `pushed_seconds` is when its newest bytes last went out, `passed_since` the first block at
    which its nonce was seen used without a receipt, `again` an attempt to send once more.
    """

    pushed_seconds: float = 0.0
    passed_since: int | None = None
    again: int | None = None


class LiveSet:
    """Every live intent of one chain, as of the last look at the journal."""

    def __init__(self) -> None:
        self._intents: dict[IntentId, Intent] = {}
        self._by_hash: dict[TxHash, IntentId] = {}
        self._notes: dict[IntentId, _Notes] = {}

    def __len__(self) -> int:
        return len(self._intents)

    def all(self) -> list[Intent]:
        """The live intents."""
        return list(self._intents.values())

    def put(self, intents: Iterable[Intent]) -> None:
        """Take intents as the journal holds them now."""
        for intent in intents:
            self._intents[intent.intent_id] = intent
            self._by_hash.update(dict.fromkeys(intent.hashes, intent.intent_id))
            self._notes.setdefault(intent.intent_id, _Notes())

    def replace_all(self, intents: Sequence[Intent]) -> None:
        """Take `intents` for all there are; what is remembered of those that stay is kept."""
        kept = {intent.intent_id for intent in intents}
        self._drop([known for known in self._intents if known not in kept])
        self.put(intents)

    def mined(self, receipts: Iterable[Receipt]) -> list[tuple[Intent, Receipt]]:
        """The live intents that `receipts` belong to, each with its receipt."""
        found: list[tuple[Intent, Receipt]] = []
        for receipt in receipts:
            known = self._by_hash.get(receipt.tx_hash)
            if known is not None:
                found.append((replace(self._intents[known], receipt=receipt), receipt))
        return found

    def waiting(self) -> list[tuple[Intent, Receipt]]:
        """The intents that have a receipt and are not final yet, each with it."""
        return [(one, one.receipt) for one in self._intents.values() if one.receipt is not None]

    def apply(
        self, receipts: Sequence[tuple[Intent, Receipt]], changes: Sequence[StatusChange]
    ) -> None:
        """Follow what was written: receipts first, then statuses; final intents leave."""
        for intent, receipt in receipts:
            self._update(intent.intent_id, receipt=receipt)
        for change in changes:
            self._update(change.intent.intent_id, status=change.status, reason=change.reason)
        self._drop([change.intent.intent_id for change in changes if change.status.is_final])

    def unsent(self, timestamp: int) -> list[tuple[Intent, Attempt]]:
        """What is to be broadcast at chain time `timestamp`, in nonce order per sender."""
        due: list[tuple[Intent, Attempt]] = []
        for intent in self._intents.values():
            again = self._notes[intent.intent_id].again
            if again is not None:
                due.append((intent, intent.attempts[again]))
            elif intent.last.state is AttemptState.SIGNED and may_broadcast(intent, timestamp):
                due.append((intent, intent.last))
        return sorted(due, key=lambda pair: (pair[0].new.sender, pair[0].nonce))

    def push_again(self, intent: Intent, attempt: Attempt) -> None:
        """Have an attempt's bytes sent once more."""
        if intent.intent_id in self._notes:
            self._notes[intent.intent_id].again = intent.attempts.index(attempt)

    def sent(self, sends: Iterable[Send], now_seconds: float) -> None:
        """Note broadcasts, with the first time and the last answer of each."""
        for send in sends:
            intent = self._intents.get(send.intent_id)
            if intent is not None:
                self._note_sent(intent, send, now_seconds)

    def _note_sent(self, intent: Intent, send: Send, now_seconds: float) -> None:
        attempts = tuple(
            _with_sent(one, send) if one.attempt_no == send.attempt_no else one
            for one in intent.attempts
        )
        is_signed = intent.status is IntentStatus.SIGNED
        status = IntentStatus.SENT if is_signed else intent.status
        self._update(intent.intent_id, attempts=attempts, status=status)
        notes = self._notes[intent.intent_id]
        notes.again = None
        notes.pushed_seconds = now_seconds

    def pushed_seconds(self, intent: Intent) -> float:
        """When the intent's bytes last went out from this process; 0 for never."""
        return self._notes[intent.intent_id].pushed_seconds

    def passed_since(self, intent: Intent, account_nonce: int, block: int) -> int | None:
        """The first block at which the nonce was seen used without a receipt; None if it is not."""
        notes = self._notes[intent.intent_id]
        if account_nonce <= intent.nonce or intent.receipt is not None:
            notes.passed_since = None
        elif notes.passed_since is None:
            notes.passed_since = block
        return notes.passed_since

    def push_orphans(self, orphans: Iterable[Orphan]) -> None:
        """Have the very bytes sent again that were mined in a block which is gone."""
        for orphan in orphans:
            intent = self._intents.get(orphan.intent_id)
            if intent is not None:
                tx_hash = orphan.tx_hash
                self.push_again(
                    intent, intent.last if tx_hash is None else intent.attempt_with(tx_hash)
                )

    def first_nonces(self) -> dict[Address, int]:
        """The accounts with live intents, each with the lowest nonce of them."""
        first: dict[Address, int] = {}
        for intent in self._intents.values():
            sender = intent.new.sender
            first[sender] = min(intent.nonce, first.get(sender, intent.nonce))
        return first

    def get(self, intent_id: IntentId) -> Intent | None:
        """The live intent with this id; None once it is final."""
        return self._intents.get(intent_id)

    def _update(self, intent_id: IntentId, **changes: Any) -> None:  # noqa: ANN401 - fields
        intent = self._intents.get(intent_id)
        if intent is not None:
            self._intents[intent_id] = replace(intent, **changes)

    def _drop(self, gone: Iterable[IntentId]) -> None:
        for intent_id in gone:
            intent = self._intents.pop(intent_id, None)
            self._notes.pop(intent_id, None)
            if intent is not None:
                for tx_hash in intent.hashes:
                    self._by_hash.pop(tx_hash, None)


def _with_sent(attempt: Attempt, send: Send) -> Attempt:
    first = attempt.sent or send.sent
    sent = replace(first, delivery=send.sent.delivery)
    return replace(attempt, state=AttemptState.SENT, sent=sent)
