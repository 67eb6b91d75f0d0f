"""Carries one JSON-RPC body to a node and its answer back over kept-alive HTTP.

Two failures are told apart, because they mean different things for what was sent: no connection
(the node got nothing), and no usable answer (the node may have acted).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp

_HEADERS: Final = {"content-type": "application/json"}


class NotSentError(Exception):
    """No connection was made, so no byte reached the node."""


class LostError(Exception):
    """Bytes went out and no usable answer came back."""


class TimedOutError(LostError):
    """Bytes may have gone out and the time for an answer is over."""


class Transport(Protocol):
    """One endpoint; `name` is how it may be shown, without any access token."""

    @property
    def name(self) -> str:
        """The endpoint for people."""
        ...

    async def post(self, body: bytes, timeout_seconds: float) -> bytes:
        """The answer to `body`; raises NotSentError or LostError."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Limits of one endpoint: seconds to connect, and connections kept open at once.

    `answer_bytes` is the most that is read of one answer: room for a megabyte of receipts to each
    request of a full batch, and far from what would end the process for want of memory.
    """

    connect_seconds: float = 3.0
    connections: int = 8
    answer_bytes: int = 256 * 2**20


def shown_url(url: str) -> str:
    """Scheme, host and port; path, user and query may hold an access token."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


class HttpTransport:
    """The endpoint at `url` over aiohttp; connections open with the first request."""

    def __init__(self, url: str, options: HttpOptions | None = None) -> None:
        self._url = url
        self._options = options or HttpOptions()
        self._session: aiohttp.ClientSession | None = None
        self._name = shown_url(url)

    @property
    def name(self) -> str:
        """The endpoint for people."""
        return self._name

    async def post(self, body: bytes, timeout_seconds: float) -> bytes:
        """The answer's body.

        Raises:
            NotSentError: no connection was made.
            LostError: a timeout (`TimedOutError`), a dropped connection, a status that is not
                200, an answer that is too long, or `close` was called meanwhile.
        """
        timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, sock_connect=self._options.connect_seconds
        )
        try:
            async with self._open().post(
                self._url, data=body, headers=_HEADERS, timeout=timeout
            ) as response:
                if response.status != HTTPStatus.OK:
                    raise LostError(f"HTTP {response.status}")
                return await _body(response, self._options.answer_bytes)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSentError(_kind(error)) from error
        except TimeoutError as error:
            raise TimedOutError(f"no answer in {timeout_seconds:g} s") from error
        except aiohttp.ClientError as error:
            raise LostError(_kind(error)) from error
        except asyncio.CancelledError as error:
            if _is_asked_to_end():
                raise
            # aiohttp cancels whoever waits for a connection of a session that is closed.
            raise LostError("the connections were closed") from error

    async def close(self) -> None:
        """Close the connections; a later request would open new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._options.connections)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


async def _body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most_bytes:
            raise LostError(f"the answer is longer than {most_bytes:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _is_asked_to_end() -> bool:
    """Whether somebody cancelled the task that runs this."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _kind(error: BaseException) -> str:
    """The kind of an error; its text would repeat the URL with its token."""
    return type(error).__name__
