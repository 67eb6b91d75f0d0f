"""`holdfast risk status` and `risk watch`: what the risk monitor last saw; ask no node."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from holdfast.bootstrap import opened_risk_status
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.plain import plain_console, whole_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType
    from rich.table import Table

    from holdfast.config import Settings
    from holdfast.monitoring.risk_status import RiskStatus

_REFRESH_SECONDS: Final = 1.0


def status(
    context: typer.Context,
    *,
    as_json: AsJson = False,
) -> None:
    """The monitor's last tick: its age, every open deal's LTV, cover and exposure, open alerts."""
    report = asyncio.run(_report(invocation(context).settings))
    if as_json:
        typer.echo(json.dumps(report))
    else:
        plain_console().print(shown(report))


def watch(context: typer.Context) -> None:
    """The same, kept up to date until Ctrl-C; into a pipe or a file, a line for each change."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(invocation(context).settings))


async def _report(settings: Settings) -> dict[str, Any]:
    async with opened_risk_status(settings) as reader:
        return await reader.report()


async def _watch(settings: Settings) -> None:
    console = plain_console()
    async with opened_risk_status(settings) as reader:
        if not console.is_terminal:
            await _log(reader)
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(shown(await reader.report()), refresh=True)
                await asyncio.sleep(_REFRESH_SECONDS)


async def _log(reader: RiskStatus) -> NoReturn:
    """A line whenever something changed: a screen that redraws itself is no use in a file."""
    before = ""
    while True:
        line = _line(await reader.report())
        if line != before:
            typer.echo(line)
        before = line
        await asyncio.sleep(_REFRESH_SECONDS)


def shown(report: Mapping[str, Any]) -> RenderableType:
    """The report for people."""
    parts: list[RenderableType] = [Text(_trading(one)) for one in report["trading"]]
    if not report["chains"]:
        parts.append(Text("The monitor has never looked: is a worker running? (`holdfast worker`)"))
    for chain in report["chains"]:
        parts += [Text(_headline(chain)), Text(_market(chain["market"]))]
        parts.append(_deals(chain["deals"]) if chain["deals"] else Text("No deal is open."))
    parts.append(_alerts(report["alerts"]) if report["alerts"] else Text("No alert on risk."))
    return Group(*parts)


def _line(report: Mapping[str, Any]) -> str:
    """One look on one line, for a log."""
    states = [f"{one['scope']} is {one['state'].upper()}" for one in report["trading"]]
    chains = [
        f"chain {one['chain_id']} block {one['block']['number']}, {len(one['deals'])} deals, "
        f"{sum(deal['state'] != 'calm' for deal in one['deals'])} not calm"
        f"{', LATE' if one['tick']['is_late'] else ''}"
        for one in report["chains"]
    ]
    return "; ".join([*states, *chains, f"{len(report['alerts'])} alerts"])


def _trading(setting: Mapping[str, Any]) -> str:
    return (
        f"Trading of {setting['scope']} is {setting['state'].upper()} since "
        f"{setting['since'][:19]}, set by {setting['set_by']}: {setting['reason']}"
    )


def _headline(chain: Mapping[str, Any]) -> str:
    tick = chain["tick"]
    late = ": LATE, is the monitor running?" if tick["is_late"] else ""
    block = chain["block"]["number"]
    return (
        f"chain {chain['chain_id']}, block {block}: looked {tick['age_seconds']} s ago, "
        f"in {tick['took_seconds']} s{late}"
    )


def _market(market: Mapping[str, Any]) -> str:
    frozen = "FROZEN" if market["redemption_is_frozen"] else "open"
    return (
        f"ETH ${Decimal(market['eth_usd']):,.2f} (pool {market['eth_deviation_percent']} % off, "
        f"{market['eth_feed_age_seconds']} s old), USDT ${Decimal(market['usdt_usd']):.4f}, "
        f"{market['usdt_utilisation_percent']} % of it lent out, "
        f"token ${Decimal(market['token_usd']):.4f}, redemption desk {frozen}"
    )


def _deals(deals: list[Mapping[str, Any]]) -> Table:
    columns = ("Deal", "Bank", "Status", "State", "LTV", "Cover", "Exposure", "Debt", "Token")
    table = whole_table("Open deals", *columns, key="Deal")
    for one in deals:
        reason = one["hold_reason"]
        status = f"{one['status']} ({reason})" if reason else str(one["status"])
        cover = one["debt_cover"]
        table.add_row(
            str(one["deal_id"] or one["deal_number"]),
            str(one["bank"]),
            status,
            one["state"],
            _percent(one["ltv_percent"]),
            "no debt" if cover is None else f"{Decimal(cover):.2f}",
            _percent(one["exposure_percent"]),
            f"${int(one['debt_usd']):,}",
            f"${int(one['token_market_usd']):,}",
        )
    return table


def _alerts(alerts: list[Mapping[str, Any]]) -> Table:
    columns = ("alert_id", "severity", "code", "text", "opened_at")
    table = whole_table("Open alerts on risk", "No", "Severity", "Code", "What", "Since")
    for one in alerts:
        table.add_row(*(str(one[name])[: 19 if name == "opened_at" else None] for name in columns))
    return table


def _percent(value: str | None) -> str:
    return "unbounded" if value is None else f"{value} %"
