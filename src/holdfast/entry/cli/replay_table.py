"""Replays for people: one table over all, then each one's actions and money."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from holdfast.entry.cli.plain import plain_console, whole_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

_NONE: Final = "-"
_PNL: Final = (
    ("against_untraded_usd", "against the same ETH, untraded"),
    ("token_usd", "of it: token"),
    ("opening_cost_usd", "less: opening cost"),
    ("interest_usd", "less: interest"),
    ("exit_cost_usd", "less: cost of selling bucket ETH"),
    ("penalty_usd", "less: liquidators' bonus"),
    ("gas_usd", "less: gas"),
    ("forgone_on_eth_sold_usd", "less: forgone on ETH sold"),
    ("change_usd", "change of NAV, ETH's own move included"),
    ("loss_if_token_fails_usd", "loss if the token fetches nothing"),
    ("bound_usd", "bound S + i + f of that loss"),
)


def show_replays(views: Sequence[Mapping[str, Any]]) -> None:
    """Print them."""
    console = plain_console()
    console.print(_summary(views))
    for view in views:
        console.print()
        console.print(_actions(view))
        if len(views) == 1:
            console.print(_money(view))


def _summary(views: Sequence[Mapping[str, Any]]) -> Table:
    table = whole_table(
        "Replays", "Event", "ETH fell", "Jump", "Max LTV", "Nobody acts", "Min HF", "Min cover",
        "Hours > warning", "Actions", "Whole", "Against untraded",
    )  # fmt: skip
    for view in views:
        table.add_row(
            view["name"],
            f"{view['eth']['fall_percent']} %",
            f"{view['eth']['largest_jump_percent']} %",
            _with(view["max_ltv_percent"], " %"),
            _with(view["unattended"]["max_ltv_percent"], " %"),
            _with(view["min_health_factor"]),
            _with(view["min_debt_cover"]),
            f"{view['hours_over_warning']:g}",
            str(sum(one["kind"] != "warned" for one in view["actions"])),
            "yes" if view["principal_whole"] else "NO",
            _usd(view["pnl"]["against_untraded_usd"]),
        )
    return table


def _actions(view: Mapping[str, Any]) -> Table:
    table = whole_table(
        f"{view['name']}, opened {view['opened_at']}", "After", "What", "ETH", "LTV", "Cover",
        "Repaid", "ETH sold", "ETH seized",
    )  # fmt: skip
    for one in view["actions"]:
        table.add_row(
            f"{one['after_hours']:g} h",
            one["kind"],
            _usd(one["eth_usd"]),
            f"{_with(one['ltv_before_percent'])} -> {_with(one['ltv_after_percent'], ' %')}",
            f"{_with(one['cover_before'])} -> {_with(one['cover_after'])}",
            _usd(one["repaid_usd"]),
            f"{Decimal(one['sold_eth']):,.4f}",
            f"{Decimal(one['seized_eth']):,.4f}",
        )
    if not view["actions"]:
        table.add_row("nothing was done")
    return table


def _money(view: Mapping[str, Any]) -> Table:
    table = whole_table("Money", "What", "Dollars")
    for name, words in _PNL:
        table.add_row(words, _usd(view["pnl"][name]))
    table.add_row("against untraded, in ETH", view["pnl"]["against_untraded_eth"])
    return table


def _usd(text: str) -> str:
    value = Decimal(text)
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def _with(value: str | None, unit: str = "") -> str:
    return _NONE if value is None else f"{value}{unit}"
