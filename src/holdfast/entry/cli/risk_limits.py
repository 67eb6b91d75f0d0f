"""`holdfast risk limits` and `risk market`: what new deals are held to, and what that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_document
from holdfast.entry.cli.plain import plain_console
from holdfast.entry.cli.session import on_chain, with_system
from holdfast.reporting.market import limits_document, market_document
from holdfast.risk.store.limits import newest_changes
from holdfast.risk.volatility import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.bootstrap import System

_CHANGES = 10


def limits(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show the published limits, those in force, why, and when they may rise again."""
    show_document(with_system(context, _limits), _show_limits, as_json=as_json)


def market(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Read prices, lending, pools, gas and desk at the newest block, with the market's score."""
    show_document(with_system(context, on_chain(_market)), _show_market, as_json=as_json)


async def _limits(system: System) -> dict[str, Any]:
    async with system.db.begin() as session:
        state = await system.dynamic.kept(session)
        changes = await newest_changes(session, system.profile.chain_id, _CHANGES)
    return limits_document(system.limits, state, changes)


async def _market(system: System) -> dict[str, Any]:
    async with system.db.begin() as session:
        state = await system.dynamic.kept(session)
    seen = await system.market.newest()
    volatility = REFERENCE if state is None else state.volatility.yearly
    return market_document(seen, system.limits, volatility)


def _show_limits(document: Mapping[str, Any]) -> None:
    console = plain_console()
    table = _table("limit", "published", "in force")
    for one in document["limits"]:
        table.add_row(_words(one["name"]), one["published"], one["in_force"])
    console.print(table)
    console.print(_sentence(document))
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


def _show_market(document: Mapping[str, Any]) -> None:
    console = plain_console()
    block = document["block"]
    console.print(f"block {block['number']}, behind the clock by {document['lag_seconds']} s")
    for name in ("eth", "usdt", "token", "gas", "desk"):
        console.print(_facts(name, document[name]))
    for name, reserve in document["lending"].items():
        console.print(_facts(f"lending {name}", reserve))
    console.print(_score(document["score"]))


def _facts(name: str, facts: Mapping[str, Any]) -> Table:
    table = _table(name, "")
    for key, value in facts.items():
        table.add_row(_words(key), str(value))
    return table


def _score(made: Mapping[str, Any]) -> Table:
    table = _table(f"score {made['total']}", "points", "weight", "value", "all at", "none at")
    for part in made["parts"]:
        points = (str(part["points"]), str(part["weight"]))
        table.add_row(part["name"], *points, part["value"], part["good"], part["bad"])
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")
