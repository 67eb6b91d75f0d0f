"""The lines of a stress report in order of harm, and the lowest covers as a grid; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FALLS: Final = ("", "eth_down_30", "eth_down_50", "eth_down_63.9", "eth_down_80")
"""The grid's rows: how far ETH falls, from not at all on."""

WITH: Final = (
    *("apr_80", "gas_700_gwei", "usdt_up_5", "usdt_down_5"),
    *("exit_depth_down_80", "single_venue_price"),
)
"""The grid's columns: what happens beside it."""


def grid(lines: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """For each fall its name and the lowest cover with each other shock; ! where one breaks."""
    rows: list[tuple[str, ...]] = []
    for fall in FALLS:
        of_fall = [one for one in lines if _has_fall(one["scenario"], fall)]
        cells = [[one for one in of_fall if other in one["scenario"]] for other in WITH]
        rows.append((fall or "no fall", *map(_lowest, cells)))
    return rows


def by_harm(one: dict[str, Any]) -> tuple[bool, float, float]:
    """Sorts scenarios: those that break a deal first, then by cover, then by loss."""
    return one["principal_whole"], cover(one), -float(one["loss_usd"])


def by_deals_harm(one: dict[str, Any]) -> tuple[int, float]:
    """Sorts deals: those that most scenarios break first, then by loss."""
    return -one["scenarios_not_whole"], -float(one["loss_usd"])


def cover(one: dict[str, Any]) -> float:
    """A line's least debt cover; infinite where nothing is owed."""
    found = one.get("lowest_debt_cover", one.get("debt_cover"))
    return float("inf") if found is None else float(found)


def border(one: dict[str, Any]) -> str:
    """Where something breaks, with its unit; or how far was searched."""
    unit = " days" if one["unit"] == "days" else " %"
    if one["first"] is None:
        return f"not by {float(one['searched_to']):,g}{unit}"
    return str(one["first"]) + unit


def _has_fall(name: str, fall: str) -> bool:
    return f"{name}_".startswith(f"{fall}_") if fall else not name.startswith("eth_down")


def _lowest(lines: Sequence[dict[str, Any]]) -> str:
    covers = [cover(one) for one in lines]
    mark = "" if all(one["principal_whole"] for one in lines) else " !"
    lowest = min(covers, default=float("inf"))
    return ("-" if lowest == float("inf") else f"{lowest:.2f}") + mark
