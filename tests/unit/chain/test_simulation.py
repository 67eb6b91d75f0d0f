"""A group of calls tried before it is signed."""

import pytest

from holdfast.chain.endpoint import Endpoint
from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.simulation import SimCall, SimResult, simulate_params
from holdfast.common.errors import Broken, Transient
from holdfast.common.evm import checksummed
from holdfast.model.leg import Call
from tests.support.fake_node import FakeTransport, error, result
from tests.unit.chain.test_node import AT, PIN, PROFILE

ALICE, BOB = (checksummed(bytes([number]) * 20) for number in (2, 3))
STEPS = [
    SimCall(ALICE, Call(BOB, b"\x01"), 50_000),
    SimCall(BOB, Call(ALICE, b"", 7), 21_000),
    SimCall(ALICE, Call(BOB, b"\x03"), 60_000),
]
REASON = "0x08c379a0" + f"{32:064x}" + f"{2:064x}" + "3336" + "00" * 30  # Error("36")


def done(data="0x"):
    return {"status": "0x1", "gasUsed": "0x64", "returnData": data, "logs": []}


def failed(data, message="execution reverted"):
    return {
        "status": "0x0",
        "gasUsed": "0x64",
        "returnData": data,
        "logs": [],
        "error": {"code": 3, "message": message},
    }


def node_of(**methods):
    transport = FakeTransport(**methods)
    return Node(Rpc(Endpoint(transport)), PROFILE), transport


def test_the_calls_are_one_block_at_the_given_time():
    params = simulate_params(STEPS[1:2], 99)
    (block,) = params["blockStateCalls"]
    assert block["blockOverrides"] == {"time": "0x63"}
    assert block["calls"] == [
        {"from": BOB, "to": ALICE, "gas": "0x5208", "value": "0x7", "input": "0x"}
    ]


async def test_each_call_has_its_own_result_and_reason():
    calls = [done("0x2a"), failed(REASON), failed("0x", "out of gas")]
    node, transport = node_of(eth_simulateV1=lambda group, at: result([{"calls": calls}]))
    first, second, third = await node.simulate(STEPS, AT)
    assert first == SimResult(ok=True, gas_used=100, return_data=b"\x2a", error="", logs=())
    assert (second.ok, second.error) == (False, "36")
    assert (third.ok, third.error) == (False, "out of gas")
    ((_, (_, pin)),) = transport.asked
    assert pin == PIN


async def test_the_simulated_block_is_a_second_later_unless_told_otherwise():
    node, transport = node_of(eth_simulateV1=lambda group, at: result([{"calls": [done()]}]))
    await node.simulate(STEPS[:1], AT)
    await node.simulate(STEPS[:1], AT, timestamp=1_700_009_999)
    times = [
        params[0]["blockStateCalls"][0]["blockOverrides"]["time"] for _, params in transport.asked
    ]
    assert [int(time, 16) for time in times] == [1_700_000_001, 1_700_009_999]


async def test_the_call_for_which_the_node_refuses_the_group_is_named():
    def simulate(group, at):
        calls = group["blockStateCalls"][0]["calls"]
        if any(call["value"] == "0x7" for call in calls):  # the second cannot pay
            return error(-38_014, "insufficient funds for gas * price + value")
        return result([{"calls": [done() for _ in calls]}])

    node, _ = node_of(eth_simulateV1=simulate)
    first, second, third = await node.simulate(STEPS, AT)
    assert first.ok
    assert (second.ok, second.error) == (False, "insufficient funds for gas * price + value")
    assert (third.ok, third.error) == (False, "an earlier call was refused")


async def test_a_missing_block_is_no_result_of_any_call():
    node, _ = node_of(eth_simulateV1=lambda group, at: error(-32_001, "Resource not found"))
    with pytest.raises(Transient) as caught:
        await node.simulate(STEPS, AT)
    assert caught.value.code == "chain.block_gone"


async def test_a_block_that_vanishes_during_the_search_is_no_result_either():
    answers = [error(-38_014, "insufficient funds"), error(-32_001, "Resource not found")]
    node, _ = node_of(eth_simulateV1=lambda group, at: answers.pop(0))
    with pytest.raises(Transient):
        await node.simulate(STEPS[:1], AT)


@pytest.mark.parametrize("answer", [[], [{"calls": []}], [{"calls": [{"status": "0x1"}]}], "0x"])
async def test_a_malformed_simulation_is_refused(answer):
    node, _ = node_of(eth_simulateV1=lambda group, at: result(answer))
    with pytest.raises(Broken) as caught:
        await node.simulate(STEPS[:1], AT)
    assert caught.value.code == "chain.bad_answer"


async def test_a_node_without_group_simulation_tries_each_call_alone_and_says_so():
    def call(step, at):
        return result("0x2a") if step["input"] == "0x01" else error(3, "execution reverted", REASON)

    node, transport = node_of(eth_call=call)
    first, second, _ = await node.simulate(STEPS, AT)
    assert (first.ok, first.return_data, first.is_sequential) == (True, b"\x2a", False)
    assert (second.ok, second.error, second.is_sequential) == (False, "36", False)

    transport.asked.clear()
    await node.simulate(STEPS, AT)
    assert {method for method, _ in transport.asked} == {"eth_call"}  # it is not asked again


async def test_a_call_alone_that_fails_without_revert_data_keeps_the_nodes_words():
    node, _ = node_of(eth_call=lambda step, at: error(-32_003, "insufficient funds"))
    (outcome,) = await node.simulate(STEPS[:1], AT)
    assert outcome.error == "insufficient funds"
