"""`holdfast devnet`: start, stop and steer the local chain that demonstrations run on."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from holdfast.common.money import USD8, parse_decimal
from holdfast.devnet.node import NodeOptions
from holdfast.devnet.paths import DEFAULT_CACHE, DEFAULT_PORT, DEFAULT_STATE_DIR
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ready_state
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_facts

_HEARTBEAT_SECONDS = 5  # an idle devnet's head stays younger than any freshness limit

app = typer.Typer(name="devnet", help=__doc__, no_args_is_help=True)

StateDir = Annotated[
    Path, typer.Option("--state-dir", help="Keeps the running devnet's profile, pid and log.")
]
CacheDir = Annotated[
    Path, typer.Option("--cache-dir", help="Keeps downloaded packages and built states.")
]
Anvil = Annotated[
    Path | None, typer.Option("--anvil", help="An anvil of your own instead of the pinned one.")
]


@app.command()
def up(  # noqa: PLR0913 - one parameter per option
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = DEFAULT_PORT,
    block_time: Annotated[
        int | None,
        typer.Option(min=1, help="Seconds between blocks; without it each transaction is mined."),
    ] = None,
    gas_limit: Annotated[int, typer.Option(min=1_000_000, help="Gas of one block.")] = 30_000_000,
    *,
    foreground: Annotated[
        bool, typer.Option("--foreground/--detach", help="Stay until Ctrl-C, or return at once.")
    ] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    cache_dir: CacheDir = DEFAULT_CACHE,
    anvil: Anvil = None,
    as_json: AsJson = False,
) -> None:
    """Start a fresh devnet; the first start downloads and builds, later ones take a moment."""
    began = time.monotonic()
    ready = ready_state(cache_dir, anvil=anvil)
    options = NodeOptions(
        port=port,
        block_time_seconds=block_time,
        heartbeat_seconds=_HEARTBEAT_SECONDS,
        gas_limit=gas_limit,
    )
    devnet = Devnet.start(ready, state_dir, options, detached=not foreground)
    facts = {**_where(devnet), "started_in_seconds": round(time.monotonic() - began, 3)}
    show_facts(facts, as_json=as_json)
    if foreground:
        _stay(devnet)


@app.command()
def down(*, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Stop the devnet; its chain is gone, what is built stays in the cache."""
    devnet = Devnet.attach(state_dir)
    devnet.stop()
    show_facts({"stopped": devnet.url}, as_json=as_json)


@app.command()
def status(*, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Say where the devnet is and what state its world is in."""
    devnet = Devnet.attach(state_dir)
    show_facts({**_where(devnet), **_world(devnet)}, as_json=as_json)


@app.command()
def reset(
    *,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    cache_dir: CacheDir = DEFAULT_CACHE,
    anvil: Anvil = None,
    as_json: AsJson = False,
) -> None:
    """Start over from the ready state, at the same address, detached."""
    ready = ready_state(cache_dir, anvil=anvil)
    old = Devnet.attach(state_dir)
    options = replace(old.options, port=old.port)
    old.stop()
    show_facts(_where(Devnet.start(ready, state_dir, options, detached=True)), as_json=as_json)


@app.command()
def freeze(*, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Freeze the redemption desk: no requests, no claims."""
    devnet = Devnet.attach(state_dir)
    devnet.control.freeze()
    _show_desk(devnet, as_json=as_json)


@app.command()
def thaw(*, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Thaw the redemption desk."""
    devnet = Devnet.attach(state_dir)
    devnet.control.thaw()
    _show_desk(devnet, as_json=as_json)


@app.command()
def price(
    usd: Annotated[str, typer.Argument(help="Dollars for one ETH, such as 1500 or 1999.5.")],
    *,
    oracle_only: Annotated[
        bool, typer.Option("--oracle-only", help="Leave the pool's price, as in an attack.")
    ] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Set the price of ETH, in the lending market's oracle and in the pool."""
    wanted = parse_decimal(usd, code="devnet.price", max_decimals=8)
    devnet = Devnet.attach(state_dir)
    devnet.control.set_price(wanted, move_pool=not oracle_only)
    show_facts(_world(devnet), as_json=as_json)


@app.command()
def mine(
    blocks: Annotated[int, typer.Argument(min=1, help="How many.")] = 1,
    *,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Mine blocks now."""
    devnet = Devnet.attach(state_dir)
    devnet.control.mine(blocks)
    show_facts({"block_number": devnet.control.block_number()}, as_json=as_json)


def _where(devnet: Devnet) -> dict[str, object]:
    return {
        "url": devnet.url,
        "chain_id": devnet.profile.chain_id,
        "profile": str(devnet.profile_path),
        "log": str(devnet.log_path),
        "pid": devnet.node.pid,
        "block_time_seconds": devnet.profile.block_time_seconds,
    }


def _world(devnet: Devnet) -> dict[str, object]:
    control = devnet.control
    return {
        "block_number": control.block_number(),
        "desk": "frozen" if control.is_frozen() else "open",
        "eth_usd": f"{control.oracle_price() / USD8:.2f}",
    }


def _show_desk(devnet: Devnet, *, as_json: bool) -> None:
    show_facts({"desk": "frozen" if devnet.control.is_frozen() else "open"}, as_json=as_json)


def _stay(devnet: Devnet) -> None:
    # A shell that starts us in the background would have us ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        typer.echo("Ctrl-C stops the devnet.", err=True)
        devnet.wait()
    except KeyboardInterrupt:
        devnet.stop()
