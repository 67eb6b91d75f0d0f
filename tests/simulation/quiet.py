"""No log lines: a simulated hour writes thousands of them."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import structlog


def silence():
    """Have structlog drop everything below critical."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@contextmanager
def quiet():
    """The same for a while."""
    before = structlog.get_config()
    silence()
    try:
        yield
    finally:
        structlog.configure(**before)
