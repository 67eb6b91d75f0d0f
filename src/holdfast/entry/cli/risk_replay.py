"""`holdfast risk replay`: a deal through real price history; nothing but files is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.bootstrap.settings import limits_of
from holdfast.common.errors import Rejected
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.progress import followed
from holdfast.entry.cli.replay_table import show_replays
from holdfast.planning.replayed import replay_deal
from holdfast.reporting.price_file import require_header, series_of
from holdfast.reporting.replay_chart import chart_format, draw
from holdfast.reporting.replay_view import replay_view
from holdfast.reporting.replays import Player, of_days, of_event, require_times
from holdfast.risk.events import EVENTS, event
from holdfast.risk.price_series import CLOSES, GAS, TOKENS
from holdfast.risk.replay_model import standard_deal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.reporting.replay_view import Played
    from holdfast.reporting.replays import Stretch
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.replay_model import ReplayDeal

ALL = "all"

Prices = Annotated[Path, typer.Option("--prices", help="ETH in dollars: OHLC bars or closes, CSV.")]
TokenPrices = Annotated[
    Path | None, typer.Option("--token-prices", help="How the token moves against its start, CSV.")
]
Gas = Annotated[Path | None, typer.Option("--gas", help="Gas price in gwei, CSV.")]
Deal = Annotated[
    Path | None, typer.Option("--deal", help="What `holdfast deal plan --json` printed.")
]
From = Annotated[str | None, typer.Option("--from", help="First day, or a time with its zone.")]
To = Annotated[str | None, typer.Option("--to", help="Last day, or a time with its zone.")]
EventName = Annotated[
    str | None,
    typer.Option("--event", help=f"{', '.join(one.name for one in EVENTS)}, or {ALL}."),
]
Chart = Annotated[Path | None, typer.Option("--chart", help="Draw to this .svg or .png.")]
AllowGaps = Annotated[
    bool, typer.Option("--allow-gaps", help="Take missing rows as one jump that nobody saw.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, hour by hour.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    event: str | None
    first: str | None
    last: str | None

    def require_sense(self, *, is_drawn: bool) -> None:
        """Refuse what no price can answer, before minutes of prices are read.

        Raises:
            Rejected: `replay.time`, `replay.event` or `replay.chart`.
        """
        if self.event is None:
            require_times(self.first, self.last)
            return
        if self.first is not None or self.last is not None:
            raise Rejected("replay.time", "--event has its own days: leave --from and --to out")
        if self.event != ALL:
            event(self.event)
        elif is_drawn:
            raise Rejected("replay.chart", "a chart shows one event: name it", value=self.event)


def replay(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    *,
    prices: Prices,
    token_prices: TokenPrices = None,
    gas: Gas = None,
    deal: Deal = None,
    first: From = None,
    last: To = None,
    event_name: EventName = None,
    chart: Chart = None,
    allow_gaps: AllowGaps = False,
    as_json: AsJson = False,
) -> None:
    """Play a deal through real prices: LTV, debt cover, what the desk does, what is lost."""
    ending = None if chart is None else chart_format(chart.name)
    asked = _Asked(event_name, first, last)
    asked.require_sense(is_drawn=chart is not None)
    limits = limits_of(invocation(context).settings)
    files = ((prices, CLOSES), (token_prices, TOKENS), (gas, GAS))
    for path, columns in files:
        if path is not None:
            require_header(path, columns)
    player = Player(
        deal=_deal(deal),
        prices=series_of(prices, along=followed(f"reading {prices.name}")),
        tokens=None if token_prices is None else series_of(token_prices, TOKENS),
        gas=None if gas is None else series_of(gas, GAS, 9),
        limits=limits,
        allow_gaps=allow_gaps,
        along=followed("replaying"),
    )
    played = [player.play(one) for one in _stretches(player, asked)]
    if chart is not None and ending is not None:
        _draw(played[0], limits, chart, ending)
    _show(played, limits, as_json=as_json)


def _stretches(player: Player, asked: _Asked) -> Sequence[Stretch]:
    if asked.event is None:
        return [of_days(asked.first, asked.last, player.whole())]
    wanted = EVENTS if asked.event == ALL else (event(asked.event),)
    return [of_event(one) for one in wanted]


def _deal(path: Path | None) -> ReplayDeal:
    if path is None:
        return standard_deal()
    try:
        return replay_deal(json.loads(_text(path)))
    except json.JSONDecodeError as error:
        raise Rejected("replay.plan", f"{path.name} is no JSON: {error}", file=path.name) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected("replay.file", f"{path} cannot be read: {error}", file=str(path)) from error


def _draw(played: Played, limits: RiskLimits, path: Path, format_: str) -> None:
    try:
        with path.open("wb") as out:
            draw(played, limits, out, format_=format_)
    except OSError as error:
        raise Rejected("replay.file", f"{path} cannot be written: {error}") from error


def _show(played: Sequence[Played], limits: RiskLimits, *, as_json: bool) -> None:
    views: list[dict[str, Any]] = [replay_view(one, limits, with_path=as_json) for one in played]
    if as_json:
        typer.echo(json.dumps({"replays": views}))
    else:
        show_replays(views)
