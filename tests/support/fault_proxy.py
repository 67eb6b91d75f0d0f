"""A node that misbehaves: JSON-RPC over HTTP and WebSocket before anvil, with real rules.

Sends go through `node_pool`, which keeps a real node's rules; what goes wrong is decided by
`faults`. The same seed and the same requests make the same faults.
"""

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.support.fault_answers import Lies, answered, asked_of_the_past
from tests.support.faults import LASTING, Fault, Faults
from tests.support.node_pool import NodePool

_LARGEST = 64 * 2**20
_SEND = "eth_sendRawTransaction"
_OF_POOL = {_SEND, "eth_getTransactionByHash"}  # what the node behind alone cannot answer
_TEND_SECONDS = 0.2
_FOREVER_SECONDS = 86_400
_STATUS = {Fault.TOO_MANY: 429, Fault.BAD_GATEWAY: 502}
_NEVER_DELIVERED = {Fault.DROPPED_BEFORE, Fault.TOO_MANY}
_SUBSCRIPTIONS = {"eth_subscribe", "eth_unsubscribe"}


@dataclass
class View:
    """How this node sees the chain: `lag_blocks` late, with a clock that is `skew_seconds` off."""

    lag_blocks: int = 3
    skew_seconds: int = 120
    delay_seconds: float = 1.5
    lies: Lies = field(default_factory=Lies)
    newest: int = 0


class FaultProxy:
    """One node; `url` and `ws_url` are where it is reached."""

    def __init__(self, upstream, client, faults, view):
        self.upstream = upstream
        self.faults = faults
        self.view = view
        self.url = ""
        self.is_silent = False
        self.pool = NodePool(self._ask)
        self._client = client
        self._site = None
        self._runner = None

    @property
    def ws_url(self):
        return self.url.replace("http", "ws", 1)

    # The node's life

    async def cut(self):
        """Be unreachable: connections are refused, open ones reset."""
        for transport in [one.transport for one in self._runner.server.connections]:
            if transport is not None:
                transport.abort()
        await self._site.stop()

    async def restore(self):
        """Be reachable again, at the same address."""
        await self._listen(int(self.url.rpartition(":")[2]))

    async def _listen(self, port):
        self._site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
        await self._site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _tend(self):
        while True:
            with contextlib.suppress(aiohttp.ClientError, json.JSONDecodeError):
                await self.pool.tend()
            await asyncio.sleep(_TEND_SECONDS)

    # HTTP

    async def answer(self, request):
        """One exchange, with whatever goes wrong with it; a node that is dead hangs up."""
        try:
            return await self._exchanged(request)
        except aiohttp.ClientError:
            return _hung_up(request)

    async def _exchanged(self, request):
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._web_socket(request)
        body = await request.read()
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        methods = {call["method"] for call in calls}
        fault = self.faults.drawn(methods)
        if fault is None and not self.faults.lasting and not methods & _OF_POOL:
            return _whole(await self._forward(body))
        answers = [] if fault in _NEVER_DELIVERED else await self._delivered(calls, fault)
        if not isinstance(asked, list):
            (answers,) = answers or [None]
        return await self._carried(request, answers, fault)

    async def _delivered(self, calls, fault):
        """What the node answers; a doubled request is answered the second time."""
        lasting = self.faults.lasting | ({fault} & LASTING)
        answers = await self._answers(calls, lasting)
        if fault is Fault.DOUBLED:
            answers = await self._answers(calls, lasting)
        if Fault.DELAYED in lasting:
            await asyncio.sleep(self.view.delay_seconds)
        return answers

    async def _carried(self, request, answers, fault):
        if fault is Fault.PARTIAL and isinstance(answers, list):
            answers = answers[::2] if len(answers) > 1 else []
        body = json.dumps(answers).encode()
        match fault:
            case Fault.TOO_MANY | Fault.BAD_GATEWAY:
                return web.Response(status=_STATUS[fault])
            case Fault.DROPPED_BEFORE | Fault.DROPPED_AFTER | Fault.HALF_OPEN:
                await asyncio.sleep(_FOREVER_SECONDS if fault is Fault.HALF_OPEN else 0)
                return _hung_up(request)
            case Fault.TRUNCATED:
                return await _cut_off(request, body)
            case _:
                return _whole(body)

    # WebSocket

    async def _web_socket(self, request):
        ours = web.WebSocketResponse(max_msg_size=_LARGEST)
        await ours.prepare(request)
        url = self.upstream.replace("http", "ws", 1)
        async with self._client.ws_connect(url, max_msg_size=_LARGEST) as theirs:
            pumps = [
                asyncio.create_task(self._pump_requests(ours, theirs)),
                asyncio.create_task(self._pump_news(theirs, ours)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:  # also when whoever asked is gone and this handler is cancelled
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        await ours.close()
        return ours

    async def _pump_requests(self, ours, theirs):
        async for message in ours:
            asked = json.loads(message.data)
            calls = asked if isinstance(asked, list) else [asked]
            methods = {call["method"] for call in calls}
            if methods & _SUBSCRIPTIONS:
                await theirs.send_str(message.data)
                continue
            fault = self.faults.drawn(methods)
            if fault in {Fault.DROPPED_BEFORE, Fault.TOO_MANY}:
                return
            answers = await self._delivered(calls, fault)
            if fault in {Fault.DROPPED_AFTER, Fault.TRUNCATED, Fault.BAD_GATEWAY}:
                return
            if not self.is_silent and fault is not Fault.HALF_OPEN:
                await ours.send_json(answers if isinstance(asked, list) else answers[0])

    async def _pump_news(self, theirs, ours):
        """What the node tells by itself; a half-open socket tells nothing and does not close."""
        async for message in theirs:
            if not self.is_silent:
                await ours.send_str(self._news(message.data))

    def _news(self, text):
        told = json.loads(text)
        if "params" in told and self.faults.lasting:
            header = {"method": "eth_getBlockByNumber", "params": []}
            result = {"result": told["params"]["result"]}
            shown = answered(header, result, self.faults.lasting, self.view)
            told["params"]["result"] = shown["result"]
        return json.dumps(told)

    # The node behind

    async def _answers(self, calls, lasting):
        """Answers to `calls` in their order, with what is lastingly wrong."""
        calls = [{**call, "params": self.view.lies.undone(call["params"])} for call in calls]
        raws = [call["params"][0] for call in calls if call["method"] == _SEND]
        sent = iter(await self.pool.take(raws)) if raws else iter(())
        if Fault.STALE in lasting:
            await self._fall_behind()
            calls = [asked_of_the_past(call, self.view.newest) for call in calls]
        read = iter(await self._ask(*(_pair(call) for call in calls if call["method"] != _SEND)))
        answers = []
        for call in calls:
            if call["method"] == _SEND:
                answer = next(sent)
            else:
                answer = answered(call, self._with_pool(call, next(read)), lasting, self.view)
            answers.append({**answer, "jsonrpc": "2.0", "id": call["id"]})
        return answers

    def _with_pool(self, call, answer):
        """What only the pool knows: a transaction that the node behind could not hold."""
        if call["method"] == "eth_getTransactionByHash" and answer.get("result") is None:
            found = self.pool.waiting(call["params"][0])
            return answer if found is None else {"result": found.shown()}
        return answer

    async def _fall_behind(self):
        (head,) = await self._ask(("eth_blockNumber", []))
        self.view.newest = max(0, int(head["result"], 16) - self.view.lag_blocks)

    async def _ask(self, *requests):
        """True answers, each as `{"result": ...}` or `{"error": ...}`, from one exchange."""
        if not requests:
            return []
        batch = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(requests)
        ]
        answers = json.loads(await self._forward(json.dumps(batch).encode()))
        answers.sort(key=lambda answer: answer["id"])
        return [
            {name: answer[name] for name in ("result", "error") if name in answer}
            for answer in answers
        ]

    async def _forward(self, body):
        headers = {"Content-Type": "application/json"}
        async with self._client.post(self.upstream, data=body, headers=headers) as answer:
            return await answer.read()


@asynccontextmanager
async def fault_proxy(upstream, faults=None, view=None):
    """A proxy that listens while the block runs; all is well with it until told otherwise."""
    async with aiohttp.ClientSession() as client:
        proxy = FaultProxy(upstream, client, faults or Faults(), view or View())
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/", proxy.answer)
        proxy._runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )
        await proxy._runner.setup()
        try:
            await proxy._listen(0)
            async with asyncio.TaskGroup() as group:
                tending = group.create_task(proxy._tend())  # its failure ends the block
                yield proxy
                tending.cancel()
        finally:
            await proxy._runner.cleanup()


def _pair(call):
    return call["method"], call["params"]


def _whole(body):
    return web.Response(body=body, content_type="application/json")


def _hung_up(request):
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut_off(request, body):
    """The first half of an answer that says it is longer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return _hung_up(request)
