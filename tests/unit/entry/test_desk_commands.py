"""`holdfast desk`: what is typed, what is turned, what is shown, and the exit code."""

import contextlib
import json

import pytest

from holdfast.entry.cli import desk as commands
from holdfast.entry.cli.main import run
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.risk.test_switch import FIRST, Stage

__all__ = ["process_as_before"]

SAID = ("--reason", "a key may be lost", "--as", "alice")


class Db:
    @contextlib.asynccontextmanager
    async def begin(self):
        yield "session"


@pytest.fixture
def stage(monkeypatch):
    made = Stage()

    @contextlib.asynccontextmanager
    async def opened_switch(settings):
        yield Db(), made.switch

    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(commands, "opened_switch", opened_switch)
    return made


def said(capsys, *arguments):
    code = run(["desk", *arguments])
    return code, capsys.readouterr().out


def document(capsys, *arguments):
    code, out = said(capsys, *arguments, "--json")
    return code, json.loads(out)


@pytest.mark.parametrize(
    ("word", "state"), [("halt", "halted"), ("reduce", "reducing"), ("activate", "active")]
)
def test_the_desk_is_turned_at_once(stage, capsys, word, state):
    code, shown = document(capsys, word, *SAID)
    assert (code, shown["scope"], shown["in_force"]["state"]) == (0, "desk", state)
    (setting,) = shown["settings"]
    assert (setting["state"], setting["set_by"], setting["source"]) == (state, "alice", "person")
    assert setting["reason"] == "a key may be lost"
    assert [act.action for act in stage.audit.acts] == [f"desk.{state}"]


@pytest.mark.parametrize(
    ("option", "scope"),
    [(("--bank", "BANK001"), "bank:BANK001"), (("--chain", "31337"), "chain:31337")],
)
def test_one_bank_or_one_chain_is_turned(stage, capsys, option, scope):
    _, shown = document(capsys, "halt", *SAID, *option)
    assert (shown["scope"], shown["in_force"]["scope"]) == (scope, scope)
    assert document(capsys, "status")[1]["in_force"]["state"] == "active"
    assert document(capsys, "status", *option)[1]["in_force"]["state"] == "halted"


def test_a_bank_is_halted_with_the_desk(stage, capsys):
    document(capsys, "halt", *SAID)
    _, shown = document(capsys, "activate", *SAID, "--bank", "BANK001")
    assert (shown["in_force"]["state"], shown["in_force"]["scope"]) == ("halted", "desk")
    assert len(shown["settings"]) == 2


@pytest.mark.parametrize(
    ("arguments", "exit_code", "error"),
    [
        (("halt", *SAID, "--bank", "BANK001", "--chain", "1"), 2, "usage"),
        (("halt", "--as", "alice"), 2, "usage"),
        (("halt", "--reason", "why"), 2, "usage"),
        (("halt", "--reason", " ", "--as", "alice"), 3, "desk.reason"),
        (("halt", "--reason", "why", "--as", "not a name"), 3, "id.principal"),
        (("halt", *SAID, "--bank", "bank"), 3, "id.bank"),
        (("halt", *SAID, "--chain", "0"), 3, "id.chain"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_turned(stage, capsys, arguments, exit_code, error):
    code, shown = document(capsys, *arguments)
    assert (code, shown["error"]["code"]) == (exit_code, error)
    assert (stage.book.rows, stage.audit.acts) == (FIRST, [])


def test_the_table_says_what_is_in_force_and_why(stage, capsys):
    code, out = said(capsys, "halt", *SAID, "--chain", "31337")
    assert code == 0
    first, second, *_ = out.splitlines()
    reason = "because of chain:31337: a key may be lost"
    assert first == f"Trading of chain:31337 is halted {reason}."
    assert second.startswith("No deal of chain:31337 (is it spelt right?) is open now")
    _, out = said(capsys, "status")
    assert out.splitlines()[:2] == ["Trading of desk is active.", "It is about 2 open deals."]
    (row,) = [line for line in out.splitlines() if "alice" in line]
    assert [cell.strip() for cell in row.split("│")][:2] == ["chain:31337", "halted"]
