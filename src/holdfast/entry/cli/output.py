"""How a command prints a few facts: a line each for people, one document for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping


def show_facts(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Print `facts` to stdout."""
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<20} {value}")
