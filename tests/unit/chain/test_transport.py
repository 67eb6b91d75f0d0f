"""What a failed exchange says of the node, and how an endpoint is shown; no socket."""

import asyncio
import contextlib

import aiohttp
import pytest

from holdfast.chain.transport import (
    HttpOptions,
    HttpTransport,
    LostError,
    NotSentError,
    TimedOutError,
    shown_url,
)

URL = "https://user:secret@node.example:8545/v3/token?key=secret"
REFUSED = aiohttp.ClientConnectorError(None, OSError(111, "refused"))


class Response:
    """An answer in pieces."""

    def __init__(self, status=200, pieces=(b"{", b"}")):
        self.status, self.content = status, self
        self._pieces = pieces

    async def iter_any(self):
        for piece in self._pieces:
            yield piece


class Session:
    """Answers with `response` or fails with `error`; keeps what was posted."""

    def __init__(self, response=None, error=None):
        self.response, self.error = response, error
        self.posted, self.closed = [], 0

    def post(self, url, **options):
        self.posted.append((url, options))
        return self._exchange()

    @contextlib.asynccontextmanager
    async def _exchange(self):
        if self.error is not None:
            raise self.error
        yield self.response

    async def close(self):
        self.closed += 1


@pytest.fixture
def sessions(monkeypatch):
    """The sessions that are opened, each the next of those planned."""
    opened, planned = [], []

    def open_session(**_):
        opened.append(planned.pop(0))
        return opened[-1]

    monkeypatch.setattr(aiohttp, "TCPConnector", lambda **_: None)
    monkeypatch.setattr(aiohttp, "ClientSession", open_session)

    def plan(*coming):
        planned.extend(coming)
        return opened

    return plan


async def answer(sessions, session, **options):
    sessions(session)
    return await HttpTransport(URL, HttpOptions(**options)).post(b"asked", 5.0)


async def test_the_pieces_of_an_answer_are_put_together(sessions):
    session = Session(Response(pieces=(b'{"a"', b": 1", b"}")))
    assert await answer(sessions, session, connect_seconds=2.0) == b'{"a": 1}'
    ((url, options),) = session.posted
    assert (url, options["data"]) == (URL, b"asked")
    assert (options["timeout"].total, options["timeout"].sock_connect) == (5.0, 2.0)


async def test_an_answer_may_be_as_long_as_allowed_and_not_a_byte_longer(sessions):
    pieces = (b"1234", b"5678")
    assert await answer(sessions, Session(Response(pieces=pieces)), answer_bytes=8) == b"12345678"
    with pytest.raises(LostError, match="longer than 7 bytes"):
        await answer(sessions, Session(Response(pieces=pieces)), answer_bytes=7)


@pytest.mark.parametrize("status", [204, 301, 429, 500])
async def test_any_status_but_200_is_no_answer_though_the_node_may_have_acted(sessions, status):
    with pytest.raises(LostError, match=f"HTTP {status}"):
        await answer(sessions, Session(Response(status)))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (REFUSED, NotSentError, "ClientConnectorError"),
        (aiohttp.ConnectionTimeoutError(), NotSentError, "ConnectionTimeoutError"),
        (TimeoutError(), TimedOutError, "no answer in 5 s"),
        (aiohttp.ServerDisconnectedError(), LostError, "ServerDisconnectedError"),
        (aiohttp.ClientPayloadError(), LostError, "ClientPayloadError"),
    ],
)
async def test_only_a_connection_that_was_never_made_means_that_nothing_was_sent(
    sessions, error, kind, words
):
    with pytest.raises((NotSentError, LostError)) as caught:
        await answer(sessions, Session(error=error))
    assert type(caught.value) is kind
    assert words in str(caught.value)


async def test_who_waits_while_the_connections_are_closed_lost_the_answer(sessions):
    with pytest.raises(LostError, match="the connections were closed"):
        await answer(sessions, Session(error=asyncio.CancelledError()))


async def test_who_is_cancelled_by_somebody_is_cancelled(sessions):
    class Silent(Session):
        @contextlib.asynccontextmanager
        async def _exchange(self):
            await asyncio.sleep(3600)
            yield

    asking = asyncio.create_task(answer(sessions, Silent()))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_connections_are_kept_between_requests_and_opened_anew_after_a_close(sessions):
    opened = sessions(Session(Response()), Session(Response()))
    transport = HttpTransport(URL)
    await transport.close()  # before the first request there is nothing to close
    assert opened == []
    for _ in range(2):
        await transport.post(b"", 1.0)
    assert len(opened) == 1
    await transport.close()
    await transport.close()
    assert opened[0].closed == 1
    await transport.post(b"", 1.0)
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [(URL, "https://node.example:8545"), ("http://node.example/token", "http://node.example")],
)
def test_an_endpoint_is_shown_without_what_may_be_a_token(url, shown):
    assert shown_url(url) == HttpTransport(url).name == shown
