"""`holdfast events`: what happened to our accounts, and whose doing it was; needs no node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.common.ids import deal_id
from holdfast.entry.cli.alerts import with_notices
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.monitoring.store.events import recent

if TYPE_CHECKING:
    from rich.table import Table

    from holdfast.common.db import Session
    from holdfast.monitoring.events import KeptEvent
    from holdfast.monitoring.wiring import Notices

app = typer.Typer(name="events", help=__doc__, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `list` a word of its own although it is the only command."""


@app.command("list")
def list_events(
    context: typer.Context,
    *,
    deal: Annotated[str | None, typer.Option(help="Only of this deal.")] = None,
    foreign: Annotated[bool, typer.Option("--foreign", help="Only what we did not do.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List events of our accounts, newest block first; orphaned ones left the chain in a reorg."""
    of_deal = None if deal is None else deal_id(deal)

    async def work(session: Session, _: Notices) -> list[KeptEvent]:
        return await recent(session, deal=of_deal, only_foreign=foreign, limit=limit)

    found = [_view(each) for each in with_notices(context, work)]
    if as_json:
        typer.echo(json.dumps({"events": found}))
    else:
        plain_console().print(_table(found) if found else "No such event is recorded.")


def _view(event: KeptEvent) -> dict[str, Any]:
    return {
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "log_index": event.log_index,
        "tx_hash": event.tx_hash,
        "kind": str(event.effect.kind),
        "account": event.account,
        "role": str(event.role),
        "giver": event.effect.giver,
        "taker": event.effect.taker,
        "token": event.effect.token,
        "amount_units": str(event.effect.amount),
        "contract": event.contract,
        "deal_id": None if event.deal_id is None else str(event.deal_id),
        "leg_id": None if event.leg_id is None else str(event.leg_id),
        "foreign": event.is_foreign,
        "orphaned": event.is_orphaned,
        "seen_at": event.seen_at.isoformat(),
    }


def _table(found: list[dict[str, Any]]) -> Table:
    columns = ("Block", "Event", "Account", "Amount", "Token", "Whose", "Transaction")
    table = whole_table("Events", *columns)
    for each in found:
        whose = "SOMEBODY ELSE'S" if each["foreign"] else "ours"
        table.add_row(
            str(each["block_number"]),
            each["kind"],
            f"{each['role']} {each['account'][:10]}",
            each["amount_units"],
            each["token"][:10],
            "orphaned" if each["orphaned"] else whose,
            each["tx_hash"],
        )
    return table
