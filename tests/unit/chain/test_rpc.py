"""One endpoint: the order of answers, and what each failure means."""

import asyncio

import pytest

from holdfast.chain.endpoint import Endpoint, Fault, Request
from holdfast.chain.rpc import MAX_BATCH, MAX_BODY, Rpc
from holdfast.chain.transport import HttpTransport, LostError, NotSentError
from holdfast.common.errors import Ambiguous, Broken, Rejected, Transient
from tests.support.fake_node import FakeTransport, error, result

ECHO = [Request("echo", [number]) for number in range(3)]
REASON = "0x08c379a0" + f"{32:064x}" + f"{2:064x}" + "3336" + "00" * 30  # Error("36")


def endpoint(**methods):
    transport = FakeTransport(echo=result, **methods)
    return Rpc(Endpoint(transport)), transport


async def test_answers_come_in_the_order_of_the_requests_whatever_the_nodes_order():
    rpc, transport = endpoint()
    transport.rewrite = lambda entries: entries[::-1]
    assert await rpc.batch(ECHO) == [0, 1, 2]


async def test_a_fault_is_one_answer_among_the_others():
    rpc, _ = endpoint(fail=lambda: error(3, "execution reverted", "0xdeadbeef"))
    answers = await rpc.batch([ECHO[1], Request("fail", [])])
    assert answers == [1, Fault(3, "execution reverted", b"\xde\xad\xbe\xef")]


async def test_a_long_batch_goes_out_in_parts():
    rpc, transport = endpoint()
    requests = [Request("echo", [number]) for number in range(MAX_BATCH + 1)]
    assert await rpc.batch(requests) == list(range(MAX_BATCH + 1))
    assert transport.exchanges == 2


async def test_requests_too_large_for_one_body_go_out_in_parts():
    rpc, transport = endpoint(long=lambda call, at: result(len(call["input"])))
    sizes = [MAX_BODY // 2, MAX_BODY // 2, MAX_BODY * 2, 10]
    requests = [Request("long", [{"input": "0" * size}, ["x"]]) for size in sizes]
    assert await rpc.batch(requests) == sizes
    assert transport.exchanges == 4  # the first two with their other words are just too much


async def test_nothing_is_asked_for_no_requests():
    rpc, transport = endpoint()
    assert await rpc.batch([]) == []
    assert transport.exchanges == 0


async def test_reads_of_one_moment_share_an_exchange_and_each_gets_its_own_answers():
    rpc, transport = endpoint()
    answers = await asyncio.gather(rpc.batch(ECHO), rpc.call("echo", 7), rpc.batch(ECHO[1:]))
    assert answers == [[0, 1, 2], 7, [1, 2]]
    assert transport.exchanges == 1


async def test_reads_of_different_moments_do_not_wait_for_each_other():
    rpc, transport = endpoint()
    assert [await rpc.batch(ECHO), await rpc.batch(ECHO)] == [[0, 1, 2]] * 2
    assert transport.exchanges == 2


async def test_a_shared_exchange_without_an_answer_is_transient_for_each():
    rpc, transport = endpoint()
    transport.fails_with = LostError("timeout")
    failures = await asyncio.gather(rpc.batch(ECHO), rpc.batch(ECHO), return_exceptions=True)
    assert [type(failure) for failure in failures] == [Transient, Transient]


async def test_a_reader_that_gives_up_leaves_the_others_their_answers():
    rpc, transport = endpoint()
    first, second = (asyncio.create_task(rpc.batch(ECHO)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == [0, 1, 2]
    assert transport.exchanges == 1


@pytest.mark.parametrize("failure", [NotSentError("refused"), LostError("HTTP 503")])
async def test_a_read_without_an_answer_is_transient(failure):
    rpc, transport = endpoint()
    transport.fails_with = failure
    with pytest.raises(Transient) as caught:
        await rpc.batch(ECHO)
    assert caught.value.code == "rpc.unreachable"


async def test_a_send_that_never_connected_did_nothing():
    rpc, transport = endpoint()
    transport.fails_with = NotSentError("refused")
    with pytest.raises(Transient):
        await rpc.submit(ECHO)


async def test_a_send_without_an_answer_is_ambiguous():
    rpc, transport = endpoint()
    transport.fails_with = LostError("timeout")
    with pytest.raises(Ambiguous) as caught:
        await rpc.submit(ECHO)
    assert caught.value.code == "rpc.no_answer"


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda entries: entries[:-1],
        lambda entries: entries[0],
        lambda entries: [*entries[:-1], {"id": 99, "result": 1}],
        lambda entries: [*entries[:-1], {"id": 2}],
        lambda entries: [*entries[:-1], {"id": 2, "error": "text"}],
        lambda entries: [*entries[:-1], "text"],
    ],
    ids=["missing", "not a list", "unknown id", "neither", "odd error", "no object"],
)
async def test_a_send_with_half_an_answer_is_ambiguous(rewrite):
    rpc, transport = endpoint()
    transport.rewrite = rewrite
    with pytest.raises(Ambiguous):
        await rpc.submit(ECHO)


async def test_an_answer_that_is_not_json_is_no_answer():
    class Garbled(FakeTransport):
        async def post(self, body, timeout_seconds):
            return b"<html>"

    with pytest.raises(Transient):
        await Rpc(Endpoint(Garbled())).batch(ECHO)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (error(3, "execution reverted", REASON), Rejected, "rpc.reverted"),
        (error(-32_601, "Method not found"), Broken, "rpc.unsupported"),
        (error(-32_602, "Invalid params"), Broken, "rpc.unsupported"),
        (
            error(-32_602, "BlockOutOfRangeError: block height is 9 but requested was 6"),
            Transient,
            "chain.block_gone",
        ),
        (error(-32_005, "limit exceeded"), Transient, "rpc.fault"),
    ],
)
async def test_a_fault_of_a_single_read_is_an_error_of_its_family(answer, kind, code):
    rpc, _ = endpoint(ask=lambda: answer)
    with pytest.raises(kind) as caught:
        await rpc.call("ask")
    assert caught.value.code == code


async def test_a_reverted_read_tells_the_reason():
    rpc, _ = endpoint(ask=lambda: error(3, "execution reverted", REASON))
    with pytest.raises(Rejected, match="36") as caught:
        await rpc.call("ask")
    assert caught.value.fields == {"reason": "36"}


async def test_closing_closes_the_transport():
    rpc, transport = endpoint()
    await rpc.close()
    assert transport.closed


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://user:secret@node.example/v3/secret?key=secret", "https://node.example"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
    ],
)
def test_an_endpoints_name_holds_no_token(url, name):
    assert HttpTransport(url).name == name
