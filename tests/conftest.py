"""Markers by folder, and what each kind of test may reach."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.coverage_gate", "tests.support.postgres"]

TESTS = Path(__file__).parent
KINDS = {"unit", "integration", "devnet", "recovery"}
LOOPBACK = ["127.0.0.1", "::1", "localhost"]

# A test is never judged by how long it took: that says more about the machine than about the code.
settings.register_profile("holdfast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("holdfast")


def pytest_collection_modifyitems(items):
    for item in items:
        kind = item.path.relative_to(TESTS).parts[0]
        if kind not in KINDS:
            continue
        item.add_marker(kind)
        if kind != "unit":
            # A node or a database of this machine may be reached, the outside world never.
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
