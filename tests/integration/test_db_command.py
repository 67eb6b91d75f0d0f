import json
import logging
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest
import structlog

from holdfast.common.db import libpq_url
from holdfast.entry.cli.main import run
from holdfast.migrations import revisions


@pytest.fixture(autouse=True)
def process_as_before():
    """Logging and hooks belong to the process: give them back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def holdfast(capsys, monkeypatch, empty_database_url):
    """Run one command on an empty database; returns its exit code and its JSON."""
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", empty_database_url)

    def command(*arguments):
        code = run([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


def test_upgrade_brings_the_schema_up_and_check_agrees(holdfast):
    newest = revisions.newest()
    assert holdfast("db", "current") == (0, {"revision": None, "needed": newest})
    assert holdfast("db", "upgrade") == (0, {"revision": newest})
    assert holdfast("db", "upgrade") == (0, {"revision": newest})
    assert holdfast("db", "check") == (0, {"revision": newest, "differences": 0})


def test_upgrade_can_stop_on_the_way(holdfast):
    assert holdfast("db", "upgrade", "0001") == (0, {"revision": "0001"})


def test_check_refuses_an_old_schema(holdfast):
    code, document = holdfast("db", "check")
    assert (code, document["error"]["code"]) == (3, "database.schema")


def test_check_names_what_somebody_changed_by_hand(holdfast, empty_database_url):
    holdfast("db", "upgrade")
    with psycopg.connect(libpq_url(empty_database_url)) as connection:
        connection.execute("ALTER TABLE deals DROP COLUMN author")
    code, document = holdfast("db", "check")
    assert (code, document["error"]["code"]) == (6, "database.differs")
    assert document["error"]["fields"]["differences"] == ["add_column deals author"]


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_a_database_of_ones_own_is_not_started_or_stopped(holdfast, command):
    code, document = holdfast("db", command)
    assert (code, document["error"]["code"]) == (3, "database.external")


def test_a_database_that_is_away_is_transient(capsys, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "postgresql://u:pw-5ecret!@/x?host=/nonexistent")
    assert run(["db", "current"]) == 4
    output = "".join(capsys.readouterr())
    assert "[database.unavailable]" in output
    assert "pw-5ecret!" not in output


def test_the_embedded_database_goes_up_and_down(capsys, monkeypatch):
    base = Path(tempfile.mkdtemp(prefix="holdfast-db-"))
    base.chmod(0o755)
    monkeypatch.setenv("HOLDFAST_STATE_DIR", str(base / "state"))
    try:
        assert run(["db", "status"]) == 0
        assert "running              False" in capsys.readouterr().out
        assert run(["db", "up", "--json"]) == 0
        url = json.loads(capsys.readouterr().out)["url"]
        with psycopg.connect(libpq_url(url)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert run(["db", "status"]) == 0
        assert "running              True" in capsys.readouterr().out
    finally:
        assert run(["db", "down"]) == 0
        shutil.rmtree(base)
