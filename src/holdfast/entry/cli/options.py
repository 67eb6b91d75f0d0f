"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Execute = Annotated[bool, typer.Option("--execute", help="Do it; without this, only show it.")]
By = Annotated[str, typer.Option("--as", help="Who asks; recorded.")]
