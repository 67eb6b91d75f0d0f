"""`holdfast keys`: make the keystore that holds every deal's key, and show addresses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.bootstrap import create_keystore, keystore_keys
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.output import show_facts
from holdfast.signing.keystore import KeyNetwork

if TYPE_CHECKING:
    from holdfast.common.evm import Address
    from holdfast.config import Settings

FLOAT_INDEX = 0

app = typer.Typer(name="keys", help=__doc__, no_args_is_help=True)


@app.command()
def create(
    context: typer.Context,
    *,
    network: Annotated[
        KeyNetwork, typer.Option(help="Where the keys may sign; never both.")
    ] = KeyNetwork.PRODUCTION,
    as_json: AsJson = False,
) -> None:
    """Make a new seed and seal it in the file that HOLDFAST_KEYSTORE names.

    Back the file and its passphrase up apart from each other before funding any address.
    """
    settings = invocation(context).settings
    path = create_keystore(settings, network)
    facts = {"keystore": str(path), "network": str(network)}
    show_facts({**facts, "float": _address(settings, FLOAT_INDEX)}, as_json=as_json)


@app.command()
def address(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(min=0, help="0 is the float, deals count from 1.")
    ] = FLOAT_INDEX,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the address of the float or of a deal's key."""
    found = _address(invocation(context).settings, number)
    show_facts({"number": number, "address": found}, as_json=as_json)


def _address(settings: Settings, number: int) -> Address:
    keys = keystore_keys(settings)

    async def work() -> Address:
        return (await keys.open(keys.ref(number))).address

    return asyncio.run(work())
