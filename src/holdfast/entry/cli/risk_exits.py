"""`holdfast risk exits`: tries the unwind of an open deal on top of the newest block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.common.ids import deal_id
from holdfast.entry.cli.errors import ExitCode
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.reporting.exits import exit_view

if TYPE_CHECKING:
    from holdfast.bootstrap import System

Deal = Annotated[str, typer.Option("--deal", help="The id that `deal list` shows.")]


def exits(context: typer.Context, *, deal: Deal, as_json: AsJson = False) -> None:
    """Try a deal's whole unwind now, redemption left out; exit code 3 when it would fail.

    Nothing is sent. 4 means that the node cannot tell.
    """
    wanted = deal_id(deal)

    async def work(system: System) -> dict[str, Any]:
        return exit_view(await system.exit_checks.exits.check(await system.desk.find(wanted)))

    document = with_system(context, on_chain(work))
    show_document(document, _show, as_json=as_json)
    if not document["works"]:
        is_known = document["works"] is not None
        raise typer.Exit(ExitCode.REJECTED if is_known else ExitCode.TRANSIENT)


def _show(document: dict[str, Any]) -> None:
    console = plain_console()
    console.print(
        f"Deal {document['deal_id']} at block {document['block']['number']}: {_verdict(document)}"
    )
    table = whole_table("Legs that would land, a block for each group", "Group", "Leg")
    for number, group in enumerate(document["groups"], start=1):
        for leg in group:
            table.add_row(str(number), leg["label"])
    if document["groups"]:
        console.print(table)
    for one in document["refused"]:
        console.print(f"Refused: {one['leg']}: {one['reason']} [{one['code']}]")
    for what in ("home", "left"):
        held = ", ".join(f"{one['amount']} {one['token']}" for one in document[what])
        console.print(f"{what.capitalize()}: {held or 'nothing'}")
    console.print(f"Cost at the oracle's prices: ${document['cost_usd']}")


def _verdict(document: dict[str, Any]) -> str:
    match document["works"]:
        case None:
            return "not known: the node cannot simulate calls one on top of the other"
        case True:
            return "it could come home now"
        case _ if document["failing"] is not None:
            return f"it could NOT come home: {document['failing']['leg']} would fail"
        case _:
            return "it would wait: gas costs more than its plan allows"
