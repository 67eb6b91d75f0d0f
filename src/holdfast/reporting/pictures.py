"""The one place that knows matplotlib: figures without a screen, whose files are the same again."""

from __future__ import annotations

import importlib
from typing import IO, Any


def new_figure(width: float, height: float) -> Any:  # noqa: ANN401 - its types are only partly known
    """An empty figure, in inches."""
    figures = importlib.import_module("matplotlib.figure")  # a second, which only charts need
    return figures.Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, out: IO[Any], format_: str) -> None:  # noqa: ANN401
    """Write the figure as `svg` or `png`; the same figure always gives the same bytes."""
    matplotlib: Any = importlib.import_module("matplotlib")
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type")) if format_ == "svg" else {}
    with matplotlib.rc_context({"svg.hashsalt": "holdfast"}):
        figure.savefig(out, format=format_, metadata=nothing)
