"""Several nodes of one chain without a socket: each lags, lies, hangs up or dies as it is told."""

import asyncio

from prometheus_client import CollectorRegistry

from holdfast.chain.endpoint import Endpoint
from holdfast.chain.member import Member
from holdfast.chain.metrics import ChainMetrics
from holdfast.chain.pool import Pool
from tests.support.fake_chain import SetClock
from tests.support.fake_node import FakeTransport, error, result

GENESIS = "0x" + "a" * 64


class HandClock(SetClock):
    """Time that passes when it is told to; sleeping takes it with it."""

    async def sleep(self, seconds):
        self.seconds += seconds
        await asyncio.sleep(0)


def hash_of(number, branch="b"):
    return GENESIS if number == 0 else "0x" + branch + f"{number:063x}"


class ModelNode(FakeTransport):
    """A node at block `head` of `branch`; `failure` is raised instead of an answer.

    It has no block from `has` up to the head, which is made up then.
    """

    def __init__(self, name, head=100):
        super().__init__(
            eth_chainId=lambda: result(self.chain),
            web3_clientVersion=lambda: result("besu/v24"),
            eth_getBlockByNumber=self._block,
            eth_call=self._call,
            eth_sendRawTransaction=self._send,
        )
        self._name = f"http://{name}"
        self.head, self.branch, self.chain = head, "b", "0x8a"
        self.genesis = GENESIS
        self.has = None
        self.sends = lambda raw: result("0x" + "d" * 64)
        self.sent = []

    @property
    def name(self):
        return self._name

    @property
    def fails_with(self):
        return self.failure

    @fails_with.setter
    def fails_with(self, failure):
        self.failure = failure

    def _block(self, where, full):
        number = self.head if where in {"latest", "safe", "finalized"} else int(where, 16)
        is_made_up = self.has is not None and self.has <= number < self.head
        if number > self.head or is_made_up:
            return result(None)
        shown = hash_of(number, self.branch) if number else self.genesis
        return result(
            {
                "number": hex(number),
                "hash": shown,
                "parentHash": hash_of(max(number - 1, 0), self.branch),
                "timestamp": hex(1_700_000_000 + number),
                "gasLimit": "0x1c9c380",
                "gasUsed": "0x0",
                "transactions": [],
            }
        )

    def _call(self, call, pin):
        known = {hash_of(number, self.branch) for number in range(self.head + 1)}
        if pin["blockHash"] not in known:
            return error(-32_000, "header for hash not found")
        return result(self._name)

    def _send(self, raw):
        self.sent.append(raw)
        return self.sends(raw)


def pool_of(profile, nodes, private=()):
    """The pool, its clock and its figures; nothing in its pauses is drawn."""
    clock, registry = HandClock(), CollectorRegistry()
    metrics = ChainMetrics(registry)

    def member(node, is_private):
        figures = metrics.endpoint(node.name)
        endpoint = Endpoint(node, meter=figures.exchange)
        return Member(endpoint, figures, clock, lambda: 0.0, is_private=is_private)

    readers = [member(node, is_private=False) for node in nodes]
    hidden = [member(node, is_private=True) for node in private]
    return Pool(profile, readers, hidden, clock), clock, registry
