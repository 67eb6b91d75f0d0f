"""How far a long loop is, on stderr: nothing for the first second, as most are over by then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

_QUIET_SECONDS: Final = 1.0
_EVERY: Final = 1_000
"""Rows between two looks at the clock, which cost nothing beside them."""


def followed(what: str) -> Callable[[Sequence[T]], Iterator[T]]:
    """Hands rows on one by one, with a bar called `what` once it takes long.

    Where stderr is no terminal it says once how many rows there are.
    """

    def rows_of(rows: Sequence[T]) -> Iterator[T]:
        console, began = Console(stderr=True), time.monotonic()
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=len(rows), visible=False)
            is_told = False
            for number, row in enumerate(rows):
                if number % _EVERY == 0 and time.monotonic() - began >= _QUIET_SECONDS:
                    bar.update(task, completed=number, visible=True)
                    if not is_told and not console.is_terminal:
                        console.print(f"{what}: {len(rows):,} rows", highlight=False)
                    is_told = True
                yield row

    return rows_of
