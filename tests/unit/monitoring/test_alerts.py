"""Who hears of an alert: what is put on its way, what reaches which target, and what is left."""

from dataclasses import replace

import pytest

from holdfast.audit.service import DESK
from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Rejected, Transient
from holdfast.common.ids import new_deal_id, principal_id
from holdfast.monitoring.alerts import Alerts, Delivery
from holdfast.monitoring.chores import Chores
from tests.unit.monitoring.books import AlertRows, Bell, ChoreRows, Db, Records, kept

ALICE = principal_id("alice")


class Target:
    """Takes alerts, or says why not."""

    def __init__(self, name, least=Severity.WARNING, refuses=""):
        self.name, self.least, self.refuses = name, least, refuses
        self.taken = []

    async def send(self, alert):
        if self.refuses:
            raise Transient("alert.undelivered", self.refuses)
        self.taken.append(alert.alert_id)


def alerts_of(book, bell=None, records=None):
    records = records or Records()
    return Alerts(Chores(bell or Bell(), ChoreRows()), records, records, book)


async def test_alerts_are_recorded_in_one_order_whatever_the_order_they_are_raised_in():
    """Two transactions that raise the same two would otherwise wait for each other."""
    book = AlertRows()
    raised = [Alert(code, Severity.INFO, subject, "") for code, subject in ("b1", "a2", "a1")]
    await alerts_of(book).raised("session", *raised)
    assert book.put_in_order == [("a", "1"), ("a", "2"), ("b", "1")]


async def test_only_an_alert_that_nobody_was_told_of_is_put_on_its_way():
    bell, book = Bell(), AlertRows(told={"known"})
    news = [Alert("a.b", Severity.INFO, subject, "") for subject in ("known", "new")]
    await alerts_of(book, bell).raised("session", *news)
    assert bell.rung == [("session", "alert", "2", None)]


async def test_an_alert_is_listed_until_it_is_acknowledged_and_with_all_afterwards():
    alerts = alerts_of(AlertRows(kept(1), kept(2)))
    closed = await alerts.acknowledge("session", 1, ALICE, "known")
    assert (closed.alert_id, closed.acknowledged_by) == (1, "alice")
    assert [one.alert_id for one in await alerts.listed("session")] == [2]
    found = await alerts.listed("session", with_closed=True)
    assert [one.alert_id for one in found] == [1, 2]


@pytest.mark.parametrize("ask", ["shown", "acknowledge"])
async def test_an_alert_that_there_is_not_is_refused(ask):
    alerts = alerts_of(AlertRows(kept(1)))
    arguments = [ALICE, "known"] if ask == "acknowledge" else []
    with pytest.raises(Rejected) as refused:
        await getattr(alerts, ask)("session", 7, *arguments)
    assert (refused.value.code, refused.value.fields["alert_id"]) == ("alert.not_found", 7)


@pytest.mark.parametrize("deal", [None, new_deal_id()])
async def test_who_acknowledged_and_why_is_recorded_once_under_its_lock(deal):
    records, book = Records(), AlertRows(replace(kept(1), deal_id=deal))
    for who in (ALICE, principal_id("bob")):
        await alerts_of(book, records=records).acknowledge("session", 1, who, "a drill")
    assert records.locked == [deal or "desk"] * 2
    (act,) = records.acts
    assert (act.deal_id, act.actor, act.detail["reason"]) == (deal or DESK, ALICE, "a drill")


async def test_an_alert_is_not_acknowledged_without_a_reason():
    records, book = Records(), AlertRows(kept(1))
    with pytest.raises(Rejected) as refused:
        await alerts_of(book, records=records).acknowledge("session", 1, ALICE, " ")
    assert refused.value.code == "alert.reason"
    assert (book.rows[1].acknowledged_by, records.acts) == (None, [])


async def test_what_ended_is_closed_in_one_order():
    book = AlertRows()
    await alerts_of(book).ended("session", Ended("b.", "1"), Ended("a.", "2"))
    assert book.ended == [("a.", "2"), ("b.", "1")]


async def test_an_alert_goes_to_every_target_that_wants_so_grave_a_one():
    targets = [Target(str(each), each) for each in Severity]
    book = AlertRows(kept(1, Severity.WARNING))
    await Delivery(Db(), targets, book)("1")
    assert [one.name for one in targets if one.taken] == ["info", "warning"]
    assert book.noted == [(1, ["info", "warning"], True)]


async def test_a_target_that_has_the_alert_is_left_alone():
    had, lacks = Target("had"), Target("lacks")
    book = AlertRows(kept(1, reached={"had"}))
    await Delivery(Db(), [had, lacks], book)("1")
    assert (had.taken, lacks.taken) == ([], [1])
    assert book.noted == [(1, ["had", "lacks"], True)]


async def test_what_one_target_refuses_is_noted_as_undelivered_and_kept_from_no_other():
    book = AlertRows(kept(1))
    targets = [Target("one", refuses="it is down"), Target("two"), Target("three", refuses="busy")]
    with pytest.raises(Transient) as refused:
        await Delivery(Db(), targets, book)("1")
    assert (refused.value.code, refused.value.message) == ("alert.undelivered", "it is down; busy")
    assert targets[1].taken == [1]
    assert book.noted == [(1, ["two"], False)]


async def test_while_targets_are_called_no_transaction_is_open():
    class Open(Db):
        is_open = False

        def begin(self):
            outer, made = self, super().begin()

            class Noted:
                async def __aenter__(self):
                    outer.is_open = True
                    return await made.__aenter__()

                async def __aexit__(self, *error):
                    outer.is_open = False
                    return await made.__aexit__(*error)

            return Noted()

    db, found = Open(), []

    class Looks(Target):
        async def send(self, alert):
            found.append(db.is_open)

    await Delivery(db, [Looks("one")], AlertRows(kept(1)))("1")
    assert (found, db.begun) == ([False], 2)


async def test_the_delivery_of_an_alert_that_there_is_not_is_refused():
    with pytest.raises(Rejected, match="no alert 7"):
        await Delivery(Db(), [], AlertRows())("7")
