"""`holdfast alerts`, `events` and `chores`: what is asked for, what is shown, and the exit code."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from holdfast.common.alerts import Severity
from holdfast.common.evm import address
from holdfast.common.ids import new_deal_id, new_leg_id
from holdfast.entry.cli import alerts as alert_commands
from holdfast.entry.cli import chores as chore_commands
from holdfast.entry.cli import events as event_commands
from holdfast.entry.cli.main import run
from holdfast.monitoring.alerts import Alerts
from holdfast.monitoring.chores import Chores
from holdfast.monitoring.events import Effect, EventKind, KeptEvent, Role
from holdfast.monitoring.records import DeliveryState
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.monitoring.books import NOW, AlertRows, Bell, ChoreRows, Records, kept

__all__ = ["process_as_before"]

OURS, OTHER, TOKEN = (address("0x" + digit * 40) for digit in "123")
DEAL, LEG = new_deal_id(), new_leg_id()
HIGH = 2**100


def kept_event(**changes):
    """A transfer out of a deal's account that we did not cause."""
    plain = KeptEvent(
        block_number=9,
        block_hash="0xblock",
        log_index=3,
        tx_hash="0xtx",
        contract=TOKEN,
        effect=Effect(EventKind.TRANSFER, OURS, OTHER, TOKEN, HIGH),
        account=OURS,
        role=Role.DEAL,
        deal_id=DEAL,
        leg_id=None,
        is_foreign=True,
        is_orphaned=False,
        seen_at=NOW,
    )
    return replace(plain, **changes)


class Desk:
    """The books that the commands see; `events_asked` is what `events list` asked for."""

    def __init__(self):
        self.alerts, self.chores, self.bell = AlertRows(), ChoreRows(), Bell()
        self.events, self.events_asked, self.records = [], [], Records()

    def with_notices(self, context, work):
        chores = Chores(self.bell, self.chores)
        alerts = Alerts(chores, self.records, self.records, self.alerts)
        notices = SimpleNamespace(alerts=alerts, chores=chores)
        return asyncio.run(work("session", notices))

    async def recent(self, session, **asked):
        self.events_asked.append(asked)
        return self.events


@pytest.fixture
def desk(monkeypatch):
    made = Desk()
    monkeypatch.setenv("COLUMNS", "300")  # wide enough that no table is folded
    for each in (alert_commands, chore_commands, event_commands):
        monkeypatch.setattr(each, "with_notices", made.with_notices)
    monkeypatch.setattr(event_commands, "recent", made.recent)
    return made


def said(capsys, *arguments):
    code = run(arguments)
    return code, capsys.readouterr().out


def document(capsys, *arguments):
    code, out = said(capsys, *arguments, "--json")
    return code, json.loads(out)


def cells(out, word):
    """The cells of the one line of a table that has `word` in it."""
    (line,) = [line for line in out.splitlines() if word in line]
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_open_alerts_are_listed_and_all_with_all(desk, capsys):
    closed = replace(kept(2, Severity.CRITICAL), acknowledged_by="alice", acknowledged_at=NOW)
    desk.alerts = AlertRows(kept(1), closed)
    assert [one["alert_id"] for one in document(capsys, "alerts", "list")[1]["alerts"]] == [1]
    _, every = document(capsys, "alerts", "list", "--all")
    assert [one["acknowledged_at"] for one in every["alerts"]] == [None, NOW.isoformat()]
    _, newest = document(capsys, "alerts", "list", "--all", "--limit", "1")
    assert len(newest["alerts"]) == 1


def test_the_table_of_alerts_says_who_has_seen_one_or_how_far_its_delivery_is(desk, capsys):
    delivered = replace(kept(1), delivery=DeliveryState.DELIVERED, count=7)
    desk.alerts = AlertRows(delivered, replace(kept(2, Severity.CRITICAL), acknowledged_by="alice"))
    code, out = said(capsys, "alerts", "list", "--all")
    assert code == 0
    when = "2026-01-01T00:00:00"
    text = "the core balance fell"
    assert cells(out, "warning") == [
        "1", "warning", "core.fell", "0xcore", text, "7", when, "delivered",
    ]  # fmt: skip
    assert cells(out, "critical")[-1] == "seen by alice"


def test_one_alert_is_shown_with_its_facts_and_without_what_is_empty(desk, capsys):
    alert = replace(kept(1, reached={"b", "a"}), deal_id=DEAL, count=0)
    desk.alerts = AlertRows(alert)
    code, out = said(capsys, "alerts", "show", "1")
    lines = {line[:20].strip(): line[21:] for line in out.splitlines()}
    assert code == 0
    assert (lines["deal id"], lines["delivered to"]) == (str(DEAL), "['a', 'b']")
    assert lines["count"] == "0"  # nothing is not none
    assert lines.keys().isdisjoint({"fields", "chain id", "acknowledged by", "delivery error"})


def test_who_acknowledges_is_recorded(desk, capsys):
    desk.alerts = AlertRows(kept(1))
    code, shown = document(
        capsys, "alerts", "ack", "1", "--as", "alice@bank", "--reason", "a drill"
    )
    assert (code, shown["acknowledged_by"]) == (0, "alice@bank")
    (act,) = desk.records.acts
    assert (act.actor, act.detail["reason"]) == ("alice@bank", "a drill")


def test_events_are_listed_with_amounts_as_text(desk, capsys):
    desk.events = [kept_event()]
    code, listed = document(capsys, "events", "list")
    assert code == 0
    assert desk.events_asked == [{"deal": None, "only_foreign": False, "limit": 100}]
    assert listed == {
        "events": [
            {
                "block_number": 9,
                "block_hash": "0xblock",
                "log_index": 3,
                "tx_hash": "0xtx",
                "kind": "transfer",
                "account": OURS,
                "role": "deal",
                "giver": OURS,
                "taker": OTHER,
                "token": TOKEN,
                "amount_units": str(HIGH),
                "contract": TOKEN,
                "deal_id": str(DEAL),
                "leg_id": None,
                "foreign": True,
                "orphaned": False,
                "seen_at": NOW.isoformat(),
            }
        ]
    }


def test_the_events_of_one_deal_that_somebody_else_caused(desk, capsys):
    asked = ["--deal", str(DEAL), "--foreign", "--limit", "5"]
    assert document(capsys, "events", "list", *asked) == (0, {"events": []})
    assert desk.events_asked == [{"deal": DEAL, "only_foreign": True, "limit": 5}]


@pytest.mark.parametrize(
    ("changes", "whose"),
    [
        ({}, "SOMEBODY ELSE'S"),
        ({"is_foreign": False, "leg_id": LEG}, "ours"),
        ({"is_orphaned": True}, "orphaned"),
    ],
)
def test_the_table_of_events_says_whose_doing_each_is(desk, capsys, changes, whose):
    desk.events = [kept_event(**changes)]
    code, out = said(capsys, "events", "list")
    assert code == 0
    shown = cells(out, "transfer")
    assert (shown[0], shown[1], shown[3], shown[-1]) == ("9", "transfer", str(HIGH), "0xtx")
    assert whose in shown


def test_chores_are_listed_with_their_last_error(desk, capsys):
    desk.chores = ChoreRows(alert=20)
    code, listed = document(capsys, "chores", "list")
    (chore,) = listed["chores"]
    assert (code, chore["kind"], chore["attempts"], chore["error"]) == (0, "alert", 20, "no")
    code, out = said(capsys, "chores", "list")
    when = "2026-01-01T00:00:00"
    assert cells(out, "failed") == ["alert", "1", "failed", "20", when, when, "no"]


def test_a_chore_is_retried(desk, capsys):
    desk.chores = ChoreRows(alert=20)
    code, told = document(capsys, "chores", "retry", "alert", "1")
    assert (code, told["was"], told["error"]) == (0, "failed", "no")
    assert desk.bell.rung == [("session", "alert", "1", None)]
    code, out = said(capsys, "chores", "retry", "alert", "1")
    assert (code, out.splitlines()[2].split()) == (0, ["was", "failed"])


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["alerts", "show", "7"], 3, "alert.not_found"),
        (["alerts", "ack", "7", "--as", "alice", "--reason", "a drill"], 3, "alert.not_found"),
        (["alerts", "ack", "7", "--as", "no body", "--reason", "a drill"], 3, "id.principal"),
        (["alerts", "ack", "7"], 2, "usage"),
        (["alerts", "ack", "7", "--as", "alice"], 2, "usage"),
        (["alerts", "show", "first"], 2, "usage"),
        (["alerts", "list", "--limit", "0"], 2, "usage"),
        (["events", "list", "--deal", "mine"], 3, "id.deal"),
        (["events", "list", "--limit", "0"], 2, "usage"),
        (["events", "list", "--limit", "1001"], 2, "usage"),
        (["events", "list", "--theirs"], 2, "usage"),
        (["events", "list", "extra"], 2, "usage"),
        (["chores", "retry", "alert", "1"], 3, "chore.not_found"),
        (["chores", "retry", "alert"], 2, "usage"),
    ],
)
def test_a_wrong_command_line_is_refused_by_code(desk, capsys, arguments, code, named):
    given, error = document(capsys, *arguments)
    assert (given, error["error"]["code"]) == (code, named)
    assert desk.events_asked == []
