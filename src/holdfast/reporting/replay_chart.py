"""A replay as a chart: the price, the LTV with its limits, the debt cover, and what was done."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, USD8, WAD
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.reporting.pictures import new_figure, save
from holdfast.risk.replay_model import ActionKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from holdfast.reporting.replay_view import Played
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.replay_model import Hour, Replay

_FORMATS = ("svg", "png")
_MARKS = {
    ActionKind.WARNED: ("o", "tab:orange"),
    ActionKind.CONVERTED: ("s", "tab:purple"),
    ActionKind.REPAID: ("v", "tab:green"),
    ActionKind.LIQUIDATED: ("X", "tab:red"),
}


def chart_format(name: str) -> str:
    """The format that a file's name asks for.

    Raises:
        Rejected: `replay.chart_format` unless it is SVG or PNG.
    """
    ending = PurePath(name).suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        raise Rejected(
            "replay.chart_format", f"{name} is neither .svg nor .png", value=name, limit=_FORMATS
        )
    return ending


def draw(played: Played, limits: RiskLimits, out: BinaryIO, *, format_: str) -> None:
    """Write the chart; the same replay always gives the same bytes."""
    figure = new_figure(10, 8)
    price, ltv, cover = figure.subplots(3, 1, sharex=True)
    _price(price, played)
    _ltv(ltv, played, limits)
    _cover(cover, played, limits)
    save(figure, out, format_)


def _price(axes: Any, played: Played) -> None:  # noqa: ANN401 - matplotlib has no strict types
    run = played.attended
    axes.set_title(f"{played.name}: a deal through history")
    axes.plot(_times(run), [hour.close / USD8 for hour in run.hours], color="tab:blue", lw=1)
    lows, closes = ([getattr(h, name) / USD8 for h in run.hours] for name in ("low", "close"))
    axes.fill_between(_times(run), lows, closes, alpha=0.3)
    for kind, (mark, colour) in _MARKS.items():
        done = [one for one in run.actions if one.kind is kind]
        when, prices = [_time(one.at) for one in done], [one.price / USD8 for one in done]
        if done:
            axes.scatter(when, prices, marker=mark, color=colour, label=str(kind), zorder=3)
    if run.actions:
        axes.legend(loc="best")
    axes.set_ylabel("ETH, dollars")


def _ltv(axes: Any, played: Played, limits: RiskLimits) -> None:  # noqa: ANN401
    _paths(axes, played, lambda hour: hour.ltv * 100 / BPS if hour.ltv != NO_DEBT else None)
    axes.axhline(limits.warn_ltv * 100 / BPS, color="tab:orange", ls=":", label="warning")
    axes.axhline(limits.max_ltv * 100 / BPS, color="tab:red", ls=":", label="cap")
    axes.legend(loc="upper left")
    axes.set_ylabel("LTV, percent")


def _cover(axes: Any, played: Played, limits: RiskLimits) -> None:  # noqa: ANN401
    _paths(axes, played, lambda hour: hour.cover_wad / WAD if hour.cover_wad != NO_DEBT else None)
    axes.axhline(limits.warn_cover_wad / WAD, color="tab:orange", ls=":")
    axes.axhline(limits.min_cover_wad / WAD, color="tab:red", ls=":")
    axes.set_ylabel("debt cover")
    axes.set_xlabel("UTC")
    axes.tick_params(axis="x", rotation=20)


def _paths(axes: Any, played: Played, of: Callable[[Hour], float | None]) -> None:  # noqa: ANN401
    for run, style, label in (
        (played.unattended, "--", "nobody acts"),
        (played.attended, "-", "the desk acts"),
    ):
        axes.plot(_times(run), [of(hour) for hour in run.hours], style, lw=1, label=label)


def _times(run: Replay) -> list[datetime]:
    return [_time(hour.start) for hour in run.hours]


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
