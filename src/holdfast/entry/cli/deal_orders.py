"""`holdfast deal approve`, `hold`, `resume`, `close`, `cancel`: what people tell a deal to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from holdfast.common.ids import deal_id, principal_id
from holdfast.entry.cli.deal_view import show_changed
from holdfast.entry.cli.options import AsJson, By, Execute
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.bootstrap import System

DealArgument = Annotated[str, typer.Argument(metavar="DEAL", help="The id that `list` shows.")]


ORDERS: Final[dict[str, tuple[DealEvent, str]]] = {
    "hold": (
        DealEvent.HOLD,
        "Make a deal stand still and give up what is not mined yet; `resume` lets it go on.",
    ),
    "resume": (DealEvent.RESUME, "Let a deal that holds go on."),
    "cancel": (DealEvent.CANCEL, "Give up a deal that has done nothing on chain yet."),
}
"""Those that need no word more, with what each says for itself."""


def approve(
    context: typer.Context,
    deal: DealArgument,
    *,
    by: By,
    execute: Execute = False,
    as_json: AsJson = False,
) -> None:
    """Approve a deal's present plan, which starts it."""
    wanted, principal = deal_id(deal), principal_id(by)

    async def work(system: System) -> dict[str, Any]:
        changed = await system.desk.check(wanted, Order(DealEvent.APPROVE, principal))
        if execute:
            await system.desk.approve(wanted, principal)
        return _changed(deal, str(changed.before), str(changed.after), execute=execute)

    show_document(with_system(context, on_chain(work)), show_changed, as_json=as_json)


def ordering(event: DealEvent) -> Callable[..., None]:
    """The command that gives a deal the order `event`."""

    def give(
        context: typer.Context,
        deal: DealArgument,
        *,
        by: By = "operator",
        execute: Execute = False,
        as_json: AsJson = False,
    ) -> None:
        order = Order(event, principal_id(by))
        _order(context, deal, order, execute=execute, as_json=as_json)

    return give


def close(
    context: typer.Context,
    deal: DealArgument,
    *,
    keep_claim: Annotated[
        bool, typer.Option("--keep-claim", help="Send unredeemed tokens to the treasury.")
    ] = False,
    by: By = "operator",
    execute: Execute = False,
    as_json: AsJson = False,
) -> None:
    """Repay, unlock and return everything now, without redeeming further."""
    order = Order(DealEvent.CLOSE, principal_id(by), keep_claim=keep_claim)
    _order(context, deal, order, execute=execute, as_json=as_json)


def _order(
    context: typer.Context, deal: str, order: Order, *, execute: bool, as_json: bool
) -> None:
    wanted = deal_id(deal)

    async def work(system: System) -> dict[str, Any]:
        changed = await system.desk.check(wanted, order)
        if execute:
            await system.desk.give(wanted, order)
        return _changed(deal, str(changed.before), str(changed.after), execute=execute)

    show_document(with_system(context, work), show_changed, as_json=as_json)


def _changed(deal: str, before: str, after: str, *, execute: bool) -> dict[str, Any]:
    return {"deal_id": deal, "before": before, "after": after, "dry_run": not execute}
