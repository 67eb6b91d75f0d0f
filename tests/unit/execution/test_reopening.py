"""Which deals go back, stop, or stay as they are when a reorg takes final transactions back."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from holdfast.common.alerts import Severity
from holdfast.common.ids import new_intent_id, new_leg_id
from holdfast.execution.reopening import Reopening
from holdfast.model.deal import TERMINAL, DealStatus, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from holdfast.transactions.model import IntentStatus, Place
from holdfast.transactions.unmined import Orphan
from tests.support.alarm import KeptAlarm
from tests.unit.execution import fakes
from tests.unit.execution.scene import NOW, deal, leg

EXECUTING, HOLDING = DealStatus.EXECUTING, DealStatus.HOLDING
CAN_HOLD = {EXECUTING, HOLDING, DealStatus.CLOSING}


class LockedDeals(fakes.Deals):
    async def load_locked(self, session, deal_id):
        self.journal.note("lock", deal_id)
        return await self.load(session, deal_id)


class Books(fakes.Books):
    async def reopen(self, session, before, after, *, first, wake_at, no_ops=()):
        self.journal.note("reopen", after, first, wake_at, list(no_ops))


def desk(*records):
    """A reopening over `records`, with what it did and whom it told."""
    journal, alarm = fakes.Journal(), KeptAlarm()
    reopening = Reopening(
        finality=4,
        deals=LockedDeals(journal, *records),
        books=Books(journal),
        audit=fakes.Audit(journal),
        wakes=fakes.Wakes(journal),
        alarm=alarm,
        clock=fakes.Clock(),
    )
    return SimpleNamespace(
        reopened=reopening.reopened, lost=reopening.lost, journal=journal, alarm=alarm
    )


def running(status=EXECUTING, **changes):
    legs = (leg(LegKind.WRAP, block_number=88), leg(LegKind.SUPPLY, block_number=89))
    return deal(status=status, legs=legs, **changes)


def orphan(record, index=0, *, number=fakes.GONE, leg_id=None):
    return Orphan(
        intent_id=new_intent_id(),
        leg_id=leg_id or record.legs[index].leg_id,
        deal_id=record.deal_id,
        status=IntentStatus.LANDED,
        tx_hash=f"0x{index:064x}",
        block=Place(number, "0x" + "cd" * 32),
    )


def steps(made):
    return [what[0] for what in made.journal.pending]


def noted(made, name):
    return [what[1:] for what in made.journal.pending if what[0] == name]


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize(
    ("call", "said"),
    [("reopened", "the same bytes were sent again"), ("lost", "nothing was resent")],
)
async def test_the_alert_about_a_deal_that_is_over_says_what_became_of_the_bytes(
    call, said, status
):
    record = running(status)
    made = desk(record)
    await getattr(made, call)("session", [orphan(record)])
    (alert,) = made.alarm.alerts
    assert (alert.code, alert.severity) == ("tx.final_reorged", Severity.CRITICAL)
    assert said in alert.text
    assert steps(made) == ["lock"]  # the deal itself stays as it is


async def test_a_deal_under_way_goes_back_is_recorded_told_and_woken():
    record = running()
    made = desk(record)
    await made.reopened("session", [orphan(record, 1, number=89), orphan(record, 0, number=88)])
    assert steps(made) == ["lock", "reopen", "audit", "wake"]
    ((after, first, wake_at, _),) = noted(made, "reopen")
    assert [one.status for one in after.legs] == [LegStatus.SENT, LegStatus.SENT]
    assert (first, wake_at) == (88, NOW)
    ((act,),) = noted(made, "audit")
    assert (act.action, act.actor) == ("deal.reopened", "chain")
    assert act.detail["blocks"] == [88, 89]
    assert act.detail["legs"] == [record.legs[1].label, record.legs[0].label]
    (alert,) = made.alarm.alerts
    assert (alert.code, alert.severity) == ("tx.reorg_reopened", Severity.WARNING)
    assert noted(made, "wake") == [(record.deal_id,)]


async def test_only_the_leg_that_is_gone_is_under_way_again():
    record = running()
    made = desk(record)
    await made.reopened("session", [orphan(record, 1)])
    ((after, *_),) = noted(made, "reopen")
    assert [one.status for one in after.legs] == [LegStatus.LANDED, LegStatus.SENT]


async def test_a_no_op_of_no_leg_is_taken_back_by_its_hash():
    record = running()
    made = desk(record)
    gone = orphan(record, leg_id=new_leg_id())
    unmined = replace(orphan(record, leg_id=new_leg_id()), tx_hash=None)
    await made.reopened("session", [gone, unmined, orphan(record, 1)])
    ((*_, no_ops),) = noted(made, "reopen")
    assert no_ops == [gone.tx_hash]
    assert made.alarm.alerts[0].fields["legs"] == ["no-op", "no-op", record.legs[1].label]


async def test_each_deal_goes_back_once_and_deals_are_locked_in_one_order():
    first, second = sorted((running(), running()), key=lambda one: one.deal_id)
    made = desk(first, second)
    orphans = [orphan(second), orphan(first), orphan(second, 1)]
    await made.reopened("session", orphans)
    assert noted(made, "lock") == [(first.deal_id,), (second.deal_id,)]
    assert noted(made, "wake") == [(first.deal_id,), (second.deal_id,)]
    assert [len(one.fields["legs"]) for one in made.alarm.alerts] == [1, 2]


async def test_of_two_deals_the_one_that_is_over_stays_and_the_other_goes_back():
    over, under_way = running(DealStatus.COMPLETED), running()
    made = desk(over, under_way)
    await made.reopened("session", [orphan(over), orphan(under_way)])
    assert noted(made, "wake") == [(under_way.deal_id,)]
    assert sorted(made.alarm.codes) == ["tx.final_reorged", "tx.reorg_reopened"]


@pytest.mark.parametrize("status", sorted(set(DealStatus) - CAN_HOLD))
async def test_a_deal_that_cannot_hold_is_only_told_of_what_was_lost(status):
    record = running(status)
    made = desk(record)
    await made.lost("session", [orphan(record)])
    assert made.alarm.codes == ["tx.final_reorged"]
    assert steps(made) == ["lock"]


@pytest.mark.parametrize("status", sorted(CAN_HOLD - {HOLDING}))
async def test_a_deal_that_lost_what_was_final_holds_and_is_not_resumed_by_itself(status):
    record = running(status)
    made = desk(record)
    await made.lost("session", [orphan(record)])
    assert steps(made) == ["lock", "change", "audit"]
    assert noted(made, "change") == [({"status": "holding", "hold_reason": "reorg"},)]
    ((act,),) = noted(made, "audit")
    assert (act.detail["before"], act.detail["after"]) == (str(status), "holding")
    assert made.alarm.codes == ["tx.final_reorged"]


async def test_a_deal_that_holds_already_holds_for_the_reorg():
    record = running(HOLDING, hold_reason=HoldReason.OPERATOR)
    made = desk(record)
    await made.lost("session", [orphan(record)])
    assert noted(made, "change") == [({"status": "holding", "hold_reason": "reorg"},)]
    assert made.alarm.codes == ["tx.final_reorged"]


async def test_nothing_is_locked_or_told_when_nothing_was_taken_back():
    made = desk(running())
    await made.reopened("session", [])
    await made.lost("session", [])
    assert (made.journal.pending, made.alarm.alerts) == ([], [])
