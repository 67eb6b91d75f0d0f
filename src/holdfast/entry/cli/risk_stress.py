"""`holdfast risk stress`: what would become of the open deals if the worst happened today."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.common.errors import Rejected
from holdfast.common.ids import deal_id
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.entry.cli.stress_view import show_stress
from holdfast.reporting.stress import stress_report
from holdfast.risk.matrix import combinations, named

if TYPE_CHECKING:
    from holdfast.bootstrap import System
    from holdfast.risk.book import OpenBook


def stress(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    *,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="Only this one; may be repeated.")
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="All combinations of the standard shocks.")
    ] = False,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Also the smallest moves that break something.")
    ] = False,
    deal: Annotated[str | None, typer.Option("--deal", help="Only this deal's lines.")] = None,
    book: Annotated[bool, typer.Option("--book", help="All open deals; the default.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stress all open deals together at the newest block, as they would sell in one pool."""
    if deal is not None and book:
        raise Rejected("stress.scope", "choose one of --deal and --book")
    if matrix and scenario:
        raise Rejected("stress.scope", "choose one of --scenario and --matrix")
    shocks = combinations() if matrix else named(scenario or ())
    wanted = None if deal is None else str(deal_id(deal))
    found = with_system(context, on_chain(_book))
    document = stress_report(found, shocks, deal=wanted, with_reverse=reverse)
    if as_json:
        typer.echo(json.dumps(document))
    else:
        show_stress(document, is_matrix=matrix)


async def _book(system: System) -> OpenBook:
    return await system.stress_book.read()
