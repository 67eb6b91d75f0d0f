"""A proxy in front of a node that lets part of a batch through and kills the sender."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

_LARGEST = 8 * 2**20


class CuttingProxy:
    """Passes everything on until a batch of at least `least` transactions comes.

    Of that one it passes on the first `passed`, kills whoever `victim` names, and answers nothing.
    """

    def __init__(self, upstream, client, *, least, passed):
        self._upstream, self._client = upstream, client
        self._least, self._passed = least, passed
        self.victim = asyncio.get_running_loop().create_future()
        self.has_cut = False
        self.url = ""

    async def answer(self, request):
        body = await request.read()
        calls = json.loads(body)
        raws = [call for call in calls if call["method"] == "eth_sendRawTransaction"]
        if not self.has_cut and len(raws) >= self._least:
            self.has_cut = True
            await self._forward(json.dumps(raws[: self._passed]).encode())
            await (await self.victim).kill()
            raise web.HTTPBadGateway
        return web.Response(body=await self._forward(body), content_type="application/json")

    async def _forward(self, body):
        headers = {"Content-Type": "application/json"}
        async with self._client.post(self._upstream, data=body, headers=headers) as answer:
            return await answer.read()


@asynccontextmanager
async def cutting_proxy(upstream, *, least, passed):
    """A proxy that listens while the block runs."""
    async with aiohttp.ClientSession() as client:
        proxy = CuttingProxy(upstream, client, least=least, passed=passed)
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_post("/", proxy.answer)
        runner = web.AppRunner(app, handle_signals=False, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield proxy
        finally:
            await runner.cleanup()
