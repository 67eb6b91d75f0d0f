"""`holdfast chain`: the nodes of the chain as they are now."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from holdfast.bootstrap import opened_chain
from holdfast.entry.cli.errors import ExitCode
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.plain import plain_console

if TYPE_CHECKING:
    from holdfast.chain.member import EndpointStatus
    from holdfast.chain.pool import Pool

app = typer.Typer(name="chain", help=__doc__, no_args_is_help=True)


@app.callback()
def chain() -> None:
    """The nodes of the chain as they are now."""


@app.command()
def status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Ask each node a few times how it is; exit code 4 when nothing can be read or sent."""
    document = asyncio.run(_surveyed(context))
    if as_json:
        typer.echo(json.dumps(document))
    else:
        _show(document)
    if document["read_only"]:
        raise typer.Exit(ExitCode.TRANSIENT)


async def _surveyed(context: typer.Context) -> dict[str, Any]:
    async with opened_chain(invocation(context).settings) as pool:
        await pool.survey()
        return _document(pool)


def _document(pool: Pool) -> dict[str, Any]:
    return {
        "chain_id": pool.profile.chain_id,
        "name": pool.profile.name,
        "read_only": not (pool.is_used and pool.can_send),
        "can_read": pool.is_used,
        "can_send": pool.can_send,
        "endpoints": [_endpoint(one) for one in pool.status()],
    }


def _endpoint(one: EndpointStatus) -> dict[str, Any]:
    return {
        "endpoint": one.name,
        "private": one.is_private,
        "state": "used" if one.trouble is None else str(one.trouble),
        "since": one.since.isoformat(timespec="seconds"),
        "reason": one.reason,
        "head": one.head or None,
        "lag_blocks": one.lag_blocks if one.head else None,
        "error_rate": round(one.lost / one.exchanges, 3) if one.exchanges else None,
        "latency_ms": None if one.latency_seconds is None else round(one.latency_seconds * 1e3, 1),
    }


def _show(document: dict[str, Any]) -> None:
    title = f"{document['name']} (chain {document['chain_id']})"
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in ("Endpoint", "State", "Since", "Head", "Lag", "Errors", "Latency", "Reason"):
        table.add_column(column, overflow="fold")
    for one in document["endpoints"]:
        errors, latency = one["error_rate"], one["latency_ms"]
        table.add_row(
            one["endpoint"] + (" (private)" if one["private"] else ""),
            one["state"],
            one["since"][11:19],
            _text(one["head"]),
            _text(one["lag_blocks"]),
            "" if errors is None else f"{errors:.0%}",
            "" if latency is None else f"{latency} ms",
            one["reason"],
        )
    plain_console().print(table)
    if document["read_only"]:
        missing = "private node" if document["can_read"] else "node"
        plain_console().print(f"No {missing} can be used: the desk is read-only.")


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
