"""`holdfast deal approve`, `hold`, `resume`, `close`, `cancel`: what people tell a deal to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from holdfast.common.errors import Rejected
from holdfast.common.ids import deal_id, principal_id
from holdfast.common.ids import plan_hash as parsed_hash
from holdfast.entry.cli.deal_view import show_changed
from holdfast.entry.cli.errors import Misused
from holdfast.entry.cli.four_eyes import own_plan, warn
from holdfast.entry.cli.options import AsJson, By, Execute
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.plain import PipedConsole
from holdfast.entry.cli.plan_view import plan_view
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.execution.desk import Order
from holdfast.model.deal import DealEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.bootstrap import System
    from holdfast.common.ids import DealId, PlanHash
    from holdfast.execution.records import DealRecord
    from holdfast.execution.script import Changed

PlanHashText = Annotated[
    str | None, typer.Option("--plan-hash", help="The plan that you have looked at.")
]
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
    plan_hash: PlanHashText = None,
    execute: Execute = False,
    as_json: AsJson = False,
) -> None:
    """Approve the plan that you have looked at, which starts the deal.

    `deal show` shows the plan with its hash. Without --plan-hash, a terminal shows it and asks.
    """
    named = None if plan_hash is None else parsed_hash(plan_hash)
    order = Order(DealEvent.APPROVE, principal_id(by), plan_hash=named)
    wanted = deal_id(deal)
    is_asked = execute and named is None
    if is_asked:
        named = _looked_at(context, wanted, order, as_json=as_json)

    async def work(system: System) -> dict[str, Any]:
        changed = await system.desk.check(wanted, order)
        if execute and named is not None:
            await system.desk.approve(wanted, order.by, named)
        found = await system.desk.find(wanted)
        return {
            **_changed(deal, changed, execute=execute),
            "plan_hash": found.plan.plan_hash,
            "warnings": own_plan(found.author, order.by),
        }

    document = with_system(context, on_chain(work))
    if not is_asked:  # who was asked was warned before
        warn(document["warnings"], as_json=as_json)
    show_document(document, show_changed, as_json=as_json)


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


def _looked_at(context: typer.Context, wanted: DealId, order: Order, *, as_json: bool) -> PlanHash:
    """The hash of the plan that the person at the terminal was shown and agreed to.

    Raises:
        Misused: `approval.unnamed` where nobody can be asked.
        Rejected: `approval.declined`.
    """
    if as_json or not sys.stdin.isatty():
        raise Misused(
            "approval.unnamed", "name the plan that you have looked at: --plan-hash, see deal show"
        )

    async def work(system: System) -> DealRecord:
        await system.desk.check(wanted, order)
        return await system.desk.find(wanted)

    found = with_system(context, on_chain(work))
    plan = found.plan
    PipedConsole().print(plan_view({**plan.report, "plan_hash": plan.plan_hash}))
    warn(own_plan(found.author, order.by), as_json=as_json)
    if not typer.confirm(f"Approve plan {plan.plan_hash[:10]}, shown above?"):
        raise Rejected("approval.declined", "nothing was approved")
    return plan.plan_hash


def _order(
    context: typer.Context, deal: str, order: Order, *, execute: bool, as_json: bool
) -> None:
    wanted = deal_id(deal)

    async def work(system: System) -> dict[str, Any]:
        changed = await system.desk.check(wanted, order)
        if execute:
            await system.desk.give(wanted, order)
        return _changed(deal, changed, execute=execute)

    show_document(with_system(context, work), show_changed, as_json=as_json)


def _changed(deal: str, changed: Changed, *, execute: bool) -> dict[str, Any]:
    return {
        "deal_id": deal,
        "before": str(changed.before),
        "after": str(changed.after),
        "dry_run": not execute,
    }
