"""`holdfast alerts`: what somebody must look at; works without a node."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from holdfast.bootstrap import database_url
from holdfast.common.db import Database
from holdfast.common.ids import principal_id
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.migrations import revisions
from holdfast.monitoring.targets import targets
from holdfast.monitoring.wiring import notices_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.table import Table

    from holdfast.common.db import Session
    from holdfast.config import Settings
    from holdfast.monitoring.records import KeptAlert
    from holdfast.monitoring.wiring import Notices

T = TypeVar("T")

_LAST_NUMBER: Final = 2**63 - 1  # of a PostgreSQL bigint

app = typer.Typer(name="alerts", help=__doc__, no_args_is_help=True)

AlertArgument = Annotated[
    int, typer.Argument(min=1, max=_LAST_NUMBER, metavar="ALERT", help="The number `list` shows.")
]


@app.command("list")
def list_alerts(
    context: typer.Context,
    *,
    with_closed: Annotated[
        bool, typer.Option("--all", help="Also what was acknowledged or is over.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the open alerts, newest first: nobody acknowledged them, and they are not over."""

    async def work(session: Session, notices: Notices) -> list[KeptAlert]:
        return await notices.alerts.listed(session, with_closed=with_closed, limit=limit)

    found = [alert_view(each) for each in with_notices(context, work)]
    if as_json:
        typer.echo(json.dumps({"alerts": found}))
    else:
        plain_console().print(_table(found) if found else "No alert.")


@app.command()
def show(context: typer.Context, alert: AlertArgument, *, as_json: AsJson = False) -> None:
    """Show one alert with its facts and how far its delivery is."""

    async def work(session: Session, notices: Notices) -> KeptAlert:
        return await notices.alerts.shown(session, alert)

    _show(alert_view(with_notices(context, work)), as_json=as_json)


@app.command()
def ack(
    context: typer.Context,
    alert: AlertArgument,
    *,
    by: Annotated[str, typer.Option("--as", help="Who has seen it; recorded.")],
    reason: Annotated[str, typer.Option(help="What was found; recorded.")],
    as_json: AsJson = False,
) -> None:
    """Acknowledge an alert: the next of its kind is a new one, and is delivered."""
    principal = principal_id(by)

    async def work(session: Session, notices: Notices) -> KeptAlert:
        return await notices.alerts.acknowledge(session, alert, principal, reason)

    _show(alert_view(with_notices(context, work)), as_json=as_json)


def with_notices(context: typer.Context, work: Callable[[Session, Notices], Awaitable[T]]) -> T:
    """What `work` returns, done in one transaction on the settings' database."""
    return asyncio.run(_with_notices(invocation(context).settings, work))


async def _with_notices(settings: Settings, work: Callable[[Session, Notices], Awaitable[T]]) -> T:
    url = await database_url(settings)
    db = Database.connect(url, pool_size=1)
    try:
        await revisions.require_newest(db)
        reached = targets(settings.alert_urls, settings.alert_severity)
        async with db.begin() as session:
            return await work(session, notices_of(url, db, reached))
    finally:
        await db.close()


def alert_view(alert: KeptAlert) -> dict[str, Any]:
    """An alert as JSON values."""
    acknowledged, resolved = alert.acknowledged_at, alert.resolved_at
    return {
        "alert_id": alert.alert_id,
        "severity": str(alert.severity),
        "code": alert.code,
        "subject": alert.subject,
        "text": alert.text,
        "fields": dict(alert.fields),
        "chain_id": alert.chain_id,
        "deal_id": None if alert.deal_id is None else str(alert.deal_id),
        "participant_bank_id": alert.bank_id,
        "count": alert.count,
        "opened_at": alert.opened_at.isoformat(),
        "last_seen_at": alert.last_seen_at.isoformat(),
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_at": None if acknowledged is None else acknowledged.isoformat(),
        "resolved_at": None if resolved is None else resolved.isoformat(),
        "delivery": str(alert.delivery),
        "delivered_to": sorted(alert.reached),
        "delivery_error": alert.error,
    }


def _table(found: list[dict[str, Any]]) -> Table:
    columns = ("No", "Severity", "Code", "Subject", "What", "Times", "Last", "Delivery")
    table = whole_table("Alerts", *columns)
    for each in found:
        told = each["acknowledged_by"] and f"seen by {each['acknowledged_by']}"
        told = told or (each["resolved_at"] and f"over since {each['resolved_at'][:19]}")
        table.add_row(
            *(str(each[name]) for name in ("alert_id", "severity", "code", "subject", "text")),
            str(each["count"]),
            each["last_seen_at"][:19],
            told or each["delivery"],
        )
    return table


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document))
        return
    for name, value in document.items():
        if value not in (None, {}, []):
            typer.echo(f"{name.replace('_', ' '):<20} {value}")
