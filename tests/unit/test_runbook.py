"""Whoever is called by an alert finds its code in the runbook, with what to do."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
PLACES = {"Alert": 0, "about": 1, "_about": 1}
"""Which argument of what makes alerts is the code."""


def trees():
    return [ast.parse(path.read_text()) for path in sorted((ROOT / "src").rglob("*.py"))]


def constants(found):
    """Every name that stands for a text in some module; of a template, how it begins."""
    named = {}
    for tree in found:
        for node in tree.body:
            targets = [getattr(node, "target", None), *getattr(node, "targets", [])]
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
                    named.setdefault(target.id, set()).add(node.value.value)
    return named


def beginnings(code, named):
    """How the codes begin that an expression may come to; none where only a run would tell."""
    match code:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.Name(id=name) if name.isupper():
            return {text for text in named[name] if isinstance(text, str) and "." in text}
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return {text}
        case _:
            return set()


def raised():
    found = trees()
    everywhere = constants(found)
    codes = set()
    for tree in found:
        named = everywhere | constants([tree])
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in PLACES:
                by_name = [one.value for one in node.keywords if one.arg == "code"]
                place = PLACES[node.func.id]
                for code in by_name or node.args[place : place + 1]:
                    codes |= beginnings(code, named)
    return codes - {"risk.", "tx."}


CODES = sorted(raised())


def test_the_codes_are_found():
    assert {"risk.tick_late", "deal.blocked", "chain.endpoint_", "exit.failing"} <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_each_alert_is_in_the_runbook(code):
    assert f"`{code}" in RUNBOOK
