"""`holdfast desk` on a real database: set in one process, in force in the next."""

import json

import pytest

from holdfast.entry.cli.main import run
from tests.unit.entry.test_cli_main import process_as_before

__all__ = ["process_as_before"]

SAID = ("--reason", "a key may be lost", "--as", "alice")


@pytest.fixture(autouse=True)
def settings(monkeypatch, database_url, tmp_path):
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_STATE_DIR", str(tmp_path))


def document(capsys, *arguments):
    code = run(["desk", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_what_is_set_is_in_force_without_a_node_until_it_is_lifted(capsys):
    code, found = document(capsys, "status")
    assert (code, found["in_force"]["state"]) == (0, "active")
    document(capsys, "halt", *SAID, "--chain", "31337")
    assert document(capsys, "status")[1]["in_force"]["state"] == "active"
    code, found = document(capsys, "status", "--chain", "31337")
    assert (code, found["in_force"]["state"], found["in_force"]["set_by"]) == (0, "halted", "alice")
    document(capsys, "reduce", *SAID)
    assert document(capsys, "status", "--bank", "BANK001")[1]["in_force"]["state"] == "reducing"
    document(capsys, "activate", *SAID)
    code, found = document(capsys, "activate", *SAID, "--chain", "31337")
    assert (code, found["in_force"]["state"]) == (0, "active")
    assert [one["scope"] for one in found["settings"]] == ["chain:31337", "desk"]
