"""Several nodes of one chain as one: who is asked, who is left out, and what is known of a send."""

import asyncio
from dataclasses import replace

import pytest

from holdfast.chain import inspection
from holdfast.chain.endpoint import Fault, Request
from holdfast.chain.health import FAILURES_IN_WINDOW
from holdfast.chain.node import Node
from holdfast.chain.profiles import ProfileKind
from holdfast.chain.rpc import Rpc
from holdfast.chain.sending import SendOutcome
from holdfast.chain.transport import LostError, NotSentError, TimedOutError
from holdfast.common.errors import Ambiguous, Paused, Rejected, Transient
from tests.support.endpoints import GENESIS, ModelNode, hash_of, pool_of
from tests.support.fake_node import error, result
from tests.unit.chain.test_node import PROFILE as DEVNET

PROFILE = replace(
    DEVNET,
    kind=ProfileKind.PRODUCTION,
    genesis_hash=GENESIS,
    confirmations=2,
    block_time_seconds=12,  # three blocks may be missing
)
LATEST = Request("eth_getBlockByNumber", ("latest", False))
SENDS = [Request("eth_sendRawTransaction", (f"0x{number}",)) for number in range(2)]


def at(number):
    return Request("eth_call", ({}, {"blockHash": hash_of(number), "requireCanonical": True}))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(inspection, "AGAIN_SECONDS", 0)


def three(**heads):
    return [ModelNode(name, heads.get(name, 100)) for name in ("n1", "n2", "n3")]


def troubles(pool):
    return {one.name[7:]: str(one.trouble) for one in pool.status() if one.trouble}


async def asked(pool, number=100):
    """The name of the node that answers a read at block `number`."""
    (name,) = await pool.read([at(number)])
    return name[7:]


async def head(pool):
    (block,) = await pool.read([LATEST])
    return int(block["number"], 16)


async def test_no_node_is_asked_before_the_first_request():
    node = ModelNode("n1")
    pool, *_ = pool_of(PROFILE, [node])
    assert node.exchanges == 0
    assert await asked(pool) == "n1"


async def test_one_node_is_verified_once_and_costs_one_exchange_a_read_from_then_on():
    node = ModelNode("n1")
    pool, clock, _ = pool_of(PROFILE, [node])
    await asked(pool)
    assert node.exchanges == 2
    clock.seconds += 60
    await pool.check_when_due()
    await asked(pool)
    assert node.exchanges == 3


async def test_the_first_node_that_can_be_used_is_the_one_that_is_asked():
    pool, *_ = pool_of(PROFILE, three())
    assert [await asked(pool) for _ in range(3)] == ["n1"] * 3


@pytest.mark.parametrize("failure", [NotSentError("refused"), LostError("HTTP 502")])
async def test_a_read_goes_on_to_the_next_node_within_the_same_call(failure):
    nodes = three()
    pool, *_ = pool_of(PROFILE, nodes)
    await asked(pool)
    nodes[0].fails_with = failure
    assert await asked(pool) == "n2"


MALFORMED_ANSWERS = [
    (LATEST, {"number": "0x64", "hash": None}),
    (Request("eth_getBlockByHash", (hash_of(1), True)), {"number": "0x1"}),
    (Request("eth_getBlockReceipts", ("0x1",)), [{"blockNumber": "0x1"}]),
    (Request("eth_getTransactionReceipt", ("0x1",)), []),
    (Request("eth_getLogs", ({},)), [{"blockNumber": 1}]),
]


@pytest.mark.parametrize(("request_", "answer"), MALFORMED_ANSWERS)
async def test_a_malformed_answer_is_that_nodes_failure_and_the_next_is_asked(request_, answer):
    nodes = three()
    pool, *_ = pool_of(PROFILE, nodes)
    await asked(pool)
    nodes[0].methods[request_.method] = lambda *_: result(answer)
    good = nodes[1].methods.setdefault(request_.method, lambda *_: result(None))
    assert await pool.read([request_]) == [good("latest", False)["result"]]
    for _ in range(FAILURES_IN_WINDOW):
        await pool.read([request_])
    assert troubles(pool) == {"n1": "errors"}


@pytest.mark.parametrize("method", ["eth_getBlockByHash", "eth_getBlockByNumber"])
async def test_a_block_without_its_transactions_names_them_alone(method):
    nodes = three()
    pool, *_ = pool_of(PROFILE, nodes)
    await asked(pool)
    block = nodes[0].methods["eth_getBlockByNumber"]("0x1", False)["result"]
    block |= {"transactions": [hash_of(2)]}
    for node in nodes:
        node.methods[method] = lambda *_: result(block)
    key = hash_of(1) if method.endswith("Hash") else "0x1"
    assert await pool.read([Request(method, (key, False))]) == [block]
    assert troubles(pool) == {}
    with pytest.raises(Transient) as caught:  # asked for whole, that is none
        await pool.read([Request(method, (key, True))])
    assert caught.value.code == "rpc.unreachable"


async def test_when_every_node_answers_nonsense_it_may_work_later():
    nodes = three()
    pool, *_ = pool_of(PROFILE, nodes)
    await asked(pool)
    for node in nodes:
        node.methods["eth_getLogs"] = lambda *_: result([None])
    with pytest.raises(Transient) as caught:
        await pool.read([Request("eth_getLogs", ({},))])
    assert caught.value.code == "rpc.unreachable"


async def test_a_read_that_every_node_fails_is_transient_and_names_them_all():
    nodes = three()
    pool, *_ = pool_of(PROFILE, nodes)
    await asked(pool)
    for node in nodes:
        node.fails_with = LostError("HTTP 502")
    with pytest.raises(Transient, match=r"n1.*n2.*n3") as caught:
        await asked(pool)
    assert caught.value.code == "rpc.unreachable"


async def test_a_node_that_dies_is_left_alone_until_its_pause_is_over_and_then_used_again():
    nodes = three()
    pool, clock, _ = pool_of(PROFILE, nodes)
    await asked(pool)
    nodes[0].fails_with = NotSentError("refused")
    await asked(pool)
    exchanges = nodes[0].exchanges
    await asked(pool)
    assert nodes[0].exchanges == exchanges
    assert troubles(pool) == {"n1": "unreachable"}
    nodes[0].fails_with = None
    clock.seconds += 0.25
    await pool.check_when_due()
    assert await asked(pool) == "n1"


async def test_a_hung_nodes_connections_are_closed_so_that_nobody_else_waits_on_them():
    nodes = three()
    pool, *_ = pool_of(PROFILE, nodes)
    await asked(pool)
    nodes[0].fails_with = TimedOutError("no answer in 10 s")
    assert await asked(pool) == "n2"
    assert nodes[0].closed


async def test_a_pinned_read_goes_to_a_node_that_has_the_block():
    nodes = three(n1=99)
    pool, *_ = pool_of(PROFILE, nodes)
    assert await asked(pool, 100) == "n2"
    assert await asked(pool, 99) == "n1"


async def test_a_pinned_read_of_a_block_that_nobody_has_is_answered_with_the_first_nodes_words():
    pool, *_ = pool_of(PROFILE, three())
    (answer,) = await pool.read([at(101)])
    assert isinstance(answer, Fault)
    assert answer.message == "header for hash not found"


async def test_a_revert_is_an_answer_and_no_other_node_is_asked():
    nodes = three()
    nodes[0].methods["eth_call"] = lambda *_: error(3, "execution reverted")
    pool, *_ = pool_of(PROFILE, nodes)
    await head(pool)
    exchanges = nodes[1].exchanges
    (answer,) = await pool.read([at(100)])
    assert answer.is_revert
    assert nodes[1].exchanges == exchanges


async def test_the_head_does_not_go_back_when_a_node_that_is_behind_takes_over():
    nodes = three(n1=102, n2=100, n3=102)
    pool, *_ = pool_of(PROFILE, nodes)
    assert await head(pool) == 102
    nodes[0].fails_with = NotSentError("refused")
    assert await head(pool) == 102  # n3's, though n2 comes before it
    assert await asked(pool, 100) == "n3"


async def test_the_head_goes_back_when_every_node_says_so():
    nodes = three(n1=102, n2=102, n3=102)
    pool, *_ = pool_of(PROFILE, nodes)
    assert await head(pool) == 102
    for node, lower in zip(nodes, (100, 101, 100), strict=True):
        node.head = lower
    assert await head(pool) == 101
    assert await head(pool) == 101


async def test_a_node_that_lags_is_left_out_until_it_has_caught_up():
    nodes = three(n1=96)
    pool, clock, _ = pool_of(PROFILE, nodes)
    assert await asked(pool, 90) == "n2"
    assert troubles(pool) == {"n1": "lagging"}
    nodes[0].head = 97  # three behind are allowed
    clock.seconds += 0.25
    await pool.check_when_due()
    assert await asked(pool, 90) == "n1"


async def test_the_only_node_left_is_not_used_while_it_is_behind_what_was_followed():
    nodes = three(n2=96, n3=96)
    nodes[0].head = 100
    pool, clock, _ = pool_of(PROFILE, nodes[:2])
    assert await head(pool) == 100
    nodes[0].fails_with = NotSentError("refused")
    with pytest.raises(Paused) as caught:
        await head(pool)
    told = {one["endpoint"]: one["trouble"] for one in caught.value.fields["endpoints"]}
    assert told == {"http://n1": "unreachable", "http://n2": "lagging"}
    nodes[1].head = 100
    clock.seconds += 5
    assert await head(pool) == 100


async def test_a_node_that_shows_another_settled_block_is_outvoted():
    nodes = three()
    nodes[0].branch = "c"
    pool, *_ = pool_of(PROFILE, nodes)
    assert await asked(pool) == "n2"
    assert troubles(pool) == {"n1": "disagrees"}


async def test_of_two_nodes_that_disagree_none_is_believed():
    nodes = three()[:2]
    pool, *_ = pool_of(PROFILE, nodes)
    await asked(pool)
    nodes[1].branch = "c"
    await pool.check()
    assert troubles(pool) == {"n1": "disagrees", "n2": "disagrees"}
    with pytest.raises(Paused):
        await asked(pool)


async def test_nodes_that_agree_again_are_used_again():
    nodes = three()[:2]
    nodes[1].branch = "c"
    pool, clock, _ = pool_of(PROFILE, nodes)
    with pytest.raises(Paused):
        await asked(pool)
    nodes[1].branch = "b"
    clock.seconds += 1
    assert await asked(pool) == "n1"


async def test_a_node_far_ahead_of_two_others_does_not_make_them_late():
    pool, *_ = pool_of(PROFILE, three(n1=10_000))
    assert await asked(pool) == "n2"
    assert troubles(pool) == {"n1": "disagrees"}


async def test_of_two_nodes_one_impossibly_far_ahead_of_the_other_none_is_believed():
    nodes = three()[:2]
    pool, clock, _ = pool_of(PROFILE, nodes)
    assert await head(pool) == 100
    nodes[0].head = 10**9
    await head(pool)  # the lie is followed until somebody looks
    await pool.check()
    assert troubles(pool) == {"n1": "disagrees", "n2": "disagrees"}
    nodes[0].fails_with = NotSentError("refused")
    clock.seconds += 1
    assert await head(pool) == 100


async def test_of_two_nodes_one_ahead_on_another_branch_none_is_believed():
    nodes = three(n1=150)[:2]  # no more than a node may be late
    nodes[0].branch = "c"
    pool, *_ = pool_of(PROFILE, nodes)
    with pytest.raises(Paused):
        await asked(pool, 90)
    assert troubles(pool) == {"n1": "disagrees", "n2": "disagrees"}


async def test_a_head_that_stands_alone_and_has_no_block_under_it_is_not_believed():
    nodes = three(n1=150)[:2]
    nodes[0].has = 100
    pool, *_ = pool_of(PROFILE, nodes)
    with pytest.raises(Paused) as caught:
        await asked(pool, 90)
    assert troubles(pool) == {"n1": "disagrees", "n2": "lagging"}
    assert "no block under it" in caught.value.fields["endpoints"][0]["reason"]


async def test_of_two_nodes_on_one_branch_the_one_ahead_is_used():
    nodes = three(n1=150)[:2]
    pool, *_ = pool_of(PROFILE, nodes)
    assert await asked(pool, 90) == "n1"
    assert troubles(pool) == {"n2": "lagging"}


async def test_nodes_that_disagree_are_heard_together():
    nodes = three()[:2]
    nodes[1].branch = "c"
    pool, clock, _ = pool_of(PROFILE, nodes)
    await pool.check()
    first, second = pool._readers
    second.health = replace(second.health, retry_at=clock.seconds + 60)
    clock.seconds += 1
    assert first.is_due()
    await pool.check_when_due()
    assert troubles(pool) == {"n1": "disagrees", "n2": "disagrees"}


@pytest.mark.parametrize("lie", [{"chain": "0x1"}, {"genesis": "0x" + "e" * 64}])
async def test_a_node_of_another_chain_is_never_used(lie):
    nodes = three()
    for name, value in lie.items():
        setattr(nodes[0], name, value)
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.require()
    assert await asked(pool) == "n2"
    assert troubles(pool) == {"n1": "refused"}


async def test_a_node_that_comes_back_as_another_chain_is_not_used_again():
    nodes = three()
    pool, clock, _ = pool_of(PROFILE, nodes)
    await asked(pool)
    nodes[0].fails_with = NotSentError("refused")
    await asked(pool)
    nodes[0].fails_with, nodes[0].chain = None, "0x1"
    clock.seconds += 0.25
    await pool.check_when_due()
    assert troubles(pool) == {"n1": "refused"}
    assert await asked(pool) == "n2"


async def test_a_test_node_is_refused_on_a_production_chain():
    nodes = three()
    nodes[0].methods["web3_clientVersion"] = lambda: {"result": "anvil/v1.7.1"}
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.check()
    assert troubles(pool) == {"n1": "refused"}


async def test_when_every_node_serves_another_chain_the_settings_are_wrong():
    nodes = three()
    for node in nodes:
        node.chain = "0x1"
    pool, *_ = pool_of(PROFILE, nodes)
    with pytest.raises(Rejected) as caught:
        await pool.require()
    assert caught.value.code == "node.chain_id"
    # ... but a running worker's reads wait for somebody to put it right: no deal is turned away
    with pytest.raises(Paused):
        await asked(pool)


@pytest.mark.parametrize("answer", [error(-32_000, "starting"), {"result": None}])
async def test_a_node_that_cannot_say_what_it_serves_is_not_used(answer):
    nodes = three()
    nodes[0].methods["eth_chainId"] = lambda: answer
    pool, *_ = pool_of(PROFILE, nodes)
    assert await asked(pool) == "n2"
    assert troubles(pool) == {"n1": "unreachable"}


async def test_a_malformed_block_takes_out_the_node_that_gave_it_and_no_other():
    nodes = three()
    nodes[0].methods["eth_getBlockByNumber"] = lambda *_: result({"number": "0x64", "hash": None})
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.check()
    assert troubles(pool) == {"n1": "unreachable"}


async def test_a_look_that_does_not_end_leaves_every_node_to_a_later_one(monkeypatch):
    pool, clock, _ = pool_of(PROFILE, three())
    with monkeypatch.context() as broken:
        broken.setattr(inspection, "parse_head", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await pool.check()
    assert not pool.is_used
    clock.seconds += 10
    await pool.check_when_due()
    assert troubles(pool) == {}


async def test_without_any_node_the_error_says_which_are_gone_since_when_and_why():
    node = ModelNode("n1")
    node.fails_with = NotSentError("ClientConnectorError")
    pool, clock, _ = pool_of(PROFILE, [node])
    since = clock.now().isoformat(timespec="seconds")
    with pytest.raises(Paused) as caught:
        await asked(pool)
    assert caught.value.code == "chain.read_only"
    (told,) = caught.value.fields["endpoints"]
    assert (told["endpoint"], told["trouble"], told["since"]) == (
        "http://n1",
        "unreachable",
        since,
    )
    assert "ClientConnectorError" in told["reason"]


async def test_reads_that_find_no_node_share_one_probe():
    node = ModelNode("n1")
    pool, *_ = pool_of(PROFILE, [node])
    assert await asyncio.gather(asked(pool), asked(pool)) == ["n1", "n1"]
    assert node.exchanges == 3  # one probe, two reads


async def test_a_broadcast_goes_to_every_node_in_use():
    nodes = three(n3=90)
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.submit(SENDS)
    assert [node.sent for node in nodes] == [["0x0", "0x1"], ["0x0", "0x1"], []]


async def test_a_broadcast_is_taken_when_any_node_took_it():
    nodes = three()
    nodes[0].sends = lambda raw: error(-32_000, "insufficient funds")
    nodes[1].fails_with = None
    nodes[2].sends = lambda raw: error(-32_000, "already known")
    pool, *_ = pool_of(PROFILE, nodes)
    (answer, _) = await Node(Rpc(pool), PROFILE).send_raw([b"\x00", b"\x01"])
    assert answer.outcome is SendOutcome.ACCEPTED


async def test_a_broadcast_that_one_refuses_and_one_does_not_answer_is_open():
    nodes = three()[:2]
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.check()
    nodes[0].sends = lambda raw: error(-32_000, "insufficient funds")
    nodes[1].fails_with = LostError("HTTP 504")
    (answer,) = await Node(Rpc(pool), PROFILE).send_raw([b"\x00"])
    assert answer.outcome is SendOutcome.UNKNOWN


async def test_what_a_node_says_instead_of_answers_to_a_broadcast_is_no_refusal():
    nodes = three()[:2]
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.check()
    nodes[0].sends = lambda raw: error(-32_000, "intrinsic gas too low")
    nodes[1].rewrite = lambda _: error(-32_600, "rlp: batch refused")
    (answer,) = await Node(Rpc(pool), PROFILE).send_raw([b"\x00"])
    assert answer.outcome is SendOutcome.UNKNOWN


async def test_a_broadcast_that_one_refuses_and_one_never_got_is_refused():
    nodes = three()[:2]
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.check()
    nodes[0].sends = lambda raw: error(-32_000, "intrinsic gas too low")
    nodes[1].fails_with = NotSentError("refused")
    (answer,) = await Node(Rpc(pool), PROFILE).send_raw([b"\x00"])
    assert answer.outcome is SendOutcome.REJECTED


async def test_a_broadcast_that_nobody_answers_is_ambiguous_and_one_that_never_left_is_not():
    nodes = three()[:2]
    pool, *_ = pool_of(PROFILE, nodes)
    await pool.check()
    for node in nodes:
        node.fails_with = LostError("HTTP 504")
    with pytest.raises(Ambiguous):
        await pool.submit(SENDS)
    for node in nodes:
        node.fails_with = NotSentError("refused")
    with pytest.raises(Transient):
        await pool.submit(SENDS)


class Slow(ModelNode):
    """Answers a broadcast when it is let."""

    def __init__(self, name):
        super().__init__(name)
        self.began, self.let, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def post(self, body, timeout_seconds):
        if b"eth_sendRawTransaction" in body:
            self.began.set()
            await self.let.wait()
        answer = await super().post(body, timeout_seconds)
        if self.let.is_set():
            self.ended.set()
        return answer


async def test_a_broadcast_that_one_took_does_not_wait_for_a_node_that_hangs(monkeypatch):
    monkeypatch.setattr("holdfast.chain.broadcast.LATE_ANSWER_SECONDS", 0.01)
    slow, quick = Slow("n1"), ModelNode("n2")
    pool, *_ = pool_of(PROFILE, [slow, quick])
    await pool.submit(SENDS)
    assert (slow.sent, quick.sent) == ([], ["0x0", "0x1"])
    slow.let.set()
    await asyncio.wait_for(slow.ended.wait(), 1)
    assert slow.sent == ["0x0", "0x1"]  # it was not called back
    await pool.close()


async def test_raw_transactions_go_to_the_private_route_alone_and_reads_never_do():
    public, private = ModelNode("n1"), ModelNode("p1")
    pool, *_ = pool_of(PROFILE, [public], [private])
    await pool.submit(SENDS)
    assert (public.sent, private.sent) == ([], ["0x0", "0x1"])
    assert await asked(pool) == "n1"


async def test_without_its_private_route_nothing_is_sent_anywhere():
    public, private = ModelNode("n1"), ModelNode("p1")
    private.fails_with = NotSentError("refused")
    pool, *_ = pool_of(PROFILE, [public], [private])
    with pytest.raises(Transient):
        await pool.submit(SENDS)
    assert public.sent == []


async def test_figures_are_kept_by_endpoint():
    nodes = three(n2=98)
    pool, _, registry = pool_of(PROFILE, nodes)
    await asked(pool)
    nodes[0].fails_with = TimedOutError("slow")
    await asked(pool)

    def figure(name, endpoint, **labels):
        return registry.get_sample_value(name, {"endpoint": f"http://{endpoint}", **labels})

    assert figure("holdfast_rpc_requests_total", "n2") == 6  # head, identity, settled, the read
    assert figure("holdfast_rpc_errors_total", "n1", kind="timeout") == 1
    assert figure("holdfast_rpc_exchange_seconds_count", "n1") == 4
    assert figure("holdfast_rpc_endpoint_used", "n1") == 0
    assert figure("holdfast_rpc_endpoint_used", "n2") == 1
    assert figure("holdfast_rpc_lag_blocks", "n2") == 2
    assert figure("holdfast_rpc_circuit_openings_total", "n1", trouble="unreachable") == 1


async def test_closing_gives_up_what_is_under_way():
    slow = Slow("n1")
    pool, *_ = pool_of(PROFILE, [slow])
    send = asyncio.create_task(pool.submit(SENDS))
    await slow.began.wait()
    await pool.close()
    assert slow.closed
    with pytest.raises((asyncio.CancelledError, Transient)):
        await send
