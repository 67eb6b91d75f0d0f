"""What a case measured, as a table for people, as Markdown for the docs, and as JSON."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """The figures of one case; `ratios` are those within one run, which mean something anywhere."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    data: list[dict[str, Any]] = field(default_factory=list)

    def add(self, *cells, **data):
        """A row, printed at once, and what the JSON line keeps of it."""
        self.rows.append(tuple(map(str, cells)))
        self.data.append(data)
        print(self._line(self.rows[-1]), flush=True)

    def head(self):
        """Print the title and the names of the columns."""
        print(f"\n{self.title}\n{self._line(self.columns)}", flush=True)

    def tail(self):
        """Print the ratios."""
        for name, ratio in self.ratios.items():
            print(f"{name}: {ratio:.3g}", flush=True)

    def markdown(self):
        """The table and its ratios, as docs/performance.md shows them."""
        rule = ("---",) * len(self.columns)
        rows = ["| " + " | ".join(row) + " |" for row in (self.columns, rule, *self.rows)]
        ratios = [f"- {name}: {ratio:.3g}" for name, ratio in self.ratios.items()]
        parts = [f"### {self.title}", "\n".join(rows), "\n".join(ratios)]
        return "\n\n".join(part for part in parts if part)

    def as_dict(self):
        """For the JSON line."""
        return {
            "rows": self.data,
            "ratios": {name: round(ratio, 4) for name, ratio in self.ratios.items()},
        }

    def _line(self, cells):
        widths = [max(len(name), 9) + 2 for name in self.columns]
        widths[0] = max(widths[0], 22)
        return "".join(
            f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)
        ).rstrip()


def milliseconds(seconds, count):
    """Processor milliseconds for each of `count`, by kind of process."""
    return {name: round(1000 * used / count, 3) for name, used in seconds.items()}
