"""Holds a JSON document to docs/json.md, from the document alone: what does not keep to it."""

import re

MONEY = re.compile(
    r"(^|_)(amount|(?<!over_)bound|cap|cash|committed|cost|debt|depth|fee|loss|nav|penalty|price|principal|"
    r"proceeds|profit|supplied|value)s?($|_)"
)
"""Words by which a key is about money."""

UNIT = re.compile(
    r"_(usd|eth|wei|units|percent|seconds|hours|days|cover|factor)($|_)|^(usd|units|amount)$"
)
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
EXACT = re.compile(r"(_(usd|eth|percent|wei|units|cover|factor)$|^(usd|units|amount)$)")
AMOUNT, BLOCK = {"token", "units", "amount"}, {"number", "hash", "timestamp"}
BESIDE = {"unit", "kind", "wanted", "limit", "figure"}
"""What says of a `value` beside it what it counts, or that both are in words."""


def offences(document):
    """A line for each place of `document` that breaks the convention."""
    return [f"{path}: {why}" for path, why in _found(document, "")]


def _found(value, path):
    if isinstance(value, dict):
        if BESIDE & set(value):
            value = {key: each for key, each in value.items() if isinstance(each, dict | list)}
        for key, each in value.items():
            for why in _key(key, each):
                yield f"{path}.{key}", why
            yield from _found(each, f"{path}.{key}")
    elif isinstance(value, list):
        for each in value:
            yield from _found(each, f"{path}[]")


def _key(key, value):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_decimal = isinstance(value, str) and DECIMAL.fullmatch(value) is not None
    if key == "block" and value is not None and not set(_names(value)) >= BLOCK:
        yield "a block is number, hash and timestamp; its number alone is block_number"
    if {"units", "amount"} & set(_names(value)) and not set(_names(value)) >= AMOUNT:
        yield "an amount has token, units and amount"
    if EXACT.search(key) and is_number:
        yield f"is no decimal string: {value!r}"
    if isinstance(value, float) and not UNIT.search(key) and not key.startswith("hours_"):
        yield f"is a float without a unit: {value!r}"
    if (is_number or is_decimal) and MONEY.search(key) and not UNIT.search(key):
        yield f"is money without a unit: {value!r}"
    if key.endswith("_bps"):
        yield "is in bps: shares are percent"


def _names(value):
    return value.keys() if isinstance(value, dict) else ()
