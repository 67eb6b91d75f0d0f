"""What follows from changes that were written: who is told, what is given up, who is woken."""

from dataclasses import replace

import pytest

from holdfast.transactions.consequences import consequences_of
from holdfast.transactions.model import (
    FINAL,
    Delivery,
    IntentStatus,
    Sent,
    StatusChange,
)
from tests.support.transactions import group, intents_of

LANDED, AMBIGUOUS, STUCK = IntentStatus.LANDED, IntentStatus.AMBIGUOUS, IntentStatus.STUCK
SENT = Sent(1, 1_000.0, Delivery.ACCEPTED)


async def intents(count=1, sent=SENT):
    made = await intents_of(group(count))
    return [replace(one, attempts=(replace(one.last, sent=sent),)) for one in made]


def following(*changes):
    return consequences_of(changes, {one.intent.intent_id for one in changes})


@pytest.mark.parametrize("status", IntentStatus)
async def test_a_group_may_be_final_only_after_one_of_its_intents_is(status):
    (one,) = await intents()
    groups = following(StatusChange(one, status)).groups
    assert groups == ({one.new.group_id} if status in FINAL else set())


async def test_only_an_ambiguous_intent_wakes_its_deal_before_the_group_is_final():
    first, second = await intents(2)
    found = following(StatusChange(first, AMBIGUOUS), StatusChange(second, STUCK))
    assert found.unclear == {first.new.deal_id}
    assert following(StatusChange(second, STUCK)).unclear == set()
    assert following(StatusChange(second, LANDED)).unclear == set()


async def test_one_that_is_ambiguous_no_longer_wakes_its_deal_which_holds_for_it():
    (one,) = await intents()
    was = replace(one, status=AMBIGUOUS, reason="foreign_nonce")
    assert following(StatusChange(was, IntentStatus.SENT)).unclear == {one.new.deal_id}
    was = replace(one, status=STUCK, reason="fee_ceiling")
    assert following(StatusChange(was, IntentStatus.SENT)).unclear == set()


async def test_bytes_that_never_went_out_are_given_up_once_the_intent_is_final():
    (sent,), (unsent,) = await intents(), await intents(sent=None)
    found = following(StatusChange(sent, LANDED), StatusChange(unsent, IntentStatus.CANCELLED))
    assert found.never_sent == (unsent.intent_id,)
    assert following(StatusChange(unsent, STUCK)).never_sent == ()


async def test_people_are_told_of_what_was_written():
    ambiguous, landed = await intents(2)
    found = following(
        StatusChange(ambiguous, AMBIGUOUS, {"reason": "event_missing"}),
        StatusChange(landed, LANDED),
    )
    assert [one.code for one in found.alerts] == ["tx.ambiguous"]
    assert found.alerts[0].subject == str(ambiguous.intent_id)


@pytest.mark.parametrize("status", [LANDED, AMBIGUOUS])
async def test_nothing_follows_from_a_change_that_another_loop_wrote_first(status):
    (one,) = await intents(sent=None)
    found = consequences_of([StatusChange(one, status)], set())
    assert (found.alerts, found.never_sent, found.groups, found.unclear) == ((), (), set(), set())
