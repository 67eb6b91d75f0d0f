"""The machine before the tables, and what machines and the docs read after them."""

import os
import platform
import re

import orjson

from tests.bench.cpu import speed


def head(load):
    """The machine."""
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load {load[0]:.1f} before; "
        f"a fixed piece of Python takes {speed():.0f} ms of CPU (column `machine`: at that time)"
    )


def write(tables, document):
    """Put the tables into a Markdown file, each between its own marks there."""
    text = document.read_text()
    for table in tables:
        begin, end = f"<!-- bench: {table.name} -->", "<!-- end -->"
        marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        shown = f"{begin}\n\n{table.markdown()}\n\n{end}"
        text, found = marked.subn(lambda _, shown=shown: shown, text)
        assert found == 1, f"{document} has no place for {table.name}"
    document.write_text(text)


def tail(tables, load, seconds, *, markdown):
    """The JSON line, after the tables as Markdown where asked for."""
    print(f"\nevery effect was counted on chain; {seconds:.0f} s in all")
    if markdown:
        print("\n" + "\n\n".join(table.markdown() for table in tables) + "\n")
    document = {
        "cores": os.cpu_count(),
        "load_before": round(load[0], 2),
        "load_after": round(os.getloadavg()[0], 2),
        "seconds": round(seconds, 1),
        "cases": {table.name: table.as_dict() for table in tables},
    }
    print(orjson.dumps(document).decode())
