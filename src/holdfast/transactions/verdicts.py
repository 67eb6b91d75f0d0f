"""From an action to the status that is written for it, and the log entry that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from holdfast.transactions.actions import (
    Action,
    Clear,
    Settle,
    Stuck,
    Unclear,
    Wait,
)
from holdfast.transactions.model import TROUBLED, IntentStatus, StatusChange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.transactions.model import Intent

log = structlog.stdlib.get_logger(__name__)

_TROUBLE: Final = {*TROUBLED, IntentStatus.DISPLACED}


def changes_of(decided: Iterable[tuple[Intent, Action]]) -> tuple[StatusChange, ...]:
    """The changes among decisions; none for what an intent is already, for the same reason."""
    changes = (_change(intent, action) for intent, action in decided)
    return tuple(one for one in changes if one is not None and one.is_news)


def _change(intent: Intent, action: Action) -> StatusChange | None:
    match action:
        case Settle(status, evidence):
            return StatusChange(intent, status, evidence)
        case Unclear(reason, evidence) | Stuck(reason, evidence):
            is_stuck = isinstance(action, Stuck)
            status = IntentStatus.STUCK if is_stuck else IntentStatus.AMBIGUOUS
            return StatusChange(intent, status, {"reason": reason, **evidence})
        case Clear():
            return StatusChange(intent, IntentStatus.SENT, _remembered(intent))
        case Wait() if intent.receipt is not None:
            return StatusChange(intent, IntentStatus.MINED, _remembered(intent))
        case _:
            return None


def _remembered(intent: Intent) -> dict[str, object]:
    """Why it was in trouble: what people were told of that ends when it is mined."""
    return {"reason": intent.reason} if intent.reason else {}


def log_changes(changes: Iterable[StatusChange]) -> None:
    """One event a change: `tx.landed`, `tx.stuck` and so on."""
    for change in changes:
        intent = change.intent
        bound = log.bind(**intent.new.log_ids, nonce=intent.nonce)
        if change.status in _TROUBLE:
            bound.error(f"tx.{change.status}", **change.evidence)
        else:
            tx = intent.receipt.tx_hash if intent.receipt else intent.last.tx_hash
            bound.info(f"tx.{change.status}", tx=tx)
