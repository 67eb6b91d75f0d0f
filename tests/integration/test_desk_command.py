"""`holdfast desk` on a real database: set in one process, in force in the next."""

import json
import subprocess
import sys

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


HEAVY = {
    *("web3", "eth_account", "eth_utils", "eth_keys", "coincurve", "aiohttp"),
    *("numpy", "scipy", "matplotlib", "pyarrow", "jinja2"),
    *("alembic", "apprise", "prometheus_client", "nicegui", "fastapi"),
}
"""What talks to chains, computes, draws or migrates: seconds on a busy machine."""


@pytest.mark.parametrize("asked", [["status"], ["halt", *SAID], ["activate", *SAID]])
def test_the_kill_switch_loads_nothing_but_what_the_database_needs(asked):
    script = (
        "import sys; from holdfast.entry.cli.main import run;"
        f"code = run(['desk', *{asked!r}]);"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "[]")
