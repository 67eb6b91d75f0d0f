"""`holdfast db`: start the embedded database, and bring the schema to this version."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from holdfast.common.db import Database
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.errors import Broken, Rejected
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_facts
from holdfast.migrations import revisions, runner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdfast.config import Settings

T = TypeVar("T")

app = typer.Typer(name="db", help=__doc__, no_args_is_help=True)


@app.command()
def up(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Start the embedded database unless it runs, and say its address."""
    show_facts({"url": _embedded(context).start()}, as_json=as_json)


@app.command()
def down(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Stop the embedded database; the data stays."""
    server = _embedded(context)
    server.stop()
    show_facts({"stopped": server.url}, as_json=as_json)


@app.command()
def status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Say where the embedded database is and whether it runs."""
    server = _embedded(context)
    show_facts({"url": server.url, "running": server.is_running()}, as_json=as_json)


@app.command()
def upgrade(
    context: typer.Context,
    revision: Annotated[str, typer.Argument(help="How far; all of it unless given.")] = "head",
    *,
    as_json: AsJson = False,
) -> None:
    """Bring the schema up, in one transaction."""

    async def work(database: Database) -> str | None:
        await runner.upgrade(database, revision)
        return await revisions.current(database)

    show_facts({"revision": _with_database(context, work)}, as_json=as_json)


@app.command()
def current(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Say which revision the schema is at and which one this version needs."""
    found = _with_database(context, revisions.current)
    show_facts({"revision": found, "needed": revisions.newest()}, as_json=as_json)


@app.command()
def check(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Compare the schema with what this version needs; exit 3 or 6 when it differs."""

    async def work(database: Database) -> list[str]:
        await revisions.require_newest(database)
        return await runner.differences(database)

    differences = _with_database(context, work)
    if differences:
        raise Broken(
            "database.differs",
            "somebody changed the schema by hand: bring it back, or restore a backup",
            differences=differences,
        )
    show_facts({"revision": revisions.newest(), "differences": 0}, as_json=as_json)


@app.command(hidden=True)
def draft(context: typer.Context, message: str) -> None:
    """Write a revision from what the stores' tables say that the database does not (developers)."""

    async def work(database: Database) -> str:
        return str(await runner.draft(database, message))

    typer.echo(_with_database(context, work))


def _embedded(context: typer.Context) -> EmbeddedPostgres:
    settings = invocation(context).settings
    if settings.database_url is not None:
        raise Rejected(
            "database.external",
            "HOLDFAST_DATABASE_URL names a database of your own: start and stop that one itself",
        )
    return EmbeddedPostgres(settings.state_dir)


def _url(settings: Settings) -> str:
    return settings.database_url or EmbeddedPostgres(settings.state_dir).start()


def _with_database(context: typer.Context, work: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        database = Database.connect(_url(invocation(context).settings))
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
