"""The `holdfast` program: finds the command, runs it, and turns errors into messages."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import structlog
import typer

from holdfast.common.log import configure_logging
from holdfast.common.redaction import Redactor
from holdfast.entry.cli.errors import ExitCode, Misused, as_json, as_text, exit_code, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HELP: Final = "Freeze-resistant, capital-preserving deals on EVM chains, each proved and durable."
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """A command or a group of commands; its module is imported when it is called, not before."""

    module: str
    attribute: str
    summary: str


PARTS: Final[Mapping[str, Part]] = {
    "deal": Part("holdfast.entry.cli.deal", "app", "Plan, run, watch and steer deals."),
    "demo": Part("holdfast.entry.cli.demo", "demo", "Run one $10M deal on a local chain."),
    "risk": Part("holdfast.entry.cli.risk", "app", "What deals and market may do to each other."),
    "desk": Part("holdfast.entry.cli.desk", "app", "Stop the desk, a bank or a chain."),
    "report": Part("holdfast.entry.cli.report", "report", "Report on the desk, as page or table."),
    "tx": Part("holdfast.entry.cli.tx", "app", "See and repair transactions in doubt."),
    "worker": Part("holdfast.entry.cli.worker", "app", "Advance deals until stopped."),
    "alerts": Part("holdfast.entry.cli.alerts", "app", "See and acknowledge alerts."),
    "events": Part("holdfast.entry.cli.events", "app", "See what happened to our accounts."),
    "chores": Part("holdfast.entry.cli.chores", "app", "See and retry work that failed."),
    "devnet": Part("holdfast.entry.cli.devnet", "app", "Start, stop and steer the local chain."),
    "chain": Part("holdfast.entry.cli.chain", "app", "Show the nodes of the chain."),
    "keys": Part("holdfast.entry.cli.keys", "app", "Make the keystore; show addresses."),
    "db": Part("holdfast.entry.cli.db", "app", "Start the database and bring its schema up."),
}


def main() -> NoReturn:
    """Run the command line and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command; errors are printed, as JSON to stdout with `--json`."""
    redactor = Redactor()
    configure_logging(redactor)  # at once: until it is, structlog prints to stdout, locals and all
    try:
        return _dispatch(arguments, redactor)
    except typer.Abort:
        return ExitCode.UNEXPECTED
    except typer.TyperException as error:
        return _misused(error, arguments, redactor)
    except BrokenPipeError:
        # The reader of our output left; Python would complain once more while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.READER_LEFT
    except Exception as error:  # noqa: BLE001 - the edge: whatever it is, no traceback for users
        _log.debug("cli.error", exc_info=error)
        return _report(error, arguments, redactor)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The program, with only the command in `arguments` imported; the others are names."""
    app = typer.Typer(
        name="holdfast", help=_HELP, no_args_is_help=True, add_completion=False, callback=_root
    )
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name, part in PARTS.items():
        _add(app, name, part, is_wanted=name == wanted)
    app.command("version")(_version)
    return app


def _add(app: typer.Typer, name: str, part: Part, *, is_wanted: bool) -> None:
    if not is_wanted:
        app.command(name, help=part.summary)(_not_imported)
        return
    found: Any = getattr(importlib.import_module(part.module), part.attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, help=part.summary)
    else:
        app.command(name)(found)


def _dispatch(arguments: Sequence[str], redactor: Redactor) -> int:
    command = typer.main.get_command(build(arguments))
    result = command.main(
        list(arguments), prog_name="holdfast", standalone_mode=False, obj=redactor
    )
    return result if isinstance(result, int) else ExitCode.DONE


def _leave_with_version(asked: bool) -> None:  # noqa: FBT001 - typer's way to call it
    if asked:
        _version()
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_leave_with_version, help="Say the version."),
]


def _root(context: typer.Context, *, version: _Version = False) -> None:  # noqa: ARG001 - eager
    # Imported here, so that help and version stay quick and work with a wrong environment.
    if context.invoked_subcommand != "version":
        invocation = importlib.import_module("holdfast.entry.cli.invocation")
        context.obj = invocation.begin(context.obj)


def _version() -> None:
    """Say which version this is."""
    typer.echo(importlib.metadata.version("holdfast"))


def _not_imported() -> None:
    raise AssertionError("a command was called whose module was not imported")


def _misused(error: typer.TyperException, arguments: Sequence[str], redactor: Redactor) -> int:
    # Typer's own check of a choice comes as pydantic's, with its word for what follows.
    message = error.format_message().replace(": Value error, ", ": ")
    if not message:  # no command was given, and the help has been printed already
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    place = context.command_path if context is not None else "holdfast"
    return _report(Misused("usage", f"{message} (see `{place} --help`)"), arguments, redactor)


def _report(error: BaseException, arguments: Sequence[str], redactor: Redactor) -> int:
    told = shown(error)
    if "--json" in arguments:
        typer.echo(redactor.text(as_json(told)))
    else:
        typer.echo(redactor.text(as_text(told)), err=True)
    return exit_code(told)
