"""Fixtures of tests that run on real protocol bytecode: a fresh node for each test.

The built world is kept between runs under the user's cache folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.devnet.node import NodeOptions
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ReadyState, ready_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CACHE = Path.home() / ".cache" / "holdfast" / "devnet"


@pytest.fixture(scope="session")
def ready() -> ReadyState:
    """The built world; made when it is not in the cache yet."""
    return ready_state(CACHE)


@pytest.fixture
def start_devnet(ready: ReadyState, tmp_path: Path) -> Iterator[Callable[..., Devnet]]:
    """Starts devnets with `NodeOptions` fields as keywords; all are stopped after the test."""
    running: list[Devnet] = []

    def start(**options: int) -> Devnet:
        folder = tmp_path / f"devnet-{len(running)}"
        running.append(Devnet.start(ready, folder, NodeOptions(**options)))
        return running[-1]

    yield start
    for devnet in running:
        devnet.stop()


@pytest.fixture
def devnet(start_devnet: Callable[..., Devnet]) -> Devnet:
    """A fresh devnet that mines a block for each transaction."""
    return start_devnet()


@pytest.fixture
def interval_devnet(start_devnet: Callable[..., Devnet]) -> Devnet:
    """A fresh devnet that mines a block a second."""
    return start_devnet(block_time_seconds=1)
