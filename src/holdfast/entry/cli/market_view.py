"""The market at one block for people: each figure with its unit, by what its key says."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.reporting.tables import heading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

_NAMES: Final = {
    "eth": "ETH",
    "usdt": "USDT",
    "token": "Discounted token",
    "gas": "Gas",
    "desk": "Redemption desk",
}
_LABELS: Final = {
    "average_window_seconds": "average reaches back",
    "average_means": "average is of",
    "depth_one_percent_usd": "moves its price by 1 %",
    "deviation_percent": "pool and feed differ by",
    "deviation_limit_percent": "and may differ by",
    "feed_age_limit_seconds": "feed age, at most",
    "is_fresh": "fresh enough",
    "is_agreed": "near enough",
    "base_fee_wei": "base fee",
    "tip_wei": "tip",
    "is_frozen": "frozen",
    "cash_usd": "can pay",
}
"""Where the key's words without its unit do not say it."""

_FOR_MACHINES: Final = "average_state"
_GWEI: Final = Decimal(10**9)
_CENTS_FROM: Final = 100
"""Dollars from which cents tell enough of a price."""


def show_market(document: Mapping[str, Any]) -> None:
    """Prices, lending, gas and desk, then the score with what each part rests on."""
    console = plain_console()
    block, lag = document["block"]["number"], document["lag_seconds"]
    console.print(f"Block {block}, {lag} s behind the clock", highlight=False)
    told = [_facts(title, document[name]) for name, title in _NAMES.items()]
    told += [_facts(f"Lending of {name.upper()}", one) for name, one in document["lending"].items()]
    for table in (*told, _score(document["score"])):
        console.print()
        console.print(table)


def figure(key: str, value: Any) -> str:  # noqa: ANN401 - a JSON value
    """A value of a document for people, with the unit that its key ends in."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        of_token = cast("Mapping[str, str]", value)
        return f"{Decimal(of_token['amount']):,.2f} {of_token['token']}"
    return _with_unit(key, str(value))


def of(entry: Mapping[str, Any], name: str) -> str:
    """The figure `name` of an entry, whichever unit its key ends in."""
    key = next(one for one in entry if one in {name, f"{name}_usd", f"{name}_percent"})
    return figure(key, entry[key])


def _with_unit(key: str, value: str) -> str:
    match key.rpartition("_")[2]:
        case "usd":
            return _dollars(Decimal(value))
        case "percent":
            return f"{value} %"
        case "seconds":
            return f"{int(value):,} s"
        case "wei":
            return f"{(Decimal(value) / _GWEI).normalize():,f} gwei"
        case _:
            return value


def _dollars(value: Decimal) -> str:
    return f"${value:,.2f}" if abs(value) >= _CENTS_FROM else f"${value:,.4f}"


def _label(key: str) -> str:
    bare = key.removesuffix("_usd").removesuffix("_percent").removesuffix("_seconds")
    return _LABELS.get(key, heading(bare))


def _facts(title: str, facts: Mapping[str, Any]) -> Table:
    table = whole_table(title, "", "")
    table.show_header = False
    for key, value in facts.items():
        if key != _FOR_MACHINES:
            table.add_row(_label(key), figure(key, value))
    return table


def _score(made: Mapping[str, Any]) -> Table:
    heads = ("Part", "Points", "Weight", "Now", "All points at", "None at")
    table = whole_table(f"Score {made['total']} of 100", *heads)
    for part in made["parts"]:
        figures = (of(part, name) for name in ("value", "all_points_at", "no_points_at"))
        table.add_row(part["name"], str(part["points"]), str(part["weight"]), *figures)
    return table
