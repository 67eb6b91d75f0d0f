"""Printing of what others wrote: nodes, contracts and databases give text, never markup."""

from __future__ import annotations

from rich.console import Console


def plain_console() -> Console:
    """A console that shows every text letter by letter; brackets in it mean nothing."""
    return Console(markup=False, emoji=False)
