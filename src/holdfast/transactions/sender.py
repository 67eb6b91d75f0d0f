"""Broadcasts what is recorded, in nonce order, and notes what was answered.

Nothing here decides whether a transaction happened: an answer, or none, is only noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from holdfast.transactions.model import Delivery, Purpose, Send, Sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.sending import SendAnswer
    from holdfast.transactions.model import Attempt, Intent
    from holdfast.transactions.parts import Parts, Shared

log = structlog.stdlib.get_logger(__name__)

_BATCH: Final = 250
"""Sent, then noted: a flood neither stays unnoted for long nor keeps the process from all else."""

_TAKEN = {Delivery.ACCEPTED, Delivery.ALREADY_KNOWN}


class Sender:
    """The sending half of one chain's loop."""

    def __init__(self, parts: Parts, shared: Shared) -> None:
        self._parts = parts
        self._shared = shared

    async def step(self) -> int:
        """Send everything that waits to be sent, in batches; returns how many went out.

        Raises:
            Transient: the lead is in doubt, or the journal did not answer. Bytes that went out
                unnoted go out again.
        """
        shared = self._shared
        async with shared.gate:
            found = await self._parts.journal.to_act_on()
            is_news = any(map(self._is_newly_unwanted, found))
            shared.live.put(found)
        if is_news:
            shared.scan_wanted = True
            shared.to_look.set()
        batch = shared.live.unsent(shared.head.ref.timestamp)
        for start in range(0, len(batch), _BATCH):
            await self._broadcast(batch[start : start + _BATCH])
        return len(batch)

    def _is_newly_unwanted(self, intent: Intent) -> bool:
        # Once only: one that cannot be cancelled yet would have the scan and the next look here
        # call each other without a pause.
        known = self._shared.live.get(intent.intent_id)
        was_unwanted = known is not None and known.cancel_requested
        is_call = intent.last.purpose is Purpose.CALL
        return intent.cancel_requested and is_call and not was_unwanted

    async def _broadcast(self, batch: Sequence[tuple[Intent, Attempt]]) -> None:
        parts, shared = self._parts, self._shared
        block = shared.head.ref.number
        parts.boundary("tx.before_broadcast")
        parts.lease.require()
        answers = await parts.network.send_raw([attempt.raw for _, attempt in batch])
        parts.boundary("tx.after_broadcast")
        if parts.pace.block == 0:
            shared.to_look.set()  # a block was mined at once
        now = parts.clock.now().timestamp()
        sends = [
            Send(intent.intent_id, attempt.attempt_no, Sent(block, now, _delivery(answer)))
            for (intent, attempt), answer in zip(batch, answers, strict=True)
        ]
        for (intent, attempt), send, answer in zip(batch, sends, answers, strict=True):
            _log_send(intent, attempt, send.sent.delivery, answer.text)
        async with shared.gate:
            await parts.journal.sent(sends)
            shared.live.sent(sends, now)
        parts.metrics.answered(send.sent.delivery for send in sends)


def _delivery(answer: SendAnswer) -> Delivery:
    return Delivery(answer.outcome.value)


def _log_send(intent: Intent, attempt: Attempt, delivery: Delivery, text: str) -> None:
    bound = log.bind(
        **intent.new.log_ids,
        nonce=intent.nonce,
        attempt=attempt.attempt_no,
        purpose=str(attempt.purpose),
        tx=attempt.tx_hash,
    )
    if delivery in _TAKEN:
        bound.info("tx.broadcast", delivery=str(delivery))
    else:
        bound.warning("tx.broadcast", delivery=str(delivery), answer=text)
