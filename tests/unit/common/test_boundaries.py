"""Every boundary of the source is in the registry and in the crash matrix, and the other way."""

import ast
from pathlib import Path

import holdfast
from holdfast.common.boundary import NAMES
from tests.recovery.groups import MATRIX

SOURCE = Path(holdfast.__file__).parent
PASSES = {"boundary", "_boundary", "at", "passed"}
"""What a boundary is called by where it is passed: `self.at("advance.after_commit")`."""


def passed_in(path):
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=name) | ast.Name(id=name),
                args=[ast.Constant(value=str(boundary))],
            ) if name in PASSES:
                yield boundary


def test_every_boundary_that_is_passed_has_its_name_in_the_registry():
    found = {name for path in SOURCE.rglob("*.py") for name in passed_in(path)}
    assert found == set(NAMES)


def test_every_boundary_is_in_the_crash_matrix():
    assert set(MATRIX) == set(NAMES)
    assert len(NAMES) == len(set(NAMES))
