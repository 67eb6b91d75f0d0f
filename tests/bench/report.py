"""The machine before the tables, and what machines and the docs read after them."""

import os
import platform
import re
import time

import orjson

from tests.bench.cpu import speed


def head(load):
    """The machine."""
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load {load[0]:.1f} before; "
        f"a fixed piece of Python takes {speed():.0f} ms of CPU (column `machine`: at that time)"
    )


def write(tables, load, document):
    """Put machine and tables into a Markdown file, each between its own marks there."""
    text = _replaced(document.read_text(), "machine", _machine(load))
    for table in tables:
        text = _replaced(text, table.name, table.markdown())
    document.write_text(text)


def _machine(load):
    after = os.getloadavg()[0]
    return (
        f"The tables were last written on {time.strftime('%Y-%m-%d')}: {os.cpu_count()} cores,\n"
        f"Python {platform.python_version()}, load average {load[0]:.1f} before and {after:.1f} "
        f"after,\n{speed():.0f} ms for the fixed piece of Python."
    )


def _replaced(text, name, shown):
    marked = re.compile(f"(<!-- bench: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    text, found = marked.subn(lambda marks: f"{marks[1]}\n{shown}\n\n{marks[2]}", text)
    assert found == 1, f"there is no place for {name}"
    return text


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
