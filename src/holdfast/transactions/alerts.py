"""Which changes of an intent a person must hear of, and what to tell them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.transactions.model import (
    EVENT_MISSING,
    FEE_CEILING,
    TROUBLED,
    IntentStatus,
    NonceUse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId
    from holdfast.transactions.model import Intent, StatusChange

_STUCK: Final = {
    FEE_CEILING: (
        Severity.WARNING,
        "gas costs more than the plan allows: it waits until gas is cheaper, or cancel it",
    ),
    "nonce_gap": (
        Severity.CRITICAL,
        "the chain waits for an earlier nonce that was final and is gone: the chain was reset",
    ),
    "insufficient_funds": (
        Severity.WARNING,
        "the account cannot pay for its gas: send it the native token",
    ),
    "unsigned": (Severity.CRITICAL, "its key cannot sign what is to replace it"),
    "rejected": (Severity.CRITICAL, "no node takes the no-op that is to free its nonce"),
}
_AMBIGUOUS: Final = {
    "foreign_nonce": (
        "its nonce is used and by what is not proved yet: the account sends nothing more until the "
        "search finds it, or `accept-displaced` does"
    ),
    EVENT_MISSING: (
        "it is mined without the event of its leg: its deal waits until a person has looked at the "
        "balances and said `accept-outcome`; the account's other numbers go on"
    ),
    "nonce_behind": "the account's count denies its receipt: a node is wrong, and its deal waits",
}
REOPENED: Final = "tx.reorg_reopened"
"""The code of what a deal is told of when a reorg took back what counted as done."""

_SEE: Final = "`holdfast tx show` has the evidence and the safe actions"


def alerts_of(changes: Iterable[StatusChange]) -> tuple[Alert, ...]:
    """One alert for each change to stuck, ambiguous or displaced, or to another reason for it."""
    alerts = (_alert(change) for change in changes)
    return tuple(alert for alert in alerts if alert is not None)


def ended_of(changes: Iterable[StatusChange]) -> tuple[Ended, ...]:
    """What was told of intents and is over: they are mined or final, or in another trouble.

    Not at once when the cause is gone: gas may cross a ceiling with every block.
    """
    return tuple(one for change in changes if (one := _ended(change)) is not None)


def foreign_use(chain_id: ChainId, sender: Address, signed: int, on_chain: int) -> Alert:
    """The alert for transactions of an account at nonces that we never gave away."""
    return Alert(
        code="tx.foreign_nonce",
        severity=Severity.CRITICAL,
        subject=sender,
        text=(
            f"the key of {sender} is used elsewhere: the chain has {on_chain} of its transactions, "
            f"we signed {signed}"
        ),
        chain_id=chain_id,
        fields={"sender": sender, "signed": signed, "on_chain": on_chain},
    )


def gap_filled(intent: Intent) -> Alert:
    """The alert for a nonce that the chain waited for and that we had given to nobody."""
    return Alert(
        code="tx.gap_filled",
        severity=Severity.WARNING,
        subject=f"{intent.new.sender}:{intent.nonce}",
        text=(
            f"the chain waited for nonce {intent.nonce} of {intent.new.sender}, which nobody held: "
            "a no-op fills it. Look for a reorg or a foreign use of the key"
        ),
        chain_id=intent.new.chain_id,
        deal_id=intent.new.deal_id,
        bank_id=intent.new.participant_bank_id,
        fields={"sender": intent.new.sender, "nonce": intent.nonce, "tx": intent.last.tx_hash},
    )


def _alert(change: StatusChange) -> Alert | None:
    reason = change.reason
    match change.status:
        case IntentStatus.DISPLACED:
            return _about(change, "tx.displaced", Severity.CRITICAL, _displaced(change))
        case IntentStatus.AMBIGUOUS:
            what = _AMBIGUOUS.get(reason, reason)
            text = f"the chain's signals about a transaction disagree ({reason}): {what}; {_SEE}"
            return _about(change, _trouble(reason, is_ambiguous=True), Severity.CRITICAL, text)
        case IntentStatus.STUCK:
            severity, cause = _STUCK.get(reason, (Severity.CRITICAL, reason))
            text = f"a transaction is stuck: {cause}; {_SEE}"
            return _about(change, _trouble(reason, is_ambiguous=False), severity, text)
        case _:
            return None


def _ended(change: StatusChange) -> Ended | None:
    intent = change.intent
    if not intent.reason or change.status is IntentStatus.SENT:
        return None
    subject = str(intent.intent_id)
    if change.status not in TROUBLED:
        return Ended("tx.", subject)
    was_ambiguous = intent.status is IntentStatus.AMBIGUOUS or intent.reason in _AMBIGUOUS
    before = _trouble(intent.reason, is_ambiguous=was_ambiguous)
    after = _trouble(change.reason, is_ambiguous=change.status is IntentStatus.AMBIGUOUS)
    return None if before == after else Ended(before, subject)


def _trouble(reason: str, *, is_ambiguous: bool) -> str:
    return "tx.ambiguous" if is_ambiguous else f"tx.{reason}"


def _displaced(change: StatusChange) -> str:
    sender, nonce = change.intent.new.sender, change.intent.nonce
    if change.evidence.get("moved_by") == NonceUse.AUTHORIZATION:
        what = "an EIP-7702 authorization, which lets other code act for it,"
    else:
        what = "another transaction"
    return (
        f"the key of {sender} is used elsewhere: {what} took nonce {nonce}. "
        f"Nothing of ours happened there; {_SEE}"
    )


def _about(change: StatusChange, code: str, severity: Severity, text: str) -> Alert:
    intent: Intent = change.intent
    return Alert(
        code=code,
        severity=severity,
        subject=str(intent.intent_id),
        text=text,
        chain_id=intent.new.chain_id,
        deal_id=intent.new.deal_id,
        bank_id=intent.new.participant_bank_id,
        fields={"sender": intent.new.sender, "nonce": intent.nonce, **change.evidence},
    )
