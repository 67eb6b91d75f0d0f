from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import structlog

from holdfast.chain.logs import LogPage
from holdfast.chain.receipts import Head
from holdfast.common.evm import BlockRef
from holdfast.monitoring.decoding import Contracts
from holdfast.monitoring.hearing import Found, Hearing
from holdfast.transactions.model import Place

FOLLOWED = {8: "0x8", 9: "0x9"}


def head(number, fork=""):
    return Head(
        ref=BlockRef(number, f"0x{fork}{number}", 0),
        parent=f"0x{fork}{number - 1}",
        base_fee_wei=0,
        gas_limit=1,
        gas_used=0,
    )


class TwoNodes:
    """The head and the logs come from a node of another fork, the blocks from one of ours."""

    def __init__(self, newest):
        self._newest = newest

    async def head(self):
        return head(self._newest, "f")

    async def logs(self, first, last, _wanted):
        return LogPage(tuple(head(number, "f") for number in range(first, last + 1)), ())

    async def heads(self, numbers):
        return [head(number) for number in numbers]


class NoAccounts:
    async def now(self, _session, _known, _since):
        return [], []


@asynccontextmanager
async def nothing_written():
    yield None


@pytest.mark.parametrize("newest", [9, 10])
async def test_where_only_one_node_shows_a_fork_the_listener_waits_and_says_nothing(newest):
    parts = SimpleNamespace(
        chain_id=138,
        chain=TwoNodes(newest),
        db=SimpleNamespace(begin=nothing_written),
        watchlist=NoAccounts(),
    )
    found = Found(Place(9, "0x9"), dict(FOLLOWED), {}, [], [])
    hearing = Hearing(parts, Contracts((), frozenset()), found)
    with structlog.testing.capture_logs() as told:
        assert not await hearing.step()
    assert told == []
