import importlib.metadata
import json
import logging
import subprocess
import sys
import threading
import types

import pytest
import structlog
import typer

from holdfast.common.errors import Ambiguous
from holdfast.entry.cli import main
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.main import PARTS, Part, run

SECRET = "canary-5up3r-53cret"  # noqa: S105 - planted


@pytest.fixture(autouse=True)
def process_as_before(monkeypatch, tmp_path):
    """Logging, hooks and the environment belong to the process: give them back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    monkeypatch.setenv("HOLDFAST_STATE_DIR", str(tmp_path))
    yield
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def planted(monkeypatch):
    """Make `holdfast plant` run a function of the test."""

    def plant(command):
        module = types.ModuleType("planted")
        module.command = command
        monkeypatch.setitem(sys.modules, "planted", module)
        monkeypatch.setattr(main, "PARTS", {"plant": Part("planted", "command", "Planted.")})

    return plant


def test_help_names_every_command_without_importing_any(capsys):
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in [*PARTS, "version"])


def test_help_in_a_fresh_process_loads_neither_database_nor_chain_libraries():
    script = (
        "import sys; from holdfast.entry.cli.main import run; run(['--help']);"
        "heavy = {'sqlalchemy', 'web3', 'pydantic', 'procrastinate'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_told_even_with_a_wrong_environment(arguments, capsys, monkeypatch):
    monkeypatch.setenv("HOLDFAST_SWEEP_SECONDS", "never")
    assert run(arguments) == 0
    assert capsys.readouterr().out.strip() == importlib.metadata.version("holdfast")


def test_without_a_command_the_help_is_shown_as_a_usage_error(capsys):
    assert run([]) == 2
    assert "Usage" in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", [["nope"], ["--nope"], ["db", "nope"]])
def test_a_wrong_command_line_is_a_usage_error_that_names_the_help(arguments, capsys):
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "[usage]" in output.err
    assert "--help" in output.err


def test_a_wrong_setting_is_a_rejection(capsys, monkeypatch, planted):
    planted(lambda: None)
    monkeypatch.setenv("HOLDFAST_SWEEP_SECONDS", "never")
    assert run(["plant"]) == 3
    assert "[config.sweep_seconds]" in capsys.readouterr().err


def test_a_command_gets_the_settings(capsys, monkeypatch, planted):
    def command(context: typer.Context) -> None:
        typer.echo(invocation(context).settings.worker_concurrency)

    planted(command)
    monkeypatch.setenv("HOLDFAST_WORKER_CONCURRENCY", "3")
    assert run(["plant"]) == 0
    assert capsys.readouterr().out == "3\n"


def raising(error):
    def command(*, json: bool = False) -> None:
        raise error

    return command


def test_a_known_error_is_a_message_on_stderr_and_its_familys_code(capsys, planted):
    planted(raising(Ambiguous("tx.unknown", "maybe sent", tx="0x1")))
    assert run(["plant"]) == 5
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "Error: maybe sent [tx.unknown]\n  tx: 0x1\n"


def test_with_json_the_error_is_the_one_document_on_stdout(capsys, planted):
    planted(raising(Ambiguous("tx.unknown", "maybe sent")))
    assert run(["plant", "--json"]) == 5
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "tx.unknown"
    assert document["error"]["exit_code"] == 5


def test_a_bug_is_a_message_without_a_traceback(capsys, planted):
    planted(raising(ZeroDivisionError("planted")))
    assert run(["plant"]) == 1
    output = capsys.readouterr()
    assert "ZeroDivisionError: planted" in output.err
    assert "Traceback" not in output.err


def test_a_bug_shows_where_it_happened_when_asked_for(capsys, planted, monkeypatch):
    monkeypatch.setenv("HOLDFAST_LOG_LEVEL", "debug")
    planted(raising(ZeroDivisionError("planted")))
    assert run(["plant"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_secret_in_an_error_is_masked(capsys, planted, monkeypatch, flags):
    monkeypatch.setenv("HOLDFAST_KEYSTORE_PASSPHRASE", SECRET)
    planted(raising(ValueError(f"cannot open with {SECRET}")))
    assert run(["plant", *flags]) == 1
    output = "".join(capsys.readouterr())
    assert "***" in output
    assert SECRET not in output


def test_an_interrupt_is_quiet_and_has_the_shells_exit_code(capsys, planted):
    planted(raising(KeyboardInterrupt()))
    assert run(["plant"]) == 130
    assert "".join(capsys.readouterr()) == ""


@pytest.mark.parametrize("name", ["db", "devnet"])
def test_every_part_can_be_imported_and_explains_itself(name, capsys):
    assert run([name, "--help"]) == 0
    assert "Usage: holdfast" in capsys.readouterr().out
