"""What a person may do to a deal, and what is recorded of it."""

from dataclasses import replace

import pytest

from holdfast.common.alerts import Ended
from holdfast.common.errors import Rejected
from holdfast.common.ids import BankId, PrincipalId, new_deal_id, new_group_id
from holdfast.execution import desk as desk_module
from holdfast.execution.desk import DealDesk, Order, Treasury
from holdfast.execution.errors import DealNotFound
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from holdfast.risk.trading import TradingState
from holdfast.signing.model import KeyRef
from tests.support.alarm import KeptAlarm
from tests.support.walk import record_of
from tests.unit.execution import fakes
from tests.unit.execution.scene import NOW, PLANS, deal, leg
from tests.unit.planning.world import ACCOUNTS, CHAIN, CORE, DEAL, FLOAT, REQUEST, TREASURY

ALICE, BOB = PrincipalId("alice"), PrincipalId("bob")
PLAN = next(iter(PLANS.values()))


class Keys:
    def __init__(self):
        self.created = []

    async def create(self, deal_id, number):
        self.created.append(number)
        return KeyRef("hd", str(number))

    async def open(self, ref):
        return type("Signer", (), {"address": DEAL, "key_ref": ref})()


class Planner:
    def __init__(self, refuses=None):
        self.refuses = refuses
        self.asked = []

    async def plan(self, request, accounts, booked_core):
        self.asked.append((request, accounts, booked_core))
        if self.refuses is not None:
            raise self.refuses
        return PLAN


class Authorization:
    """Approvals that are enough unless `refuses`."""

    def __init__(self, journal, refuses=None):
        self.journal = journal
        self.refuses = refuses

    async def approve(self, session, deal_id, plan, *, principal, at):
        self.journal.note("approve", deal_id, plan.plan_hash, principal, at)

    async def authorize(self, session, deal_id, plan, *, author):
        self.journal.note("authorize", plan.plan_hash, author)
        if self.refuses is not None:
            raise self.refuses


class Book:
    """An open book; `full` is what it says when a deal would join."""

    def __init__(self, journal, full):
        self.journal, self.full = journal, full

    async def admit(self, session, deal):
        if self.full is not None:
            raise self.full


class Stage:
    def __init__(self, *records, planner=None, refuses=None, trading=None, full=None):
        self.journal = fakes.Journal()
        self.deals = fakes.Deals(self.journal, *records)
        self.keys, self.planner = Keys(), planner or Planner()
        self.desk = DealDesk(
            db=fakes.Db(self.journal),
            deals=self.deals,
            planner=self.planner,
            keys=self.keys,
            authorization=Authorization(self.journal, refuses),
            trading=trading or fakes.TradingStates(),
            audit=fakes.Audit(self.journal),
            wakes=fakes.Wakes(self.journal),
            groups=fakes.Groups(self.journal),
            clock=fakes.Clock(),
            treasury=Treasury(CHAIN, CORE, FLOAT, TREASURY),
            book=Book(self.journal, full),
        )

    @property
    def acts(self):
        return [what[1] for what in self.journal.done if what[0] == "audit"]


@pytest.fixture(autouse=True)
def records_of_new_deals(monkeypatch):
    """A new deal's row, as the database would make it."""

    class NewDeal(desk_module.NewDeal):
        @property
        def record(self):
            return record_of(
                self.plan, deal_id=self.deal_id, author=self.author, status=self.status
            )

    monkeypatch.setattr(desk_module, "NewDeal", NewDeal)


async def test_a_preview_stores_nothing_and_uses_the_next_number():
    stage = Stage()
    assert await stage.desk.preview(REQUEST) is PLAN
    assert stage.journal.done == []
    assert stage.planner.asked == [(REQUEST, ACCOUNTS, 7)]
    assert stage.keys.created == [1]


async def test_a_new_deal_awaits_approval():
    stage = Stage()
    made = await stage.desk.create(REQUEST, author=ALICE, approve_as=None)
    assert (made.status, made.author) == (DealStatus.AWAITING_APPROVAL, ALICE)
    assert stage.journal.names() == ["insert", "audit", "change", "audit"]
    assert [act.action for act in stage.acts] == ["deal.planned", "deal.submit"]
    assert {act.detail["plan_hash"] for act in stage.acts} == {PLAN.plan_hash}
    assert {act.actor for act in stage.acts} == {ALICE}


async def test_a_deal_approved_at_once_is_woken_in_the_same_transaction():
    stage = Stage()
    made = await stage.desk.create(REQUEST, author=ALICE, approve_as=BOB)
    assert (made.status, made.wake_at) == (DealStatus.APPROVED, NOW)
    assert stage.journal.names()[-5:] == ["approve", "authorize", "change", "audit", "wake"]
    _, _, plan_hash, principal, at = stage.journal.last("approve")
    assert (plan_hash, principal, at) == (PLAN.plan_hash, BOB, NOW)
    assert stage.journal.last("authorize")[2] == ALICE
    assert stage.acts[-1].actor == BOB


@pytest.mark.parametrize("state", [TradingState.REDUCING, TradingState.HALTED])
async def test_a_desk_that_takes_on_no_risk_plans_and_approves_nothing(state):
    waiting = deal(status=DealStatus.AWAITING_APPROVAL)
    stage = Stage(waiting, trading=fakes.TradingStates(state))
    order = Order(DealEvent.APPROVE, BOB)
    for ask in (
        stage.desk.preview(REQUEST),
        stage.desk.create(REQUEST, author=ALICE, approve_as=None),
        stage.desk.approve(waiting.deal_id, BOB, waiting.plan.plan_hash),
        stage.desk.check(waiting.deal_id, order),
    ):
        with pytest.raises(Rejected) as refused:
            await ask
        assert refused.value.code == f"desk.{state}"
        assert refused.value.fields["reason"] == "looking into it"
    assert stage.journal.done == []
    assert stage.planner.asked == []


async def test_a_desk_that_stops_while_a_deal_is_planned_approves_nothing():
    stage = Stage(trading=fakes.TradingStates(then=TradingState.HALTED))
    with pytest.raises(Rejected) as refused:
        await stage.desk.create(REQUEST, author=ALICE, approve_as=BOB)
    assert refused.value.code == "desk.halted"
    assert stage.journal.done == []


@pytest.mark.parametrize("event", [DealEvent.HOLD, DealEvent.CLOSE, DealEvent.CANCEL])
async def test_a_halted_desk_takes_orders_that_bring_a_deal_home(event):
    record = deal(status=DealStatus.EXECUTING)
    stage = Stage(record, trading=fakes.TradingStates(TradingState.HALTED))
    await stage.desk.give(record.deal_id, Order(event, BOB))
    assert stage.acts[-1].action == f"deal.{event}"


async def test_a_refused_plan_stores_nothing():
    stage = Stage(planner=Planner(refuses=Rejected("plan.refused", "no")))
    with pytest.raises(Rejected):
        await stage.desk.create(REQUEST, author=ALICE, approve_as=BOB)
    assert stage.journal.done == []


async def test_an_approval_that_does_not_suffice_stores_no_deal():
    stage = Stage(refuses=Rejected("authorization.missing", "two are needed"))
    with pytest.raises(Rejected) as refused:
        await stage.desk.create(REQUEST, author=ALICE, approve_as=ALICE)
    assert refused.value.code == "authorization.missing"
    assert stage.journal.done == []


async def test_a_deal_that_the_book_has_no_room_for_any_more_is_not_approved():
    waiting = deal(status=DealStatus.AWAITING_APPROVAL)
    stage = Stage(waiting, full=Rejected("caps.bank", "full"))
    with pytest.raises(Rejected) as refused:
        await stage.desk.approve(waiting.deal_id, BOB, waiting.plan.plan_hash)
    assert refused.value.code == "caps.bank"
    assert stage.journal.done == []


async def test_a_deal_is_approved_once():
    waiting = deal(status=DealStatus.AWAITING_APPROVAL)
    stage = Stage(waiting)
    approved = await stage.desk.approve(waiting.deal_id, BOB, waiting.plan.plan_hash)
    assert approved.status is DealStatus.APPROVED
    assert stage.journal.names() == ["lock_row", "approve", "authorize", "change", "audit", "wake"]
    with pytest.raises(Rejected) as refused:
        await stage.desk.approve(waiting.deal_id, BOB, waiting.plan.plan_hash)
    assert refused.value.code == "deal.transition"


async def test_a_plan_that_is_not_the_one_looked_at_is_not_approved():
    waiting, other = deal(status=DealStatus.AWAITING_APPROVAL), "0x" + "ab" * 32
    stage = Stage(waiting)
    order = Order(DealEvent.APPROVE, BOB, plan_hash=other)
    for refusing in (
        stage.desk.approve(waiting.deal_id, BOB, other),
        stage.desk.check(waiting.deal_id, order),
    ):
        with pytest.raises(Rejected) as refused:
            await refusing
        assert refused.value.code == "approval.other_plan"
        assert refused.value.fields == {"named": other, "found": waiting.plan.plan_hash}
    assert stage.journal.done == []
    same = replace(order, plan_hash=waiting.plan.plan_hash)
    assert (await stage.desk.check(waiting.deal_id, same)).after is DealStatus.APPROVED


@pytest.mark.parametrize(
    ("event", "status", "after", "reason"),
    [
        (DealEvent.HOLD, DealStatus.EXECUTING, DealStatus.HOLDING, HoldReason.OPERATOR),
        (DealEvent.HOLD, DealStatus.CLOSING, DealStatus.HOLDING, HoldReason.OPERATOR),
        (DealEvent.RESUME, DealStatus.HOLDING, DealStatus.EXECUTING, None),
        (DealEvent.CLOSE, DealStatus.EXECUTING, DealStatus.CLOSING, None),
        (DealEvent.CLOSE, DealStatus.HOLDING, DealStatus.CLOSING, None),
        (DealEvent.CANCEL, DealStatus.APPROVED, DealStatus.CANCELLED, None),
        (DealEvent.CANCEL, DealStatus.PLANNED, DealStatus.CANCELLED, None),
    ],
)
async def test_an_order_changes_the_deal_is_recorded_and_wakes_it(event, status, after, reason):
    record = deal(status=status)
    stage = Stage(record)
    order = Order(event, BOB)
    shown = await stage.desk.check(record.deal_id, order)
    assert (shown.before, shown.after) == (status, after)
    assert stage.journal.done == []  # shown only
    done = await stage.desk.give(record.deal_id, order)
    assert (done.status, done.hold_reason) == (after, reason)
    assert stage.journal.names() == ["lock_row", "change", "audit", "wake"]
    (act,) = stage.acts
    assert (act.actor, act.action) == (BOB, f"deal.{event}")
    assert act.detail["before"] == status


async def test_tokens_still_to_be_redeemed_are_given_up_only_when_said():
    record = deal(status=DealStatus.HOLDING, exposure=5)
    stage = Stage(record)
    for ask in (stage.desk.check, stage.desk.give):
        with pytest.raises(Rejected) as refused:
            await ask(record.deal_id, Order(DealEvent.CLOSE, BOB))
        assert refused.value.code == "deal.claim_open"
        assert refused.value.fields == {"value": 5}
    done = await stage.desk.give(record.deal_id, Order(DealEvent.CLOSE, BOB, keep_claim=True))
    assert (done.status, done.keep_claim) == (DealStatus.CLOSING, True)


async def test_a_claim_once_given_up_stays_given_up():
    record = deal(status=DealStatus.CLOSING, keep_claim=True)
    done = await Stage(record).desk.give(record.deal_id, Order(DealEvent.HOLD, BOB))
    assert done.keep_claim


async def test_a_deal_under_way_is_not_cancelled():
    record = deal(status=DealStatus.EXECUTING, legs=(leg(),), group_id=new_group_id())
    with pytest.raises(Rejected) as refused:
        await Stage(record).desk.give(record.deal_id, Order(DealEvent.CANCEL, BOB))
    assert refused.value.code == "deal.under_way"
    assert "`deal hold` first" in refused.value.message


async def test_a_deal_is_found_or_said_not_to_be_there():
    record = deal()
    stage = Stage(record)
    assert await stage.desk.find(record.deal_id) == record
    with pytest.raises(DealNotFound) as missing:
        await stage.desk.find(new_deal_id())
    assert missing.value.code == "deal.not_found"


async def test_deals_are_listed_by_status_and_bank():
    held, other = deal(status=DealStatus.HOLDING), replace(deal(), bank=BankId("BANK002"))
    desk = Stage(held, other).desk
    assert await desk.recent(status=DealStatus.HOLDING) == [held]
    assert await desk.recent(bank=BankId("BANK002")) == [other]
    assert await desk.recent(limit=1) == [held]


@pytest.mark.parametrize("event", [DealEvent.HOLD, DealEvent.CLOSE])
async def test_only_a_hold_gives_up_what_is_under_way(event):
    group = new_group_id()
    legs = (leg(LegKind.FUND, status=LegStatus.SENT, group_id=group),)
    record = deal(status=DealStatus.EXECUTING, group_id=group, legs=legs)
    stage = Stage(record)
    await stage.desk.give(record.deal_id, Order(event, BOB))
    cancelled = [what for what in stage.journal.done if what[0] == "cancel_group"]
    assert cancelled == ([("cancel_group", group)] if event is DealEvent.HOLD else [])


async def test_a_hold_with_nothing_under_way_gives_nothing_up():
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    stage = Stage(record)
    await stage.desk.give(record.deal_id, Order(DealEvent.HOLD, BOB))
    assert "cancel_group" not in stage.journal.names()


@pytest.mark.parametrize("event", [DealEvent.RESUME, DealEvent.HOLD])
async def test_an_order_to_go_on_ends_what_was_told_of_the_deal(event):
    status = DealStatus.HOLDING if event is DealEvent.RESUME else DealStatus.EXECUTING
    record, alarm = deal(status=status), KeptAlarm()
    await replace(Stage(record).desk, alarm=alarm).give(record.deal_id, Order(event, BOB))
    ended = [Ended("deal.", str(record.deal_id))]
    assert alarm.over == (ended if event is DealEvent.RESUME else [])
