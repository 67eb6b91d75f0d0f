"""Runs a command's work on an opened system, from the settings of the command's run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from holdfast.bootstrap import opened
from holdfast.entry.cli.invocation import invocation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import typer

    from holdfast.bootstrap import System

T = TypeVar("T")


def with_system(context: typer.Context, work: Callable[[System], Awaitable[T]]) -> T:
    """What `work` returns; the system is closed afterwards. No node is asked before it."""

    async def session() -> T:
        async with opened(invocation(context).settings) as system:
            return await work(system)

    return asyncio.run(session())


def on_chain(work: Callable[[System], Awaitable[T]]) -> Callable[[System], Awaitable[T]]:
    """`work`, refused before it begins when the chain cannot be read."""

    async def checked(system: System) -> T:
        await system.pool.require()
        return await work(system)

    return checked
