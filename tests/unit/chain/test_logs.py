import pytest

from holdfast.chain.endpoint import Endpoint
from holdfast.chain.logs import LogFilter, read_page, read_span
from holdfast.chain.rpc import Rpc
from holdfast.common.errors import Broken, Transient
from tests.support.fake_node import FakeTransport, result

ADDRESS = "0x" + "aa" * 20
FILTER = LogFilter((ADDRESS,), ((b"\1" * 32,), None, (b"\2" * 32,)))


def block(number, fork=""):
    return {
        "number": hex(number),
        "hash": f"0x{fork}{number:x}",
        "parentHash": f"0x{fork}{number - 1:x}",
        "timestamp": "0x1",
        "gasLimit": "0x1",
        "gasUsed": "0x0",
    }


def log(number, index, fork=""):
    return {
        "address": ADDRESS,
        "topics": ["0x" + "01" * 32],
        "data": "0x",
        "logIndex": hex(index),
        "blockNumber": hex(number),
        "blockHash": f"0x{fork}{number:x}",
        "transactionHash": "0xT",
    }


def node(logs, blocks=lambda number, times: block(number)):
    """A node whose answer for a block may change with the times that it was asked."""
    asked = []

    def get_block(number, _full):
        asked.append(number)
        return result(blocks(int(number, 16), asked.count(number)))

    transport = FakeTransport(
        eth_getBlockByNumber=get_block, eth_getLogs=lambda _filter: result(logs)
    )
    return Rpc(Endpoint(transport)), transport


async def test_a_page_is_one_exchange_and_each_log_counts_once():
    rpc, transport = node([log(6, 1), log(5, 2), log(5, 0)])
    page = await read_page(rpc, 5, 6, [FILTER, FILTER])
    assert transport.exchanges == 1
    assert [head.ref.number for head in page.heads] == [5, 6]
    assert [(one.block_number, one.log.log_index) for one in page.logs] == [(5, 0), (5, 2), (6, 1)]
    assert [one.tx_hash for one in page.logs] == ["0xt"] * 3


async def test_a_filter_says_which_topic_stands_where():
    rpc, transport = node([])
    await read_page(rpc, 5, 6, [FILTER])
    (asked,) = [params for method, params in transport.asked if method == "eth_getLogs"]
    assert asked == [
        {
            "address": [ADDRESS],
            "topics": [["0x" + "01" * 32], None, ["0x" + "02" * 32]],
            "fromBlock": "0x5",
            "toBlock": "0x6",
        }
    ]


async def test_a_log_of_another_block_than_was_read_means_a_reorg():
    rpc, _ = node([log(5, 0, fork="f")])
    with pytest.raises(Transient, match="block 5 changed"):
        await read_page(rpc, 5, 6, [FILTER])


async def test_a_last_block_that_changed_meanwhile_means_a_reorg():
    for read in (read_page, read_span):
        rpc, _ = node([], lambda number, times: block(number, "f" if times > 1 else ""))
        with pytest.raises(Transient, match="block 6 changed"):
            await read(rpc, 5, 6, [FILTER])


async def test_blocks_that_do_not_follow_on_each_other_mean_a_reorg():
    rpc, _ = node([], lambda number, times: block(number, "f" if number == 5 else ""))
    with pytest.raises(Transient, match="block 5 changed"):
        await read_page(rpc, 5, 6, [FILTER])


async def test_a_node_that_does_not_have_a_block_proves_nothing_about_its_logs():
    rpc, _ = node([], lambda number, times: None if number == 6 else block(number))
    for read in (read_page, read_span):
        with pytest.raises(Transient, match="has no block 6"):
            await read(rpc, 5, 6, [FILTER])


async def test_a_malformed_log_is_no_log():
    rpc, _ = node([{**log(5, 0), "logIndex": None}])
    with pytest.raises(Broken, match="malformed"):
        await read_span(rpc, 5, 6, [FILTER])
