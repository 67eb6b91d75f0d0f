"""New blocks by WebSocket: a push is a reason to look, and without one the loop polls."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest_asyncio

from holdfast.chain import heads
from holdfast.chain.heads import PushedHeads, subscribed
from holdfast.transactions.loop import ChainLoop
from holdfast.transactions.parts import Pace
from tests.devnet.test_transactions_loop import HANGS_SECONDS, LANDED, Desk, desk, group, pooled

__all__ = ["desk"]


class Wire:
    """A TCP relay to the node that can be cut and mended."""

    def __init__(self, port):
        self._upstream = port
        self._writers = []
        self.connections = 0
        self.is_cut = False

    async def start(self):
        self.server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}"

    def cut(self):
        self.is_cut = True
        for writer in self._writers:
            writer.close()

    async def _relay(self, reader, writer):
        if self.is_cut:
            writer.close()
            return
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers += [writer, far_writer]
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader, writer):
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest_asyncio.fixture
async def wire(devnet):
    wire = Wire(int(devnet.url.rpartition(":")[2]))
    await wire.start()
    yield wire
    wire.cut()
    wire.server.close()


@asynccontextmanager
async def following(url):
    """An event that is set at each notice."""
    noticed = asyncio.Event()
    task = asyncio.create_task(PushedHeads((url,)).follow(noticed.set))
    try:
        yield noticed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_noticed(devnet, noticed, seconds=HANGS_SECONDS):
    """Mine until a block is noticed: the first ones may come before the subscription."""
    async with asyncio.timeout(seconds):
        noticed.clear()
        while not noticed.is_set():
            await asyncio.to_thread(devnet.control.mine)
            with suppress(TimeoutError):
                await asyncio.wait_for(noticed.wait(), 0.2)


async def test_each_block_is_noticed_over_the_profiles_own_socket(devnet):
    (url,) = devnet.profile.ws_urls
    async with following(url) as noticed:
        await until_noticed(devnet, noticed)
        while noticed.is_set():  # the notices of the blocks before
            noticed.clear()
            await asyncio.sleep(0.5)
        await asyncio.to_thread(devnet.control.mine)
        assert await asyncio.wait_for(noticed.wait(), HANGS_SECONDS)


async def test_a_socket_that_is_cut_is_opened_again(devnet, wire, monkeypatch):
    monkeypatch.setattr(heads, "FIRST_PAUSE_SECONDS", 0.05)
    async with following(wire.url) as noticed:
        await until_noticed(devnet, noticed)
        wire.cut()
        await asyncio.sleep(0.3)
        assert wire.connections == 1
        wire.is_cut = False
        await until_noticed(devnet, noticed)
        assert wire.connections == 2


@asynccontextmanager
async def looping(desk, pushed, pace):
    """The chain loop without a leader's lock."""
    parts = replace(desk.parts(), pace=pace, heads=pushed)
    loop = ChainLoop(parts, None, Never())
    task = asyncio.create_task(loop.work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Never:
    """No announcements: what is recorded before the loop starts is found at its start."""

    async def wait(self, timeout_seconds=None):
        await asyncio.Event().wait()


class Recorded:
    """A group that is sent while nothing is mined."""

    def __init__(self, desk):
        self.desk, self.wishes = desk, group(1)
        self.listening = asyncio.Event()

    async def record(self):
        self.desk.call("evm_setAutomine", False)
        (recorded,) = await self.desk.record(self.wishes)
        self.tx_hash = recorded.tx_hash
        return self

    def pushed(self, *urls):
        """Pushed heads that tell when they are subscribed."""
        return PushedHeads(urls, self._subscribed)

    @asynccontextmanager
    async def _subscribed(self, url):
        async with subscribed(url) as messages:
            yield self._heard(messages)

    async def _heard(self, messages):
        async for message in messages:
            self.listening.set()  # the first one answers the subscription
            yield message

    async def is_mined_late(self):
        """Mine it a moment after it was sent: the loop has looked by then."""
        await pooled(self.desk, self.tx_hash)
        await asyncio.sleep(1)
        await asyncio.to_thread(self.desk.devnet.control.mine)


async def recorded(desk):
    return await Recorded(desk).record()


async def number_of_head(desk):
    return (await desk.node.head()).ref.number


SLOW = Pace(head=30, scan=30)


async def test_with_polling_slowed_down_a_block_is_noticed_by_the_push(desk: Desk):
    made = await recorded(desk)
    async with looping(desk, made.pushed(*desk.devnet.profile.ws_urls), SLOW):
        await asyncio.wait_for(made.listening.wait(), HANGS_SECONDS)
        await made.is_mined_late()  # it was looked for at once, and the next look is 30 s away
        (outcome,) = await desk.reach(made.wishes, LANDED, seconds=20)
        assert outcome.receipt.block.number == await number_of_head(desk)


async def test_without_the_push_the_same_block_is_not_noticed_in_that_time(desk: Desk):
    made = await recorded(desk)
    async with looping(desk, None, SLOW):
        await made.is_mined_late()
        await asyncio.sleep(2)
        (outcome,) = await desk.outcomes(made.wishes)
        assert outcome.status is not LANDED


async def test_with_the_socket_cut_the_loop_goes_on_by_polling(desk: Desk, wire):
    made = await recorded(desk)
    async with looping(desk, made.pushed(wire.url), Pace(head=0.1)):
        await asyncio.wait_for(made.listening.wait(), HANGS_SECONDS)
        assert wire.connections == 1
        wire.cut()
        await made.is_mined_late()
        (outcome,) = await desk.reach(made.wishes, LANDED)
        assert outcome.receipt.block.number == await number_of_head(desk)
        assert wire.connections == 1  # and nobody was told of the block by a new socket
