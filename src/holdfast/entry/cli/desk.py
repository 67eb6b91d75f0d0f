"""`holdfast desk`: stop the desk, a bank or a chain, and let it go on; works without a node."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from holdfast.bootstrap import opened_switch
from holdfast.common.ids import bank_id, chain_id, principal_id
from holdfast.entry.cli.errors import Misused
from holdfast.entry.cli.invocation import invocation
from holdfast.entry.cli.options import AsJson
from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.reporting.views import trading_view
from holdfast.risk.trading import DESK, Scope, TradingState, in_force

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdfast.common.db import Session
    from holdfast.risk.switch import KillSwitch

T = TypeVar("T")

app = typer.Typer(name="desk", help=__doc__, no_args_is_help=True)

Bank = Annotated[str | None, typer.Option("--bank", help="Only this bank, such as BANK001.")]
Chain = Annotated[int | None, typer.Option("--chain", help="Only this chain, by its id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; recorded, and shown to who waits.")]
By = Annotated[str, typer.Option("--as", help="Who does it; recorded.")]


_TURNS: Final[dict[str, tuple[TradingState, str]]] = {
    "halt": (
        TradingState.HALTED,
        "Send nothing but what repays debt where an invariant breaks; takes effect at once.",
    ),
    "reduce": (
        TradingState.REDUCING,
        "Start, open and buy nothing; whatever reduces risk goes on. Takes effect at once.",
    ),
    "activate": (
        TradingState.ACTIVE,
        "Let it go on; what another scope or the monitor set stays in force.",
    ),
}


def _turning(state: TradingState) -> Callable[..., None]:
    """The command that sets `state`."""

    def turn(
        context: typer.Context,
        *,
        reason: Reason,
        by: By,
        bank: Bank = None,
        chain: Chain = None,
        as_json: AsJson = False,
    ) -> None:
        scope, principal = _scope(bank, chain), principal_id(by)

        async def work(session: Session, switch: KillSwitch) -> dict[str, Any]:
            await switch.turn(session, scope, state, by=principal, reason=reason)
            return await _standing(session, switch, scope)

        _show(_with_switch(context, work), as_json=as_json)

    return turn


for _name, (_state, _help) in _TURNS.items():
    app.command(_name, help=_help)(_turning(_state))


@app.command()
def status(
    context: typer.Context, *, bank: Bank = None, chain: Chain = None, as_json: AsJson = False
) -> None:
    """Show what is set, and what is in force for the desk, a bank or a chain."""
    scope = _scope(bank, chain)

    async def work(session: Session, switch: KillSwitch) -> dict[str, Any]:
        return await _standing(session, switch, scope)

    _show(_with_switch(context, work), as_json=as_json)


def _scope(bank: str | None, chain: int | None) -> Scope:
    if bank is not None and chain is not None:
        raise Misused("usage", "give --bank or --chain, not both: each is set by itself")
    if bank is not None:
        return Scope(bank=bank_id(bank))
    return DESK if chain is None else Scope(chain=chain_id(chain))


async def _standing(session: Session, switch: KillSwitch, scope: Scope) -> dict[str, Any]:
    """What is set, and what is in force for `scope` as far as it goes by itself."""
    settings = await switch.settings(session)
    counting = [one for one in settings if one.scope in {DESK.name, scope.name}]
    return {
        "scope": scope.name,
        "in_force": trading_view(in_force(counting)),
        "open_deals": await switch.waiting.within(session, scope),
        "settings": [one.as_dict() for one in settings],
    }


def _with_switch(context: typer.Context, work: Callable[[Session, KillSwitch], Awaitable[T]]) -> T:
    async def session() -> T:
        async with opened_switch(invocation(context).settings) as (db, switch), db.begin() as one:
            return await work(one, switch)

    return asyncio.run(session())


def _about(scope: str, deals: int) -> str:
    """Whom it concerns now; a scope that was mistyped concerns nobody."""
    if deals:
        return f"It is about {deals:,} open deal{'s' if deals > 1 else ''}."
    where = "" if scope == DESK.name else f" of {scope} (is it spelt right?)"
    return f"No deal{where} is open now; it counts for those to come."


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document))
        return
    console, found = plain_console(), document["in_force"]
    is_active = found["state"] == TradingState.ACTIVE
    why = "" if is_active else f" because of {found['scope']}: {found['reason']}"
    console.print(f"Trading of {document['scope']} is {found['state']}{why}.", highlight=False)
    console.print(_about(document["scope"], document["open_deals"]), highlight=False)
    table = whole_table("What is set", "Scope", "State", "By", "Why", "Since", key="Scope")
    for one in document["settings"]:
        table.add_row(one["scope"], one["state"], one["set_by"], one["reason"], one["since"][:19])
    console.print(table)
