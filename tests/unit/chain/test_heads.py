"""Following new blocks on sockets that say, and break, as they are told."""

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import aiohttp
import pytest
from structlog.testing import capture_logs

from holdfast.chain.heads import PushedHeads, pause_seconds, tells_of_a_block
from holdfast.chain.health import JITTER

FIRST, SECOND = "ws://first:1/secret", "ws://second:2/secret"
BLOCK = '{"method": "eth_subscription", "params": {"result": {"number": "0x7"}}}'
ANSWER = '{"jsonrpc": "2.0", "id": 1, "result": "0x5"}'


class Sockets:
    """Each opening plays the next script: what is said, then an error or the node's closing.

    When there is none left, the last socket stays open and silent.
    """

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.opened, self.closed = [], 0
        self.is_played = asyncio.Event()

    @asynccontextmanager
    async def __call__(self, url):
        self.opened.append(url)
        script = self.scripts.pop(0) if self.scripts else None
        if isinstance(script, Exception):
            raise script
        try:
            yield self._said(script)
        finally:
            self.closed += 1

    async def _said(self, script):
        for one in script or ():
            if isinstance(one, Exception):
                raise one
            yield SimpleNamespace(data=one)
        if script is None:
            self.is_played.set()
            await asyncio.Event().wait()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses, none of which is waited for."""
    waited, sleep = [], asyncio.sleep

    async def note(seconds):
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    return waited


async def followed(*scripts, urls=(FIRST, SECOND)):
    """The sockets after all scripts, and at how many openings each notice came."""
    sockets, notices = Sockets(*scripts), []
    heads = PushedHeads(urls, sockets)
    task = asyncio.create_task(heads.follow(lambda: notices.append(len(sockets.opened))))
    await asyncio.wait_for(sockets.is_played.wait(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return sockets, notices


async def test_each_notice_of_a_block_is_passed_on_and_nothing_else_is(pauses):
    _, notices = await followed([ANSWER, BLOCK, b"binary", BLOCK])
    assert notices == [1, 1]


@pytest.mark.parametrize(
    "failure",
    [
        aiohttp.ClientConnectionError("refused"),
        OSError("no route"),
        TimeoutError(),
        [BLOCK, aiohttp.ClientPayloadError("cut")],
        [],
    ],
    ids=["refused", "no route", "too late", "cut", "closed by the node"],
)
async def test_whatever_ends_a_socket_the_next_url_is_tried(pauses, failure):
    sockets, notices = await followed(failure, [BLOCK], urls=(FIRST, SECOND))
    assert sockets.opened[:2] == [FIRST, SECOND]
    assert 2 in notices


async def test_what_is_no_failure_of_the_socket_is_not_hidden(pauses):
    with pytest.raises(ZeroDivisionError):
        await PushedHeads((FIRST,), Sockets(ZeroDivisionError())).follow(lambda: None)


async def test_the_urls_are_tried_in_turn(pauses):
    away = OSError("away")
    sockets, _ = await followed(away, away, away)
    assert sockets.opened == [FIRST, SECOND, FIRST, SECOND]


async def test_every_socket_that_was_opened_is_closed(pauses):
    sockets, _ = await followed([BLOCK], [BLOCK, OSError("cut")])
    assert sockets.closed == len(sockets.opened) == 3


async def test_pauses_grow_until_a_node_tells_of_a_block_again(pauses):
    away = OSError("away")
    await followed(away, away, away, [BLOCK], away)
    longest = [0.5, 1, 2, 0.5, 1]
    for waited, most in zip(pauses, longest, strict=True):
        assert most * (1 - JITTER) <= waited <= most


async def test_an_outage_is_told_once_and_so_is_its_end(pauses):
    away = OSError("away")
    with capture_logs() as logs:
        await followed(away, away, [BLOCK, BLOCK], urls=(FIRST,))
    told = [one["event"] for one in logs]
    assert told == ["chain.heads_lost", "chain.heads_back", "chain.heads_lost"]
    assert (logs[0]["reason"], logs[1]["failures"], logs[2]["reason"]) == (
        "OSError",
        2,
        "closed by the node",
    )
    assert "secret" not in str(logs)


@pytest.mark.parametrize(
    ("failures", "draw", "seconds"),
    [(1, 0, 0.5), (2, 0, 1), (3, 1, 1.5), (6, 0, 16), (7, 0, 30), (10_000, 0, 30)],
)
def test_the_pause_doubles_up_to_the_longest(failures, draw, seconds):
    assert pause_seconds(failures, draw) == seconds


@pytest.mark.parametrize(
    ("said", "is_notice"), [(BLOCK, True), (ANSWER, False), (BLOCK.encode(), False), (None, False)]
)
def test_only_a_text_about_a_subscription_is_a_notice(said, is_notice):
    assert tells_of_a_block(said) is is_notice
