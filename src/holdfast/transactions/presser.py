"""Records what replaces an attempt, the same call dearer or a no-op, and no-ops that fill gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from holdfast.transactions.actions import Cancel, Fill, Replace
from holdfast.transactions.attempts import Signing, filler, signed
from holdfast.transactions.model import Attempt, AttemptState, IntentStatus, Purpose

if TYPE_CHECKING:
    from holdfast.transactions.model import Intent
    from holdfast.transactions.parts import Parts, Shared

log = structlog.stdlib.get_logger(__name__)


class Presser:
    """Adds attempts to live intents; each keeps its intent's nonce."""

    def __init__(self, parts: Parts, shared: Shared) -> None:
        self._parts = parts
        self._shared = shared

    async def press(self, intent: Intent, action: Replace | Cancel) -> None:
        """Record the attempt that `action` asks for, and have it sent.

        Raises:
            Transient: the journal did not answer; nothing was recorded.
            Broken: `tx.wrong_sender` or `signing.wrong_key`.
        """
        attempt = await self._attempt(intent, action)
        shared = self._shared
        async with shared.gate:
            if not await self._parts.journal.add_attempt(intent, attempt):
                shared.live.replace_all(await self._parts.journal.live())
                return
            shared.live.put([_with(shared.live.get(intent.intent_id) or intent, attempt)])
        self._parts.metrics.pressed(attempt.purpose)
        shared.to_send.set()

    async def fill(self, blocked: Intent, action: Fill) -> bool:
        """Record a no-op at the nonce that `blocked` waits for; False when it is not free.

        Raises:
            Transient: the journal did not answer; nothing was recorded.
            Broken: `tx.wrong_sender` or `signing.wrong_key`.
        """
        no_op = await filler(self._parts.keys, blocked, action.nonce, action.fees)
        self._parts.boundary("tx.after_sign")
        shared = self._shared
        async with shared.gate:
            if not await self._parts.journal.fill(no_op):
                return False
            shared.live.put([no_op])
        self._parts.metrics.pressed(Purpose.CANCEL)
        log.warning("tx.gap_filled", **no_op.new.log_ids, nonce=no_op.nonce)
        shared.to_send.set()
        return True

    async def _attempt(self, intent: Intent, action: Replace | Cancel) -> Attempt:
        is_no_op = isinstance(action, Cancel) or intent.last.purpose is Purpose.CANCEL
        purpose = Purpose.CANCEL if is_no_op else Purpose.CALL
        number = intent.last.attempt_no + 1
        what = Signing(intent.nonce, number, purpose, action.fees)
        attempt = await signed(self._parts.keys, intent.new, what)
        self._parts.boundary("tx.after_sign")
        log.warning(
            "tx.cancelling" if is_no_op else "tx.replaced",
            **intent.new.log_ids,
            nonce=intent.nonce,
            attempt=number,
            tx=attempt.tx_hash,
            cap_wei=action.fees.cap_wei,
            reason=action.reason if isinstance(action, Cancel) else "underpriced",
        )
        return attempt


def _with(intent: Intent, attempt: Attempt) -> Intent:
    older = tuple(
        replace(one, state=AttemptState.SUPERSEDED) if one.state is AttemptState.SIGNED else one
        for one in intent.attempts
    )
    return replace(intent, status=IntentStatus.SIGNED, attempts=(*older, attempt))
