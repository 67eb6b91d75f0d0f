"""`holdfast risk gate`: whether experience allows purchase lots of some sizes, and why."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from holdfast.common.errors import Rejected
from holdfast.common.money import USD8, Usd8, parse_decimal, to_units
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.model.plan import Accounts
from holdfast.planning.gate import gate_view
from holdfast.planning.json_values import block, percent, usd

if TYPE_CHECKING:
    from rich.table import Table

    from holdfast.bootstrap import System
    from holdfast.planning.gatekeeper import GateReport

_DECIMALS: Final = 8
_MOST_DIGITS: Final = 12
"""Of a lot in dollars: beyond a trillion it is a slip of the finger."""

STANDARD: Final = tuple(
    Usd8(dollars * USD8) for dollars in (50_000, 250_000, 1_000_000, 2_500_000, 5_000_000)
)
"""The ladder's rungs, which need no belief by default, and larger ones."""


def gate(
    context: typer.Context,
    *,
    size: Annotated[
        str, typer.Option("--size", help="Dollars of one purchase lot; else the usual sizes.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say which purchase lots the redemption gate lets through now, with the reason."""
    lots = (_dollars(size),) if size else STANDARD

    async def work(system: System) -> dict[str, Any]:
        return _document(await system.gatekeeper.report(_standing(system), lots))

    show_document(with_system(context, on_chain(work)), _print, as_json=as_json)


def _standing(system: System) -> Accounts:
    """The standing addresses; no deal is planned, so the float stands in for its account."""
    treasury = system.desk.treasury
    return Accounts(treasury.core, treasury.float, treasury.float, treasury.treasury_return, 0)


def _document(report: GateReport) -> dict[str, Any]:
    market = report.market
    return {
        "chain_id": market.chain_id,
        "block": block(market.at),
        "redemption_fee_percent": percent(market.desk.fee),
        "desk_is_frozen": market.desk.is_frozen,
        "record": [
            {"at_par_usd": usd(one.size), "is_paid": one.is_paid, "times": one.times}
            for one in report.trials
        ],
        "lots": [gate_view(one) for one in report.verdicts],
    }


def _print(found: dict[str, Any]) -> None:
    console = plain_console()
    console.print(_table(found["lots"]))
    for trial in found["record"]:
        paid = "paid" if trial["is_paid"] else "not paid"
        console.print(f"{trial['times']} x {_told(trial['at_par_usd'])} at par: {paid}")
    if found["desk_is_frozen"]:
        console.print("The redemption desk is frozen now: no plan is made whatever the gate says.")


def _table(lots: list[dict[str, Any]]) -> Table:
    table = whole_table("Redemption gate", "Lot", "Gate", "Why")
    for lot in lots:
        stands = "open" if lot["is_open"] else "shut"
        table.add_row(_told(lot["lot_usd"]), stands, lot["reason"])
    return table


def _told(dollars: str) -> str:
    return f"${Decimal(dollars):,.2f}"


def _dollars(text: str) -> Usd8:
    value = parse_decimal(text, code="risk.size", max_decimals=_DECIMALS)
    if value.adjusted() >= _MOST_DIGITS:
        raise Rejected("risk.size", f"{text} dollars are more than there is", value=text)
    return Usd8(to_units(value, _DECIMALS))
