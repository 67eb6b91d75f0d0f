"""`holdfast deal`: plan, run, watch and steer deals; money moves only with --execute."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from holdfast.bootstrap import limits_of
from holdfast.common.errors import Paused
from holdfast.common.ids import bank_id, deal_id, principal_id
from holdfast.common.retry import A_MOMENT_SECONDS, patiently
from holdfast.entry.cli.deal_orders import (
    ORDERS,
    DealArgument,
    approve,
    close,
    ordering,
)
from holdfast.entry.cli.deal_view import show_deal, show_deals
from holdfast.entry.cli.four_eyes import own_plan, warn
from holdfast.entry.cli.options import AsJson, By, Execute
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.plain import PipedConsole
from holdfast.entry.cli.plan_view import plan_view
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.model.deal import DealStatus
from holdfast.planning.request import RequestText, parse_request
from holdfast.reporting.views import deal_view
from holdfast.risk.opening import proposed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdfast.bootstrap import System
    from holdfast.model.deal import DealRequest

T = TypeVar("T")

_TYPED = [name for name in RequestText.__slots__ if name != "chain"]

app = typer.Typer(name="deal", help=__doc__, no_args_is_help=True)

Value = Annotated[str, typer.Option("--total-eth-value", help="Dollar value of the ETH committed.")]
Bank = Annotated[str, typer.Option("--bank", help="Participant bank, such as BANK001.")]
Module = Annotated[str, typer.Option("--module", help="Module, such as MODULE001.")]
Funding = Annotated[str, typer.Option("--funding", help="borrow or bucket.")]
OpeningLtv = Annotated[
    str | None,
    typer.Option("--opening-ltv", help="0 takes no loan. Else 0.20, or less."),
]
MaxLtv = Annotated[str, typer.Option("--max-ltv", help="At most 0.30.")]
MaxExposure = Annotated[str, typer.Option("--max-exposure", help="At most 0.25.")]
Slippage = Annotated[str, typer.Option("--slippage-bps", help="Of every swap, 1 to 500.")]
SplitText = Annotated[str, typer.Option("--split", help="Core/working/bucket in percent.")]
Horizon = Annotated[str, typer.Option("--horizon-days", help="How far the worst case looks.")]
LadderText = Annotated[
    str, typer.Option("--ladder", help="redemption; position buys and redeems lot by lot.")
]


@app.command()
def plan(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    total_eth_value: Value,
    bank: Bank,
    module: Module,
    *,
    funding: Funding = "",
    opening_ltv: OpeningLtv = None,
    max_ltv: MaxLtv = "0.30",
    max_exposure: MaxExposure = "0.25",
    slippage_bps: Slippage = "100",
    split: SplitText = "50/30/20",
    horizon_days: Horizon = "90",
    ladder: LadderText = "redemption",
    as_json: AsJson = False,
) -> None:
    """Size a deal at the newest block and show what can be lost; nothing is stored."""
    text = _text(context)

    async def work(system: System) -> dict[str, Any]:
        made = await _soon(functools.partial(system.desk.preview, await _request(system, text)))
        return {**made.report, "plan_hash": made.plan_hash}

    report = with_system(context, on_chain(work))
    show_document(report, _show_plan, as_json=as_json)


@app.command()
def run(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    total_eth_value: Value,
    bank: Bank,
    module: Module,
    *,
    funding: Funding = "",
    opening_ltv: OpeningLtv = None,
    max_ltv: MaxLtv = "0.30",
    max_exposure: MaxExposure = "0.25",
    slippage_bps: Slippage = "100",
    split: SplitText = "50/30/20",
    horizon_days: Horizon = "90",
    ladder: LadderText = "redemption",
    by: By = "operator",
    approve_as: Annotated[
        str | None, typer.Option("--approve-as", help="Approve this very plan in this name.")
    ] = None,
    execute: Execute = False,
    as_json: AsJson = False,
) -> None:
    """Create a deal; with --approve-as and --execute it starts, and a worker carries it out."""
    text = _text(context)
    author = principal_id(by)
    approver = None if approve_as is None else principal_id(approve_as)
    warnings = own_plan(author, approver)

    async def work(system: System) -> dict[str, Any]:
        request = await _request(system, text)
        if not execute:
            made = await _soon(functools.partial(system.desk.preview, request))
            told = [*made.report.get("warnings", ()), *warnings]
            hash_ = made.plan_hash
            return {**made.report, "plan_hash": hash_, "warnings": told, "dry_run": True}
        create = functools.partial(system.desk.create, author=author, approve_as=approver)
        deal = await _soon(functools.partial(create, request))
        shown = {**deal_view(deal), "plan": dict(deal.plan.report)}
        return {**shown, "warnings": warnings, "dry_run": False}

    report = with_system(context, on_chain(work))
    warn(warnings, as_json=as_json)
    show_document(report, _show_plan if not execute else show_deal, as_json=as_json)
    if not execute:
        typer.echo("Dry run: nothing was stored. Add --execute to create the deal.", err=True)


@app.command()
def show(context: typer.Context, deal: DealArgument, *, as_json: AsJson = False) -> None:
    """Show one deal: its legs, its ledger against the chain, its P&L and invariants."""
    wanted = deal_id(deal)

    async def work(system: System) -> dict[str, Any]:
        try:
            return await system.reporter.report(wanted)
        except Paused as error:
            return {**await system.reporter.stored(wanted), "read_only": error.as_dict()}

    show_document(with_system(context, work), show_deal, as_json=as_json)


@app.command("list")
def list_deals(
    context: typer.Context,
    *,
    status: Annotated[DealStatus | None, typer.Option(help="Only deals in this state.")] = None,
    bank: Annotated[str | None, typer.Option(help="Only deals of this bank.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest deals."""
    of_bank = None if bank is None else bank_id(bank)

    async def work(system: System) -> dict[str, Any]:
        found = await system.desk.recent(status=status, bank=of_bank, limit=limit)
        return {"deals": [deal_view(each) for each in found]}

    show_document(with_system(context, work), show_deals, as_json=as_json)


app.command()(approve)
app.command()(close)
for _name, (_event, _help) in ORDERS.items():
    app.command(_name, help=_help)(ordering(_event))


def _text(context: typer.Context) -> RequestText:
    """What was typed, from the options that are called as the request's fields."""
    return RequestText(**{name: context.params[name] for name in _TYPED})


async def _request(system: System, text: RequestText) -> DealRequest:
    chain = system.profile.chain_id
    async with system.db.begin() as session:
        in_force = await system.dynamic.in_force(session)
    return parse_request(
        replace(text, chain=str(chain)),
        limits_of(system.settings),
        [chain],
        opening=proposed(in_force.limits),
    )


async def _soon(call: Callable[[], Awaitable[T]]) -> T:
    """What planning returns: it reads much before it writes, and a node may miss a beat."""
    return await patiently(call, seconds=A_MOMENT_SECONDS)


def _show_plan(report: dict[str, Any]) -> None:
    PipedConsole().print(plan_view(report))
