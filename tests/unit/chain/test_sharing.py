"""Many readers of one chain at one moment: what goes over the wire, and who gets which answer."""

import asyncio

import pytest

from holdfast.chain.endpoint import Request
from holdfast.chain.rpc import MAX_BATCH, MAX_BODY
from holdfast.chain.sharing import MAX_GAS, Shared, parts
from holdfast.common.errors import Transient


class Wire:
    """A carrier that answers each request with its own parameters."""

    def __init__(self):
        self.exchanges = []
        self.silent = False

    async def read(self, requests):
        self.exchanges.append(list(requests))
        if self.silent:
            raise Transient("rpc.unreachable", "no answer")
        return [request.params for request in requests]

    async def submit(self, requests):
        return [*requests, "sent"]

    async def check(self):
        self.exchanges.append("check")


def call(name):
    return Request("eth_call", (name, "0x1"))


def simulation(name, gas):
    calls = [{"from": name, "gas": hex(gas)}, {"from": name}]
    return Request("eth_simulateV1", ({"blockStateCalls": [{"calls": calls}]}, name))


async def test_what_is_asked_at_one_moment_shares_an_exchange_and_equal_requests_an_answer():
    wire = Wire()
    shared = Shared(wire)
    answers = await asyncio.gather(
        shared.read([call("a"), call("b")]), shared.read([call("b"), call("c")])
    )
    assert answers == [[("a", "0x1"), ("b", "0x1")], [("b", "0x1"), ("c", "0x1")]]
    assert wire.exchanges == [[call("a"), call("b"), call("c")]]


async def test_what_is_asked_later_is_asked_anew():
    wire = Wire()
    shared = Shared(wire)
    await shared.read([call("a")])
    await shared.read([call("a")])
    assert len(wire.exchanges) == 2


async def test_no_answer_is_no_answer_for_all_who_waited_for_it():
    wire = Wire()
    wire.silent = True
    shared = Shared(wire)
    found = await asyncio.gather(
        shared.read([call("a")]), shared.read([call("b")]), return_exceptions=True
    )
    assert [type(one) for one in found] == [Transient, Transient]


async def test_one_who_gives_up_takes_no_answer_from_the_others():
    wire = Wire()
    shared = Shared(wire)
    gone = asyncio.ensure_future(shared.read([call("a")]))
    other = asyncio.ensure_future(shared.read([call("b")]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await other == [("b", "0x1")]


@pytest.mark.parametrize(
    ("requests", "sizes"),
    [
        ([call(f"n{number}") for number in range(MAX_BATCH + 1)], [MAX_BATCH, 1]),
        ([call("x" * (MAX_BODY // 2) + str(number)) for number in range(3)], [1, 1, 1]),
        ([simulation(f"n{number}", MAX_GAS // 3) for number in range(4)], [3, 1]),
        ([simulation("one", 2 * MAX_GAS), call("small")], [1, 1]),
        ([], []),
    ],
)
def test_an_exchange_is_bounded_in_number_bytes_and_gas_but_one_request_goes_alone(requests, sizes):
    wanted = {str(request).encode(): request for request in requests}
    assert [len(part) for part in parts(wanted)] == sizes


async def test_what_is_sent_goes_straight_on_and_connections_stay_open():
    wire = Wire()
    shared = Shared(wire)
    assert await shared.submit(["raw"]) == ["raw", "sent"]
    await shared.check()
    await shared.close()
    assert wire.exchanges == ["check"]
