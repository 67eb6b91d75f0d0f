"""`holdfast risk`: what open deals and the market may do to each other; reads only."""

from __future__ import annotations

import typer

from holdfast.entry.cli.risk_exits import exits
from holdfast.entry.cli.risk_gate import gate
from holdfast.entry.cli.risk_limits import limits, market
from holdfast.entry.cli.risk_replay import replay
from holdfast.entry.cli.risk_status import status, watch
from holdfast.entry.cli.risk_stress import stress

app = typer.Typer(name="risk", help=__doc__, no_args_is_help=True)


@app.callback()
def risk() -> None:
    """What open deals and the market may do to each other; reads only."""


app.command()(gate)
app.command("replay")(replay)
app.command("status")(status)
app.command("watch")(watch)
app.command("stress")(stress)
app.command()(limits)
app.command()(market)
app.command()(exits)
