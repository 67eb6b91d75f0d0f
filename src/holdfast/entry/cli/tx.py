"""`holdfast tx`: transactions whose outcome is in doubt, and what may safely be done about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.common.errors import Rejected
from holdfast.common.ids import intent_id, principal_id
from holdfast.entry.cli.options import AsJson, By, Execute
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.session import with_system
from holdfast.entry.cli.tx_view import (
    case_view,
    plan_view,
    show_cases,
    show_plan,
    show_shown,
    shown_view,
)
from holdfast.transactions.repairs import Repair, RepairOrder, Stated

if TYPE_CHECKING:
    from holdfast.bootstrap import System

app = typer.Typer(name="tx", help=__doc__, no_args_is_help=True)

IntentArgument = Annotated[str, typer.Argument(metavar="INTENT", help="The id `inbox` shows.")]
ActionArgument = Annotated[Repair, typer.Argument(metavar="ACTION", help=", ".join(Repair))]
Reason = Annotated[str, typer.Option("--reason", help="Why; recorded.")]
Outcome = Annotated[
    Stated | None, typer.Option("--outcome", help="For accept-outcome: what really happened.")
]


@app.command()
def inbox(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List every transaction that is ambiguous, stuck, or displaced and not acknowledged."""

    async def work(system: System) -> dict[str, Any]:
        return {"cases": [case_view(case) for case in await system.inbox.cases()]}

    show_document(with_system(context, work), show_cases, as_json=as_json)


@app.command()
def show(
    context: typer.Context, intent: IntentArgument, *, by: By = "operator", as_json: AsJson = False
) -> None:
    """Show one transaction: its evidence, what the chain says now, and what may be done."""
    wanted, person = intent_id(intent), principal_id(by)

    async def work(system: System) -> dict[str, Any]:
        return shown_view(await system.inbox.show(wanted, person))

    show_document(with_system(context, work), show_shown, as_json=as_json)


@app.command()
def resolve(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    intent: IntentArgument,
    action: ActionArgument,
    *,
    reason: Reason,
    outcome: Outcome = None,
    by: By = "operator",
    execute: Execute = False,
    as_json: AsJson = False,
) -> None:
    """Show what an action needs and would do; with --execute, do it if all of that holds."""
    wanted = intent_id(intent)
    if not reason.strip():
        raise Rejected("tx.reason", "say why, in words: --reason TEXT")
    order = RepairOrder(action, principal_id(by), reason, outcome)

    async def work(system: System) -> dict[str, Any]:
        made = system.inbox.carry_out if execute else system.inbox.plan
        return {**plan_view(await made(wanted, order)), "dry_run": not execute}

    show_document(with_system(context, work), show_plan, as_json=as_json)
    if not execute:
        typer.echo("Nothing was done. Add --execute to carry it out.", err=True)
