"""`holdfast risk`: what open deals and the market may do to each other; reads only."""

from __future__ import annotations

import typer

app = typer.Typer(name="risk", help=__doc__, no_args_is_help=True)


@app.callback()
def risk() -> None:
    """What open deals and the market may do to each other; reads only."""
