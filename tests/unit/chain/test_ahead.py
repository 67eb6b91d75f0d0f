"""A chain with groups on top that nobody sent, seen through the reader of every other chain."""

import pytest

from holdfast.chain.abi import WORD
from holdfast.chain.ahead import Ahead
from holdfast.chain.endpoint import Endpoint, Request
from holdfast.chain.multicall import Read
from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.simulation import SimCall
from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.model.leg import Call
from tests.support.fake_node import FakeTransport, error, result
from tests.unit.chain.test_node import AT, PIN, PROFILE
from tests.unit.chain.test_simulation import ALICE, BOB, REASON, done, failed

HEADER = {
    "number": hex(AT.number),
    "hash": AT.hash,
    "parentHash": "0x" + "01" * 32,
    "timestamp": hex(AT.timestamp),
    "baseFeePerGas": "0x7",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
}
FIRST = [SimCall(ALICE, Call(BOB, b"\x01"), 50_000), SimCall(ALICE, Call(BOB, b"\x02"), 50_000)]
SECOND = [SimCall(BOB, Call(ALICE, b"\x03"), 50_000)]
SEVEN = Read(BOB, b"\x04\x04\x04\x04", int.from_bytes)


def aggregate(timestamp, *values):
    """What Multicall3 answers for the block's time and these values."""
    parts = [(1).to_bytes(WORD) + (64).to_bytes(WORD) + WORD.to_bytes(WORD) + value.to_bytes(WORD)
             for value in (timestamp, *values)]  # fmt: skip
    heads = [(len(parts) * WORD + at * len(parts[0])).to_bytes(WORD) for at in range(len(parts))]
    words = [WORD.to_bytes(WORD), len(parts).to_bytes(WORD), *heads, *parts]
    return "0x" + b"".join(words).hex()


async def ahead_of(*groups, **methods):
    transport = FakeTransport(
        **{
            "eth_getBlockByNumber": lambda where, full: result(HEADER),
            "eth_getBlockByHash": lambda which, full: result(HEADER),
            **methods,
        }
    )
    made = await Ahead.of(Endpoint(transport))
    for group in groups:
        made.add(group)
    return Node(Rpc(made), PROFILE), transport


def blocks_of(transport):
    """The blocks of the last simulation, and what it was pinned to."""
    params, pin = [params for method, params in transport.asked if method == "eth_simulateV1"][-1]
    return params["blockStateCalls"], pin


async def test_with_nothing_on_top_it_is_the_chain_itself():
    node, transport = await ahead_of(
        eth_call=lambda call, at: result(aggregate(AT.timestamp, 7)),
        eth_getTransactionCount=lambda who, at: result("0x5"),
    )
    head = await node.head()
    assert head.ref == AT
    assert await node.read([SEVEN], head.ref) == [7]
    assert await node.nonces([ALICE], head.ref) == {ALICE: 5}
    assert [params[1] for method, params in transport.asked if method == "eth_call"] == [PIN]


async def test_each_group_is_a_block_a_second_later_with_a_name_of_its_own():
    node, _ = await ahead_of(FIRST)
    one = await node.head()
    node, _ = await ahead_of(FIRST, SECOND)
    two = await node.head()
    assert (one.ref.number, two.ref.number) == (AT.number + 1, AT.number + 2)
    assert (one.ref.timestamp, two.ref.timestamp) == (AT.timestamp + 1, AT.timestamp + 2)
    assert len({AT.hash, one.ref.hash, two.ref.hash}) == 3
    assert one.base_fee_wei == 7


async def test_a_read_is_the_last_call_of_the_last_block():
    answer = [
        {"calls": [done(), done()]},
        {"calls": [done(), done(aggregate(AT.timestamp + 2, 7))]},
    ]
    node, transport = await ahead_of(
        FIRST, SECOND, eth_simulateV1=lambda blocks, at: result(answer)
    )
    head = await node.head()
    assert await node.read([SEVEN], head.ref) == [7]
    blocks, pin = blocks_of(transport)
    assert pin == PIN
    assert [len(block["calls"]) for block in blocks] == [2, 2]
    assert [int(block["blockOverrides"]["time"], 16) - AT.timestamp for block in blocks] == [1, 2]
    assert blocks[1]["calls"][-1]["to"] == PROFILE.require_multicall3()


async def test_a_read_that_reverts_says_why_as_on_any_chain():
    node, _ = await ahead_of(
        SECOND, eth_simulateV1=lambda blocks, at: result([{"calls": [done(), failed(REASON)]}])
    )
    with pytest.raises(Rejected, match="36"):
        await node.read([SEVEN], (await node.head()).ref)


async def test_a_trial_runs_on_top_of_the_groups_and_answers_for_itself_alone():
    answer = [{"calls": [done(), done()]}, {"calls": [failed(REASON)]}]
    node, transport = await ahead_of(FIRST, eth_simulateV1=lambda blocks, at: result(answer))
    (tried,) = await node.simulate(SECOND, (await node.head()).ref)
    assert (tried.ok, tried.error) == (False, "36")
    blocks, pin = blocks_of(transport)
    assert pin == PIN
    assert [len(block["calls"]) for block in blocks] == [2, 1]
    assert int(blocks[1]["blockOverrides"]["time"], 16) == AT.timestamp + 2


async def test_what_was_added_counts_in_the_nonces_of_who_sent_it():
    node, _ = await ahead_of(FIRST, SECOND, eth_getTransactionCount=lambda who, at: result("0x5"))
    assert await node.nonces([ALICE, BOB], (await node.head()).ref) == {ALICE: 7, BOB: 6}


async def test_code_and_what_hangs_on_no_block_are_the_chains_own():
    node, transport = await ahead_of(
        FIRST,
        eth_getCode=lambda who, at: result("0x60"),
        eth_maxPriorityFeePerGas=lambda: result("0x9"),
    )
    codes = await node.code_hashes([BOB], (await node.head()).ref)
    assert codes[BOB].startswith("0x")
    assert await node.suggest_tip_wei() == 9
    assert (("eth_getCode", [BOB, PIN])) in transport.asked


async def test_a_base_that_is_gone_has_nothing_on_top():
    node, _ = await ahead_of(FIRST, eth_getBlockByHash=lambda which, full: result(None))
    with pytest.raises(Transient) as caught:
        await node.head()
    assert caught.value.code == "chain.block_missing"


async def test_a_node_that_cannot_simulate_says_so():
    node, _ = await ahead_of(FIRST, eth_simulateV1=lambda blocks, at: error(-32_601, "no method"))
    with pytest.raises(Broken) as caught:
        await node.read([SEVEN], (await node.head()).ref)
    assert caught.value.code == "rpc.unsupported"


async def test_nothing_is_ever_sent_from_it_and_the_connections_stay_open():
    transport = FakeTransport(eth_getBlockByNumber=lambda where, full: result(HEADER))
    ahead = await Ahead.of(Endpoint(transport))
    with pytest.raises(Broken) as caught:
        await ahead.submit([Request("eth_sendRawTransaction", ("0x00",))])
    assert caught.value.code == "chain.ahead"
    await ahead.check()
    await ahead.close()
    assert not transport.closed
