import asyncio
from dataclasses import replace

import pytest

from holdfast.common.alerts import Ended, Severity
from holdfast.transactions.alerts import alerts_of, ended_of
from holdfast.transactions.model import IntentStatus, StatusChange
from tests.support.transactions import group, intents_of

(INTENT,) = asyncio.run(intents_of(group(1), first_nonce=4))


def alert_of(status, **evidence):
    (alert,) = alerts_of([StatusChange(INTENT, status, evidence)])
    return alert


def test_a_displaced_intent_says_that_the_key_is_used_elsewhere():
    alert = alert_of(IntentStatus.DISPLACED, reason="foreign_nonce", foreign_tx_hash="0xabc")
    assert (alert.code, alert.severity) == ("tx.displaced", Severity.CRITICAL)
    assert alert.subject == str(INTENT.intent_id)
    assert (alert.chain_id, alert.deal_id) == (INTENT.new.chain_id, INTENT.new.deal_id)
    assert alert.fields["foreign_tx_hash"] == "0xabc"
    assert alert.fields["nonce"] == 4
    assert INTENT.new.sender in alert.text


def test_an_intent_displaced_by_an_authorization_says_that_other_code_may_act_for_the_account():
    alert = alert_of(IntentStatus.DISPLACED, reason="foreign_nonce", moved_by="authorization")
    assert "EIP-7702" in alert.text


def test_an_ambiguous_intent_names_what_disagrees():
    alert = alert_of(IntentStatus.AMBIGUOUS, reason="event_missing")
    assert (alert.code, alert.severity) == ("tx.ambiguous", Severity.CRITICAL)
    assert "event_missing" in alert.text
    assert "accept-outcome" in alert.text  # what to do is said plainly


@pytest.mark.parametrize(
    ("reason", "severity"),
    [
        ("fee_ceiling", Severity.WARNING),
        ("insufficient_funds", Severity.WARNING),
        ("nonce_gap", Severity.CRITICAL),
        ("rejected", Severity.CRITICAL),
        ("something_new", Severity.CRITICAL),
    ],
)
def test_a_stuck_intent_alerts_by_its_reason(reason, severity):
    alert = alert_of(IntentStatus.STUCK, reason=reason)
    assert (alert.code, alert.severity) == (f"tx.{reason}", severity)


@pytest.mark.parametrize(
    "status",
    [IntentStatus.LANDED, IntentStatus.REVERTED, IntentStatus.CANCELLED, IntentStatus.MINED],
)
def test_what_goes_as_it_should_alerts_nobody(status):
    assert alerts_of([StatusChange(INTENT, status)]) == ()


def over(status, reason, then, now=""):
    """What is over once an intent in trouble for `reason` changes to `then`."""
    before = replace(INTENT, status=status, reason=reason)
    return ended_of([StatusChange(before, then, {"reason": now})])


ALL = (Ended("tx.", str(INTENT.intent_id)),)
SENT, STUCK, AMBIGUOUS = IntentStatus.SENT, IntentStatus.STUCK, IntentStatus.AMBIGUOUS


@pytest.mark.parametrize(
    "then",
    [
        IntentStatus.MINED,
        IntentStatus.LANDED,
        IntentStatus.REVERTED,
        IntentStatus.CANCELLED,
        IntentStatus.DISPLACED,
    ],
)
@pytest.mark.parametrize(
    ("status", "reason"),
    [(STUCK, "fee_ceiling"), (SENT, "fee_ceiling"), (AMBIGUOUS, "foreign_nonce")],
)
def test_what_was_told_of_a_transaction_ends_when_it_is_mined_or_final(status, reason, then):
    assert over(status, reason, then) == ALL


def test_what_was_told_does_not_end_because_the_cause_is_gone_for_the_moment():
    assert over(STUCK, "fee_ceiling", SENT, "fee_ceiling") == ()


def test_one_trouble_after_another_ends_what_was_told_of_the_first():
    subject = str(INTENT.intent_id)
    told = over(STUCK, "fee_ceiling", STUCK, "nonce_gap")
    assert told == (Ended("tx.fee_ceiling", subject),)
    told = over(STUCK, "fee_ceiling", AMBIGUOUS, "foreign_nonce")
    assert told == (Ended("tx.fee_ceiling", subject),)
    told = over(AMBIGUOUS, "foreign_nonce", STUCK, "nonce_gap")
    assert told == (Ended("tx.ambiguous", subject),)
    told = over(SENT, "foreign_nonce", STUCK, "nonce_gap")
    assert told == (Ended("tx.ambiguous", subject),)
    # another reason for the same doubt is the same alert, raised again
    assert over(AMBIGUOUS, "foreign_nonce", AMBIGUOUS, "nonce_behind") == ()
    assert over(STUCK, "fee_ceiling", STUCK, "fee_ceiling") == ()


def test_nothing_ends_for_a_transaction_that_never_was_in_trouble():
    assert over(SENT, "", IntentStatus.LANDED) == ()
