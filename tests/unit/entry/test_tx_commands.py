"""`holdfast tx`: what reaches the inbox, and how cases, evidence and plans are shown."""

import contextlib
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.ids import new_intent_id
from holdfast.entry.cli import session
from holdfast.entry.cli.main import run
from holdfast.entry.cli.tx_view import case_view, shown_view
from holdfast.transactions.inbox import Shown
from holdfast.transactions.model import IntentStatus
from holdfast.transactions.repair_plans import offered
from holdfast.transactions.repairs import Repair, RepairOrder, Stated
from tests.support.transactions import CEILING, GWEI, SOMEBODY
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.transactions.test_repair_plans import (
    HASH,
    NONCE,
    OTHER,
    PERSON,
    SILENT,
    STUCK_CASE,
    block,
    case,
    facts,
    plan,
    receipt,
    use,
)

__all__ = ["process_as_before"]

INTENT = str(new_intent_id())
REASON = ["--reason", "seen on the explorer"]


class Inbox:
    """Keeps what it is asked; each case has a plan for every repair that it is offered."""

    def __init__(self):
        self.asked, self.found, self.facts, self.refuses = [], [], facts(), None

    async def cases(self):
        return self.found

    async def show(self, intent_id, by):
        self.asked.append(("show", str(intent_id), by))
        (found,) = self.found
        plans = tuple(plan(each, found, self.facts) for each in offered(found))
        return Shown(found, self.facts, plans)

    async def plan(self, intent_id, order):
        return self._made("plan", intent_id, order)

    async def carry_out(self, intent_id, order):
        return self._made("carry_out", intent_id, order)

    def _made(self, what, intent_id, order):
        self.asked.append((what, str(intent_id), order))
        if self.refuses is not None:
            raise self.refuses
        return plan(order.repair, STUCK_CASE, self.facts)


@pytest.fixture
def inbox(monkeypatch):
    """The inbox of a system that needs neither node nor database."""
    made = Inbox()

    @contextlib.asynccontextmanager
    async def opened(settings):
        yield SimpleNamespace(inbox=made)

    monkeypatch.setenv("COLUMNS", "300")  # wide enough that no table is folded
    monkeypatch.setattr(session, "opened", opened)
    return made


def said(capsys, *arguments):
    code = run(["tx", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys, *arguments):
    code, out, _ = said(capsys, *arguments, "--json")
    return code, json.loads(out)


def row(out, name):
    """What a table without a header shows of `name`."""
    (line,) = [line for line in out.splitlines() if line.strip(" │").startswith(f"{name} ")]
    return " ".join(line.strip(" │").removeprefix(name).replace("│", " ").split())


def test_an_empty_inbox_says_so(inbox, capsys):
    assert said(capsys, "inbox")[:2] == (0, "Nothing is in doubt.\n")
    assert document(capsys, "inbox") == (0, {"cases": []})


def test_the_inbox_lists_each_case_with_why_and_what_may_be_done(inbox, capsys):
    waits = case(IntentStatus.AMBIGUOUS, "nonce_behind")
    inbox.found = [STUCK_CASE, waits]
    code, out, _ = said(capsys, "inbox")
    assert code == 0
    stuck, ambiguous = [line for line in out.splitlines() if "2026-01-01 00:00:00" in line]
    assert "fee_ceiling" in stuck
    assert "rebroadcast, cancel" in stuck
    assert "nonce_behind" in ambiguous
    assert "wait" in ambiguous


def test_a_case_as_json_has_amounts_as_text_and_its_attempts(inbox, capsys):
    inbox.found = [STUCK_CASE]
    _, listed = document(capsys, "inbox")
    (shown,) = listed["cases"]
    assert (shown["nonce"], shown["status"], shown["reason"]) == (NONCE, "stuck", "fee_ceiling")
    assert (shown["value_wei"], shown["fee_ceiling_wei"]) == ("1", str(CEILING))
    assert shown["receipt"] is None
    assert shown["attempts"] == [
        {
            "attempt_no": 1,
            "purpose": "call",
            "tx_hash": HASH,
            "cap_wei": str(2 * GWEI),
            "tip_wei": str(GWEI),
            "state": "sent",
            "sent_block": 90,
            "sent_at_seconds": 1000.0,
            "delivery": "accepted",
        }
    ]


def test_an_attempt_that_was_never_sent_has_no_answer_yet():
    (attempt,) = STUCK_CASE.intent.attempts
    unsent = replace(STUCK_CASE.intent, attempts=(replace(attempt, sent=None),))
    (shown,) = case_view(replace(STUCK_CASE, intent=unsent))["attempts"]
    assert (shown["sent_block"], shown["sent_at_seconds"], shown["delivery"]) == (None,) * 3


def test_a_receipt_is_shown_with_its_block():
    at = block(98)
    assert case_view(SILENT)["receipt"] == {
        "tx_hash": HASH,
        "block": {"number": 98, "hash": at.hash, "timestamp": 5_000},
        "succeeded": True,
        "gas_used": 21_000,
        "logs": 0,
    }


@pytest.mark.parametrize("mined", [None, use()])
def test_the_foreign_transaction_is_shown_where_one_used_the_nonce(mined):
    now = shown_view(Shown(STUCK_CASE, facts(use=mined), ()))["now"]
    at = {"number": 98, "hash": block(98).hash, "timestamp": 5_000}
    foreign = {"tx_hash": OTHER, "target": SOMEBODY, "block": at}
    assert now["foreign_transaction"] == (None if mined is None else foreign)
    assert (now["account_nonce"], now["base_fee_wei"]) == (NONCE, str(GWEI))


def test_one_case_is_shown_with_evidence_chain_attempts_and_plans(inbox, capsys):
    inbox.found = [STUCK_CASE]
    inbox.facts = facts(receipt=receipt())  # no repair fits what is mined
    code, out, _ = said(capsys, "show", INTENT, "--as", "alice")
    assert code == 0
    assert inbox.asked == [("show", INTENT, "alice")]
    assert (row(out, "status"), row(out, "account_nonce")) == ("stuck", str(NONCE))
    assert row(out, "attempt 1") == f"call {HASH} sent, accepted"
    assert "rebroadcast: refused at block 100" in out
    mined = next(line for line in out.splitlines() if "tx.repair_mined" in line)
    assert "NO" in mined


def test_a_plan_is_shown_and_nothing_done_without_execute(inbox, capsys):
    code, out, err = said(capsys, "resolve", INTENT, "cancel", *REASON, "--as", "alice")
    order = RepairOrder(Repair.CANCEL, PERSON, REASON[1])
    assert (code, inbox.asked) == (0, [("plan", INTENT, order)])
    assert "cancel: ready at block 100" in out
    assert "NO" not in out
    assert "a no-op at the same nonce" in out
    assert "Nothing was done" in err


def test_with_execute_it_is_carried_out_as_stated(inbox, capsys):
    outcome = ["--outcome", "no-effect"]
    code, _, err = said(capsys, "resolve", INTENT, "accept-outcome", *REASON, *outcome, "--execute")
    order = RepairOrder(Repair.ACCEPT_OUTCOME, "operator", REASON[1], Stated.NO_EFFECT)
    assert (code, inbox.asked) == (0, [("carry_out", INTENT, order)])
    assert "Nothing was done" not in err


@pytest.mark.parametrize("yes", [True, False])
def test_a_document_says_whether_it_was_done(inbox, capsys, yes):
    wanted = ["resolve", INTENT, "rebroadcast", *REASON, *(["--execute"] if yes else [])]
    code, made = document(capsys, *wanted)
    assert (code, made["dry_run"], made["ready"], made["action"]) == (
        0,
        not yes,
        True,
        "rebroadcast",
    )
    assert {one["holds"] for one in made["checks"]} == {True}


def test_a_repair_whose_preconditions_fail_is_a_rejection(inbox, capsys):
    inbox.refuses = Rejected("tx.repair_mined", "it is mined")
    code, error = document(capsys, "resolve", INTENT, "cancel", *REASON, "--execute")
    assert (code, error["error"]["code"]) == (3, "tx.repair_mined")


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["show", "7"], 3, "id.intent"),
        (["show", INTENT, "--as", "no body"], 3, "id.principal"),
        (["resolve", INTENT, "cancel", "--reason", "  "], 3, "tx.reason"),
        (["resolve", INTENT, "cancel"], 2, "usage"),
        (["resolve", INTENT, "undo", *REASON], 2, "usage"),
        (["resolve", INTENT, "accept-outcome", *REASON, "--outcome", "perhaps"], 2, "usage"),
    ],
)
def test_a_wrong_command_line_asks_the_inbox_nothing(inbox, capsys, arguments, code, named):
    given, error = document(capsys, *arguments)
    assert (given, error["error"]["code"]) == (code, named)
    assert inbox.asked == []
