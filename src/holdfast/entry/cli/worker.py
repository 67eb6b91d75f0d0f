"""`holdfast worker`: the process that advances deals and sends their transactions."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from holdfast.bootstrap import opened, opened_workers_reporter
from holdfast.common.errors import Paused
from holdfast.common.metrics import MetricsServer
from holdfast.common.system_clock import SystemClock
from holdfast.entry.cli.errors import ExitCode
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.supervisor import Supervisor
from holdfast.entry.cli.workers_view import show_workers
from holdfast.entry.worker import Part, Watched, run_worker

if TYPE_CHECKING:
    from holdfast.bootstrap import System
    from holdfast.config import Settings


app = typer.Typer(invoke_without_command=True)

_START_SECONDS: Final = 60.0
"""How long a worker that starts waits for a database or a node that is away, each."""

Supervised = Annotated[
    bool, typer.Option("--supervised", help="Start it again whenever it ends by itself.")
]


@app.callback()
def worker(context: typer.Context, *, supervised: Supervised = False) -> None:
    """Advance deals until stopped; SIGTERM lets running steps finish. Run as many as you like."""
    if context.invoked_subcommand is not None:
        if supervised:
            raise typer.BadParameter("only for a worker that runs: leave --supervised out")
        return
    if supervised:
        command = [sys.executable, "-m", "holdfast", "worker"]
        code = asyncio.run(Supervisor(command, SystemClock()).run())
        raise typer.Exit(code if code >= 0 else ExitCode.UNEXPECTED)
    asyncio.run(work(invocation(context).settings))


@app.command()
def status(
    context: typer.Context,
    *,
    as_json: AsJson = False,
) -> None:
    """Who leads what, what waits in the queues, and which deals are late; asks no node."""

    async def read() -> dict[str, Any]:
        async with opened_workers_reporter(invocation(context).settings) as reporter:
            return await reporter.report()

    report = asyncio.run(read())
    if as_json:
        typer.echo(json.dumps(report))
    else:
        show_workers(report)


async def work(settings: Settings) -> None:
    """Open the system and run it as a worker.

    Raises:
        Rejected: what is wrong with the settings, the port for figures included: a further start
            would only meet it again.
    """
    async with (
        opened(settings, patience_seconds=_START_SECONDS) as system,
        _figures_served(system),
    ):
        with suppress(Paused):  # every node is down: start all the same, and wait for one
            await system.pool.require()
        await run_worker(worker_parts(system))


def worker_parts(system: System) -> list[Part]:
    """What one worker runs."""
    concurrency = system.settings.worker_concurrency
    advance = Watched(system.advance)
    parts = [
        Part("queue", functools.partial(system.queue.run, advance, concurrency=concurrency)),
        *(Part(f"chain-{n}", loop.run) for n, loop in enumerate(system.chain_loops)),
        Part("sweep", system.sweep.run),
        Part("events", system.listener.run),
        Part("exits", system.exit_checks.run),
        Part("chores", system.notices.do_chores),
        Part("nodes", system.watch.run),
        Part("reports", system.reports.run),
        Part("risk", system.monitor.run),
        Part("ticks", system.tick_watch.run),
    ]
    if system.settings.metrics_port is not None:
        parts.append(Part("counting", system.counting.run))
    return parts


def _figures_served(system: System) -> AbstractAsyncContextManager[int | None]:
    port = system.settings.metrics_port
    return nullcontext() if port is None else MetricsServer(system.metrics, port).serving()
