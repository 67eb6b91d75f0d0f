"""How a command prints what it found: for people, or as one document for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def show_facts(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Print `facts` to stdout."""
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<20} {value}")


def show_document(
    document: dict[str, Any], render: Callable[[dict[str, Any]], None], *, as_json: bool
) -> None:
    """Print `document` as it is for machines, or by `render` for people."""
    if as_json:
        typer.echo(json.dumps(document, default=str))
    else:
        render(document)
