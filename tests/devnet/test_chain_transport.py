"""The HTTP transport against a server that misbehaves: what went out, and what is known of it."""

import asyncio

import aiohttp.web
import pytest
import pytest_asyncio

from holdfast.chain.endpoint import Request, Timeouts
from holdfast.chain.rpc import Rpc
from holdfast.chain.transport import HttpOptions, HttpTransport, LostError, NotSentError
from holdfast.common.errors import Ambiguous, Transient


class Server:
    """Answers each request as `reply` says, and counts requests and connections."""

    def __init__(self):
        self.reply = self.echo
        self.bodies = []
        self.peers = set()
        self.url = ""

    async def start(self):
        self.runner = aiohttp.web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        site = aiohttp.web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/secret-token"

    def _app(self):
        app = aiohttp.web.Application()
        app.router.add_post("/secret-token", self._serve)
        return app

    async def _serve(self, request):
        self.bodies.append(await request.read())
        self.peers.add(request.transport.get_extra_info("peername"))
        return await self.reply(request)

    async def echo(self, request):
        return aiohttp.web.Response(body=self.bodies[-1])

    async def hang(self, request):
        await asyncio.sleep(30)

    async def drop(self, request):
        request.transport.close()
        return aiohttp.web.Response()

    async def fail(self, request):
        return aiohttp.web.Response(status=503)


@pytest_asyncio.fixture
async def server():
    server = Server()
    await server.start()
    yield server
    await server.runner.cleanup()


@pytest_asyncio.fixture
async def transport(server):
    transport = HttpTransport(server.url)
    yield transport
    await transport.close()


async def test_a_body_goes_there_and_back_over_one_connection(server, transport):
    for body in (b"one", b"two", b"three"):
        assert await transport.post(body, 5) == body
    assert server.bodies == [b"one", b"two", b"three"]
    assert len(server.peers) == 1


@pytest.mark.parametrize("behaviour", ["hang", "drop", "fail"])
async def test_what_went_out_without_an_answer_is_lost(server, transport, behaviour):
    server.reply = getattr(server, behaviour)
    with pytest.raises(LostError) as caught:
        await transport.post(b"send", 1)
    assert server.bodies[0] == b"send"
    assert "secret" not in str(caught.value)


async def test_whoever_waits_for_a_connection_when_they_are_closed_is_told_that_it_is_lost(server):
    server.reply = server.hang
    one = HttpTransport(server.url, HttpOptions(connections=1))
    posts = [asyncio.create_task(one.post(b"read", 5)) for _ in range(3)]
    while not server.bodies:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    await one.close()
    ends = await asyncio.wait_for(asyncio.gather(*posts, return_exceptions=True), 20)
    assert [type(end) for end in ends] == [LostError] * 3


async def test_an_answer_that_is_too_long_is_not_read_to_its_end(server):
    one = HttpTransport(server.url, HttpOptions(answer_bytes=1_000))
    assert await one.post(b"x" * 1_000, 5) == b"x" * 1_000
    with pytest.raises(LostError, match="longer than 1,000 bytes"):
        await one.post(b"x" * 1_001, 5)
    await one.close()


async def test_a_post_that_is_cancelled_stays_cancelled(server, transport):
    server.reply = server.hang
    post = asyncio.create_task(transport.post(b"read", 5))
    await asyncio.sleep(0.05)
    post.cancel()
    with pytest.raises(asyncio.CancelledError):
        await post


async def test_a_refused_connection_sent_nothing(server, transport):
    await server.runner.cleanup()
    with pytest.raises(NotSentError) as caught:
        await transport.post(b"send", 5)
    assert server.bodies == []
    assert "secret" not in str(caught.value)


async def test_a_transport_works_again_after_a_lost_answer_and_after_closing(server, transport):
    server.reply = server.drop
    with pytest.raises(LostError):
        await transport.post(b"one", 5)
    server.reply = server.echo
    assert await transport.post(b"two", 5) == b"two"
    await transport.close()
    assert await transport.post(b"three", 5) == b"three"


async def test_a_slow_answer_is_ambiguous_for_a_send_and_transient_for_a_read(server):
    server.reply = server.hang
    rpc = Rpc.over_http(server.url, Timeouts(read_seconds=0.1, send_seconds=0.1))
    with pytest.raises(Ambiguous) as sent:
        await rpc.submit([Request("eth_sendRawTransaction", ["0x01"])])
    with pytest.raises(Transient) as read:
        await rpc.batch([Request("eth_blockNumber", [])])
    await rpc.close()
    assert "secret" not in sent.value.message + read.value.message
