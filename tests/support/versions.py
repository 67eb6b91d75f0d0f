"""Two versions of the program side by side: copies of its source with marked differences."""

import shutil
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"


def version(folder, name, *changes):
    """A copy that calls itself `name` when a worker starts; `changes` are (file, old, new)."""
    root = folder / name
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    started = '"worker.started", '
    _change(root, "entry/worker.py", started, f'{started}version="{name}", ')
    for change in changes:
        _change(root, *change)
    return root


def _change(root, file, old, new):
    path = root / "holdfast" / file
    text = path.read_text()
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new))
