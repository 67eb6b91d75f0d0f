"""Words of new blocks over a WebSocket: a reason to look now, and nothing that is believed.

Polling goes on beside it, so a socket that is silent, late or lying costs the poll's pause at most.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager, suppress
from random import random
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog

from holdfast.chain.health import JITTER
from holdfast.chain.transport import shown_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from holdfast.chain.ports import Message, Subscription

log = structlog.stdlib.get_logger(__name__)

CONNECT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
"""Ping an idle socket so often; without a pong in half of it the socket counts as dead."""

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
"""Between two tries to connect: nothing waits for the socket, so the node is left in peace."""

_SUBSCRIBE: Final = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
_NOTICE: Final = "eth_subscription"


class PushedHeads:
    """The WebSockets at `urls`, one after the other whenever one fails."""

    def __init__(self, urls: tuple[str, ...], subscribe: Subscription | None = None) -> None:
        self._urls = urls
        self._subscribe = subscribe or subscribed
        self._failures = 0

    async def follow(self, notice: Callable[[], None]) -> None:
        """Call `notice` whenever a node tells of a new block, until cancelled."""
        while True:
            url = self._urls[self._failures % len(self._urls)]
            try:
                await self._listen(url, notice)
                reason = "closed by the node"
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = type(error).__name__
            self._failures += 1
            if self._failures == 1:  # further ones of the same outage would only repeat it
                log.warning("chain.heads_lost", endpoint=shown_url(url), reason=reason)
            draw = random()  # noqa: S311 - spreads load, keeps no secret
            await asyncio.sleep(pause_seconds(self._failures, draw))

    async def _listen(self, url: str, notice: Callable[[], None]) -> None:
        async with self._subscribe(url) as messages:
            async for message in messages:
                if tells_of_a_block(message.data):
                    self._is_back(url)
                    notice()

    def _is_back(self, url: str) -> None:
        if self._failures:
            log.info("chain.heads_back", endpoint=shown_url(url), failures=self._failures)
        self._failures = 0


def tells_of_a_block(said: object) -> bool:
    """Whether it is a notice, not the subscription's answer or what nobody asked for."""
    return isinstance(said, str) and _NOTICE in said


def pause_seconds(failures: int, draw: float) -> float:
    """How long to wait before the next try to connect.

    Args:
        failures: since a node last told of a block, at least one.
        draw: from 0, for the whole pause, to 1.
    """
    doublings = min(failures - 1, 16)
    pause = min(LONGEST_PAUSE_SECONDS, math.ldexp(FIRST_PAUSE_SECONDS, doublings))
    return pause * (1 - JITTER * draw)


@asynccontextmanager
async def subscribed(url: str) -> AsyncGenerator[AsyncIterator[Message]]:
    """The messages of a new socket at `url` that new blocks were asked of.

    Raises:
        aiohttp.ClientError, OSError, TimeoutError: it was not opened, or broke.
    """
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(CONNECT_SECONDS):
            socket = await session.ws_connect(url, heartbeat=HEARTBEAT_SECONDS)
            await socket.send_json(_SUBSCRIBE)
        try:
            yield socket
        finally:
            with suppress(TimeoutError):  # the node need not agree to our leaving
                async with asyncio.timeout(CLOSE_SECONDS):
                    await socket.close()
