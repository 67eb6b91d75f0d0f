"""`holdfast demo`: one $10M deal from plan to profit on a local chain."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from rich.console import Console

from holdfast.entry.cli.deal_view import show_deal
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.demo import Demo, DemoOptions
from holdfast.model.deal import Funding


def demo(
    context: typer.Context,
    *,
    funding: Annotated[Funding, typer.Option(help="What pays for the token.")] = Funding.BORROW,
    freeze_at: Annotated[
        int | None, typer.Option(min=1, help="Freeze redemption before this tranche, then thaw.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave node, database and worker running.")
    ] = False,
    block_time: Annotated[
        int, typer.Option(min=0, max=60, help="Seconds between blocks; 0 mines at once.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Run one whole deal on a local chain: plan, legs, freeze, ledger, profit."""
    began = time.monotonic()
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    options = DemoOptions(funding=funding, freeze_at=freeze_at, keep=keep, block_time=block_time)

    def say(text: str) -> None:
        progress.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False)

    report = Demo(invocation(context).settings, options, say).run()
    say(f"done: {report['blocks']} blocks")
    if as_json:
        typer.echo(json.dumps(report, default=str))
    else:
        if "freeze" in report:
            Console().rule("while redemption was frozen")
            show_deal(report["freeze"])
            Console().rule("after the thaw")
        show_deal(report)
