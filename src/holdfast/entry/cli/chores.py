"""`holdfast chores`: work that failed or waits, and no deal waits for; needs no node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.entry.cli.alerts import with_notices
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_facts
from holdfast.entry.cli.plain import plain_console, whole_table

if TYPE_CHECKING:
    from rich.table import Table

    from holdfast.common.db import Session
    from holdfast.monitoring.model import Chore
    from holdfast.monitoring.wiring import Notices

app = typer.Typer(name="chores", help=__doc__, no_args_is_help=True)


@app.command("list")
def list_chores(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what is left to do, given-up work first, with the last error of each."""

    async def work(session: Session, notices: Notices) -> list[Chore]:
        return await notices.chores.listed(session, limit)

    found = [_view(each) for each in with_notices(context, work)]
    if as_json:
        typer.echo(json.dumps({"chores": found}))
    else:
        plain_console().print(_table(found) if found else "Nothing is left to do.")


@app.command()
def retry(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="What `list` shows under Kind.")],
    subject: Annotated[str, typer.Argument(help="What `list` shows under Subject.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Have a waiting or given-up chore done now, with all its attempts again."""

    async def work(session: Session, notices: Notices) -> Chore:
        return await notices.chores.retry(session, kind, subject)

    before = with_notices(context, work)
    facts = {"kind": kind, "subject": subject, "was": str(before.state), "error": before.error}
    show_facts(facts, as_json=as_json)


def _view(chore: Chore) -> dict[str, Any]:
    return {
        "kind": chore.kind,
        "subject": chore.subject,
        "state": str(chore.state),
        "attempts": chore.attempts,
        "next_at": chore.next_at.isoformat(),
        "error": chore.error,
        "created_at": chore.created_at.isoformat(),
    }


def _table(found: list[dict[str, Any]]) -> Table:
    columns = ("Kind", "Subject", "State", "Attempts", "Next", "Since", "Error")
    table = whole_table("Chores", *columns)
    for each in found:
        table.add_row(
            *(str(each[name]) for name in ("kind", "subject", "state", "attempts")),
            each["next_at"][:19],
            each["created_at"][:19],
            each["error"] or "",
        )
    return table
