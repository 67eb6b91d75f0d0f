"""`holdfast risk limits` and `risk market`: what new deals are held to, and what that rests on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from holdfast.entry.cli.market_view import of, show_market
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.plain import plain_console
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.reporting.market import limits_document, market_document, opening_document
from holdfast.reporting.price_file import series_of
from holdfast.reporting.tables import heading
from holdfast.risk.store.limits import newest_changes, watched_since
from holdfast.risk.volatility import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.bootstrap import System
    from holdfast.risk.price_series import Series

_CHANGES = 10


Hours = Annotated[
    Path | None, typer.Option("--prices", help="CSV of hours of ETH, for the opening LTV's rule.")
]


def limits(context: typer.Context, *, prices: Hours = None, as_json: AsJson = False) -> None:
    """Show the published limits, those in force, why, and when they may rise again."""
    hours = None if prices is None else series_of(prices)
    document = with_system(context, partial(_limits, hours))
    show_document(document, _show_limits, as_json=as_json)


def market(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Read prices, lending, pools, gas and desk at the newest block, with the market's score."""
    show_document(with_system(context, on_chain(_market)), show_market, as_json=as_json)


async def _limits(hours: Series | None, system: System) -> dict[str, Any]:
    chain_id = system.profile.chain_id
    async with system.db.begin() as session:
        state = await system.dynamic.kept(session)
        changes = await newest_changes(session, chain_id, _CHANGES)
        since = await watched_since(session, chain_id)
    document = limits_document(system.limits, state, changes, watched_since=since)
    if hours is not None:
        document["history"] = opening_document(hours, system.limits, state)
    return document


async def _market(system: System) -> dict[str, Any]:
    async with system.db.begin() as session:
        state = await system.dynamic.kept(session)
    seen = await system.market.newest()
    volatility = REFERENCE if state is None else state.volatility.yearly
    lent = (system.profile.token("WETH"), system.profile.token("USDT"))
    return market_document(seen, system.limits, volatility, lent)


def _show_limits(document: Mapping[str, Any]) -> None:
    console = plain_console()
    table = _table("limit", "published", "in force")
    for one in document["limits"]:
        table.add_row(heading(one["name"]), of(one, "published"), of(one, "in_force"))
    console.print(table)
    console.print(_sentence(document))
    console.print(document["volatility_rests_on"])
    opening = document["opening"]
    told = f"{opening['proposed_percent']} %, and warns above {opening['warned_above_percent']} %"
    console.print(f"A deal that does not say opens at {told}.")
    if "history" in document:
        console.print(_openings(document["history"]))
    if document["changes"]:
        console.print(_changes(document["changes"]))


def _sentence(document: Mapping[str, Any]) -> str:
    """Why the limits are what they are, and when they may rise."""
    if document["read_at"] is None:
        return "The market was not read yet: the published limits hold."
    facts = f"score {document['score']}, volatility {document['volatility_percent']} % a year"
    if document["cause"] == "published":
        return f"The published limits hold ({facts})."
    rise = document["may_rise_at"]
    when = f"may rise at {rise}" if rise else "do not rise while the market stays as it is"
    scale = document["scale_percent"]
    return f"At {scale} % since {document['changed_at']}: {document['cause']} ({facts}); {when}."


def _openings(history: Mapping[str, Any]) -> Table:
    span = f"{history['hours']:,} hours from {history['from']}"
    table = _table("24-hour paths", "lowest", "opening LTV", "in force", title=span)
    for one in history["quantiles"]:
        table.add_row(
            f"{one['share_percent']} % are worse",
            f"{one['path_low_percent']} %",
            f"{one['opening_ltv_percent']} %",
            f"{one['in_force_percent']} %",
        )
    return table


def _changes(changes: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("changed at", "from", "to", "cause", "score", "volatility")
    for one in changes:
        table.add_row(
            one["at"],
            f"{one['before_percent']} %",
            f"{one['after_percent']} %",
            one["cause"],
            str(one["score"]),
            f"{one['volatility_percent']} %",
        )
    return table


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table
