"""Counts on a command line: a run of nothing would be green."""

from __future__ import annotations

import argparse


def at_least_one(text):
    """The whole number in `text`, from 1.

    Raises:
        argparse.ArgumentTypeError: for anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
