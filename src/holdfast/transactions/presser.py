"""Signs and records what replaces an attempt: the same call dearer, or a no-op."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from holdfast.model.leg import Call
from holdfast.signing.model import TxFields
from holdfast.signing.transaction import sign_transaction
from holdfast.transactions.model import Attempt, AttemptState, IntentStatus, Purpose
from holdfast.transactions.send_state import Cancel, Replace

if TYPE_CHECKING:
    from holdfast.signing.model import Fees
    from holdfast.transactions.model import Intent
    from holdfast.transactions.parts import Parts, Shared

log = structlog.stdlib.get_logger(__name__)

_TRANSFER_GAS: Final = 21_000
"""What a plain transfer costs. Source: Ethereum Yellow Paper, appendix G, G_transaction."""


class Presser:
    """Adds attempts to live intents; each keeps its intent's nonce."""

    def __init__(self, parts: Parts, shared: Shared) -> None:
        self._parts = parts
        self._shared = shared

    async def press(self, intent: Intent, action: Replace | Cancel) -> None:
        """Record the attempt that `action` asks for, and have it sent.

        Raises:
            Transient: the journal did not answer; nothing was recorded.
            Broken: `signing.wrong_key`.
        """
        attempt = await self._attempt(intent, action)
        shared = self._shared
        async with shared.gate:
            if not await self._parts.journal.add_attempt(intent, attempt):
                shared.live.replace_all(await self._parts.journal.live())
                return
            shared.live.put([_with(shared.live.get(intent.intent_id) or intent, attempt)])
        shared.to_send.set()

    async def _attempt(self, intent: Intent, action: Replace | Cancel) -> Attempt:
        number = intent.last.attempt_no + 1
        if isinstance(action, Cancel) or intent.last.purpose is Purpose.CANCEL:
            call, gas, purpose = Call(intent.new.sender, b""), _TRANSFER_GAS, Purpose.CANCEL
        else:
            call, gas, purpose = intent.new.call, intent.new.gas_limit, Purpose.CALL
        attempt = await self._signed(intent, call, gas, action.fees)
        log.warning(
            "tx.replaced" if purpose is Purpose.CALL else "tx.cancelling",
            **intent.new.log_ids,
            nonce=intent.nonce,
            attempt=number,
            tx=attempt.tx_hash,
            cap_wei=action.fees.cap_wei,
            reason=action.reason if isinstance(action, Cancel) else "underpriced",
        )
        return replace(attempt, attempt_no=number, purpose=purpose)

    async def _signed(self, intent: Intent, call: Call, gas: int, fees: Fees) -> Attempt:
        signer = await self._parts.keys.open(intent.new.key)
        fields = TxFields(
            intent.new.chain_id, intent.nonce, call.target, call.data, call.value_wei, gas, fees
        )
        tx = await sign_transaction(signer, fields)
        self._parts.boundary("tx.after_sign")
        return Attempt(0, Purpose.CALL, tx.tx_hash, tx.raw, fees)


def _with(intent: Intent, attempt: Attempt) -> Intent:
    older = tuple(
        replace(one, state=AttemptState.SUPERSEDED) if one.state is AttemptState.SIGNED else one
        for one in intent.attempts
    )
    return replace(intent, status=IntentStatus.SIGNED, attempts=(*older, attempt))
