"""Small SVG pictures that stand inside a page: no file, no font and no address outside it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from holdfast.reporting.pictures import new_figure, save

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLOURS = ("#ee8866", "#cc3311")
"""Of levels, from the mildest to the gravest."""

_MOST_BARS = 60  # more labels cannot be read


def bars(
    title: str,
    labels: Sequence[str],
    values: Sequence[float],
    *,
    lines: Mapping[str, float] | None = None,
) -> str:
    """A bar for each label, and named levels across; nothing when there is no bar.

    Of more than 60 the highest are shown, and the title says so.
    """
    if not values:
        return ""
    highest = sorted(zip(values, labels, strict=True), reverse=True)[:_MOST_BARS]
    kept = [one for one in zip(values, labels, strict=True) if one in highest][:_MOST_BARS]
    figure, axes = _sheet(title if len(kept) == len(values) else f"{title} (the highest)")
    axes.bar(range(len(kept)), [value for value, _ in kept], color="#4477aa")
    axes.set_xticks(range(len(kept)), [label for _, label in kept], rotation=30, ha="right")
    _levels(axes, lines or {})
    return svg(figure)


def across(
    title: str,
    labels: Sequence[str],
    values: Sequence[float],
    *,
    lines: Mapping[str, float],
) -> str:
    """A lying bar for each label, from the top, for labels that are long; with named levels.

    Bars that end under the last level are red.
    """
    if not values:
        return ""
    figure = new_figure(9, 0.8 + 0.2 * len(values))
    axes = _axes(figure, title)
    least = [*lines.values()][-1]
    colours = [COLOURS[-1] if value < least else "#4477aa" for value in values]
    axes.barh(range(len(values)), values, color=colours)
    axes.set_yticks(range(len(values)), labels, fontsize=8)
    axes.invert_yaxis()
    for (name, level), colour in zip(lines.items(), COLOURS, strict=False):
        axes.axvline(level, ls=":", color=colour, label=name)
    axes.legend(loc="best", fontsize=8)
    return svg(figure)


def losses(title: str, values: Sequence[float], lines: Mapping[str, float]) -> str:
    """Daily returns in percent as thin bars, with named levels across."""
    figure, axes = _sheet(title)
    axes.vlines(range(len(values)), 0, values, lw=0.4, color="#4477aa")
    axes.set_xlabel("days")
    _levels(axes, lines)
    return svg(figure)


def _sheet(title: str) -> tuple[Any, Any]:
    figure = new_figure(9, 2.8)
    return figure, _axes(figure, title)


def _axes(figure: Any, title: str) -> Any:  # noqa: ANN401 - see pictures
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _levels(axes: Any, lines: Mapping[str, float]) -> None:  # noqa: ANN401 - see pictures
    for (name, level), colour in zip(lines.items(), COLOURS, strict=False):
        axes.axhline(level, ls=":", color=colour, label=name)
    if lines:
        axes.legend(loc="best", fontsize=8)


def svg(figure: Any) -> str:  # noqa: ANN401
    """The picture alone: without the XML declaration and the document type, which name a file."""
    out = io.StringIO()
    save(figure, out, "svg")
    text = out.getvalue()
    return text[text.index("<svg") :]
