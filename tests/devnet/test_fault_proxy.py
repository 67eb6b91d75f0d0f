"""The misbehaving node is itself tested: each fault is seen from the client's side."""

import asyncio
import contextlib
import json

import aiohttp
import pytest
from eth_account import Account

from holdfast.devnet.accounts import DEVNET_MNEMONIC
from tests.support.fault_answers import Lies
from tests.support.fault_proxy import View, fault_proxy
from tests.support.faults import Fault, Faults

GWEI = 10**9
SOMEBODY = "0x" + "5a" * 20

Account.enable_unaudited_hdwallet_features()
KEY = Account.from_mnemonic(DEVNET_MNEMONIC, account_path="m/44'/60'/3'/0/0")
OTHER = Account.from_mnemonic(DEVNET_MNEMONIC, account_path="m/44'/60'/4'/0/0")


def signed(nonce, cap=50 * GWEI, tip=GWEI, key=KEY, value=1):
    fields = {
        "chainId": 138,
        "nonce": nonce,
        "to": bytes.fromhex(SOMEBODY[2:]),
        "value": value,
        "gas": 21_000,
        "maxFeePerGas": cap,
        "maxPriorityFeePerGas": tip,
    }
    return "0x" + key.sign_transaction(fields).raw_transaction.hex()


class Client:
    """Asks a node as a program would."""

    def __init__(self, session, url):
        self.session, self.url = session, url

    async def batch(self, *requests, seconds=30.0):
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(requests)
        ]
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with self.session.post(self.url, json=body, timeout=timeout) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def ask(self, method, *params):
        (answer,) = await self.batch((method, list(params)))
        return answer.get("result", answer.get("error", {}).get("message"))

    async def send(self, raw):
        return await self.ask("eth_sendRawTransaction", raw)

    async def number(self):
        return int(await self.ask("eth_blockNumber"), 16)

    async def reach(self, nonce, seconds=60):
        """Return when the account's nonce is this: a node answers a send before it mines it."""
        async with asyncio.timeout(seconds):
            while True:
                if await self.nonce() >= nonce:
                    break
                await asyncio.sleep(0.02)
        assert await self.nonce() == nonce

    async def nonce(self, key=KEY):
        return int(await self.ask("eth_getTransactionCount", key.address, "latest"), 16)


@pytest.fixture
async def node(devnet):
    """A node behind the proxy, the proxy, and a client of it."""
    devnet.control.set_balance(KEY.address, 10**20)
    devnet.control.set_balance(OTHER.address, 10**20)
    async with fault_proxy(devnet.url) as proxy, aiohttp.ClientSession() as session:
        yield devnet, proxy, Client(session, proxy.url)


async def is_mined(client, tx_hash, seconds=60):
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                if await client.ask("eth_getTransactionReceipt", tx_hash) is not None:
                    return True
                await asyncio.sleep(0.05)
    return False


async def until_mined(devnet, client, tx_hash):
    """Mine cheap blocks until one holds it: the pool tends to it a few times a second."""
    async with asyncio.timeout(60):
        while not await is_mined(client, tx_hash, seconds=0.3):
            devnet.control.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
            devnet.control.mine()


# A real node's rules


async def test_without_faults_it_is_the_node_behind(node):
    devnet, _, client = node
    assert await client.number() == devnet.control.block_number()
    assert await is_mined(client, await client.send(signed(0)))
    await client.reach(1)


async def test_a_batch_is_mined_in_its_order(node):
    _, _, client = node
    sends = [("eth_sendRawTransaction", [signed(nonce)]) for nonce in range(3)]
    answers = await client.batch(*sends, ("eth_blockNumber", []))
    assert [answer["id"] for answer in answers] == [0, 1, 2, 3]
    assert all("result" in answer for answer in answers)
    await client.reach(3)


async def test_a_nonce_that_was_used_is_too_low(node):
    _, _, client = node
    await client.send(signed(0))
    await client.reach(1)
    assert await client.send(signed(0, value=2)) == "nonce too low"
    assert await client.send(signed(0)) == "nonce too low"


async def test_bytes_that_wait_already_are_already_known(node):
    devnet, _, client = node
    devnet.control.set_manual_mining()
    await client.send(signed(0))
    assert await client.send(signed(0)) == "already known"


@pytest.mark.parametrize(
    ("cap_percent", "tip_percent", "is_taken"),
    [(110, 110, True), (109, 110, False), (110, 109, False), (100, 100, False), (200, 200, True)],
)
async def test_a_replacement_must_offer_a_tenth_more_of_both(
    node, cap_percent, tip_percent, is_taken
):
    devnet, _, client = node
    devnet.control.set_manual_mining()
    await client.send(signed(0, cap=20 * GWEI, tip=2 * GWEI))
    cap, tip = 20 * GWEI * cap_percent // 100, 2 * GWEI * tip_percent // 100
    said = await client.send(signed(0, cap=cap, tip=tip, value=2))
    assert (said == "replacement transaction underpriced") is not is_taken
    devnet.control.mine()
    assert int(await client.ask("eth_getBalance", SOMEBODY, "latest"), 16) == (2 if is_taken else 1)


async def test_what_offers_less_than_the_base_fee_waits_and_is_mined_when_that_falls(node):
    devnet, proxy, client = node
    devnet.control.set_interval(1)
    devnet.control.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(30 * GWEI))
    sent = await client.send(signed(0, cap=5 * GWEI))
    assert (await client.ask("eth_getTransactionByHash", sent))["blockHash"] is None
    devnet.control.mine()
    assert await client.nonce() == 0
    assert len(proxy.pool) == 1
    devnet.control.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    devnet.control.mine()
    devnet.control.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    assert await is_mined(client, sent)


async def test_what_the_base_fee_overtakes_in_the_pool_is_kept(node):
    devnet, proxy, client = node
    devnet.control.set_manual_mining()
    sent = await client.send(signed(0, cap=5 * GWEI))
    for fee in (30 * GWEI, 30 * GWEI):
        devnet.control.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(fee))
        devnet.control.mine()
    assert await client.nonce() == 0
    assert (await client.ask("eth_getTransactionByHash", sent))["hash"] == sent
    await until_mined(devnet, client, sent)
    assert len(proxy.pool) <= 1


async def test_an_evicted_transaction_is_gone_and_can_be_sent_again(node):
    devnet, proxy, client = node
    devnet.control.set_manual_mining()
    first, second = [await client.send(signed(nonce)) for nonce in (0, 1)]
    assert await proxy.pool.evict(first)
    assert await client.ask("eth_getTransactionByHash", first) is None
    assert not await proxy.pool.evict(first)
    assert await client.send(signed(0)) == first
    await until_mined(devnet, client, second)


# What goes wrong with one exchange


async def test_an_answer_dropped_after_delivery_leaves_the_deed_done(node):
    _, proxy, client = node
    proxy.faults.plan(Fault.DROPPED_AFTER)
    with pytest.raises(aiohttp.ClientError):
        await client.send(signed(0))
    await client.reach(1)


async def test_a_request_dropped_before_delivery_does_nothing(node):
    _, proxy, client = node
    proxy.faults.plan(Fault.DROPPED_BEFORE)
    with pytest.raises(aiohttp.ClientError):
        await client.send(signed(0))
    assert await client.nonce() == 0


async def test_a_delayed_answer_comes_late(node):
    _, proxy, client = node
    proxy.view.delay_seconds = 0.3
    proxy.faults.plan(Fault.DELAYED)
    began = asyncio.get_running_loop().time()
    await client.number()
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_a_doubled_request_is_delivered_twice_and_done_once(node):
    _, proxy, client = node
    proxy.faults.plan(Fault.DOUBLED)
    assert await client.send(signed(0)) in {"nonce too low", "already known"}  # mined, or not yet
    await client.reach(1)


async def test_a_truncated_answer_cannot_be_read(node):
    _, proxy, client = node
    proxy.faults.plan(Fault.TRUNCATED)
    with pytest.raises((aiohttp.ClientError, json.JSONDecodeError)):
        await client.number()


@pytest.mark.parametrize(
    ("fault", "status", "nonce"), [(Fault.TOO_MANY, 429, 0), (Fault.BAD_GATEWAY, 502, 1)]
)
async def test_a_status_says_nothing_of_what_was_done(node, fault, status, nonce):
    _, proxy, client = node
    proxy.faults.plan(fault)
    with pytest.raises(aiohttp.ClientResponseError) as raised:
        await client.send(signed(0))
    assert raised.value.status == status
    await client.reach(nonce)


async def test_a_partial_batch_lacks_some_answers(node):
    _, proxy, client = node
    proxy.faults.plan(Fault.PARTIAL)
    answers = await client.batch(*[("eth_blockNumber", [])] * 5)
    assert [answer["id"] for answer in answers] == [0, 2, 4]


async def test_a_half_open_socket_takes_the_request_and_never_answers(node):
    _, proxy, client = node
    proxy.faults.plan(Fault.HALF_OPEN)
    with pytest.raises(TimeoutError):
        await client.batch(("eth_sendRawTransaction", [signed(0)]), seconds=0.5)
    await client.reach(1)


# What may be wrong with a node all the time


async def test_a_stale_node_shows_the_chain_as_it_was(node):
    devnet, proxy, client = node
    await client.send(signed(0))
    await client.reach(1)
    newest = devnet.control.block_number()
    proxy.view.lag_blocks = 1
    proxy.faults.lasting = {Fault.STALE}
    assert await client.number() == newest - 1
    assert int((await client.ask("eth_getBlockByNumber", "latest", False))["number"], 16) == (
        newest - 1
    )
    assert await client.ask("eth_getBlockByNumber", hex(newest), False) is None
    assert await client.ask("eth_getBlockReceipts", hex(newest)) is None
    assert await client.nonce() == 0


async def test_a_forgetful_node_does_not_find_what_is_mined(node):
    _, proxy, client = node
    sent = await client.send(signed(0))
    await client.reach(1)
    proxy.faults.lasting = {Fault.NOT_FOUND}
    assert await client.ask("eth_getTransactionReceipt", sent) is None
    assert await client.ask("eth_getTransactionByHash", sent) is None
    proxy.faults.clear()
    assert await client.ask("eth_getTransactionReceipt", sent) is not None


async def test_a_node_of_another_chain_says_so(node):
    _, proxy, client = node
    proxy.faults.lasting = {Fault.WRONG_CHAIN}
    assert await client.ask("eth_chainId") == "0x1"
    assert await client.ask("net_version") == "1"


async def test_a_node_with_a_wrong_clock_stamps_its_blocks_so(node):
    devnet, proxy, client = node
    proxy.faults.lasting = {Fault.SKEWED}
    block = await client.ask("eth_getBlockByNumber", "latest", False)
    assert int(block["timestamp"], 16) - devnet.control.chain_time() == proxy.view.skew_seconds


async def test_two_nodes_over_one_chain_disagree_about_hashes_and_each_with_itself_agrees(node):
    devnet, _, honest = node
    since = devnet.control.block_number()
    liar = Faults(lasting={Fault.LYING})
    async with fault_proxy(devnet.url, liar, View(lies=Lies(since))) as lying:
        other = Client(honest.session, lying.url)
        sent = await honest.send(signed(0))
        await honest.reach(1)
        await honest.send(signed(1))
        await honest.reach(2)
        told = await honest.ask("eth_getBlockByNumber", hex(since + 1), False)
        lied = await other.ask("eth_getBlockByNumber", hex(since + 1), False)
        after = await other.ask("eth_getBlockByNumber", hex(since + 2), False)
        receipt = await other.ask("eth_getTransactionReceipt", sent)
        assert told["hash"] != lied["hash"] == receipt["blockHash"] == after["parentHash"]
        assert told["parentHash"] == lied["parentHash"]  # they agree up to `since`
        assert receipt["transactionHash"] == sent
        by_hash = await other.ask("eth_getBlockByHash", lied["hash"], False)
        assert by_hash["number"] == lied["number"]


async def test_a_node_that_was_cut_off_refuses_and_comes_back_at_its_address(node):
    _, proxy, client = node
    await client.number()
    await proxy.cut()
    with pytest.raises(aiohttp.ClientError):
        await client.number()  # over the connection that was open
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.number()
    await proxy.restore()
    assert await client.number() > 0


# Dice


async def test_the_same_seed_makes_the_same_faults(node):
    devnet, _, honest = node

    async def suffered(seed):
        faults = Faults(seed, odds={Fault.TOO_MANY: 0.3, Fault.BAD_GATEWAY: 0.2})
        async with fault_proxy(devnet.url, faults) as proxy:
            client, found = Client(honest.session, proxy.url), []
            for _ in range(40):
                try:
                    await client.number()
                    found.append(200)
                except aiohttp.ClientResponseError as error:
                    found.append(error.status)
            return found

    first = await suffered(7)
    assert set(first) == {200, 429, 502}
    assert await suffered(7) == first
    assert await suffered(8) != first


async def test_a_planned_fault_waits_for_its_method(node):
    _, proxy, client = node
    proxy.faults.plan(Fault.TOO_MANY, method="eth_chainId")
    await client.number()
    with pytest.raises(aiohttp.ClientResponseError):
        await client.ask("eth_chainId")
    assert proxy.faults.seen == {Fault.TOO_MANY: 1}


# WebSocket


async def told(socket, seconds=60):
    async with asyncio.timeout(seconds):
        return json.loads((await socket.receive()).data)


async def subscribed(socket):
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
    await socket.send_json(request)
    return (await told(socket))["result"]


async def test_heads_come_over_a_web_socket(node):
    devnet, proxy, client = node
    async with client.session.ws_connect(proxy.ws_url) as socket:
        subscription = await subscribed(socket)
        devnet.control.mine()
        news = (await told(socket))["params"]
        assert news["subscription"] == subscription
        assert int(news["result"]["number"], 16) == devnet.control.block_number()
        await socket.send_json({"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []})
        assert (await told(socket))["result"] == hex(138)


async def test_a_silent_web_socket_stays_open_and_tells_nothing(node):
    devnet, proxy, client = node
    async with client.session.ws_connect(proxy.ws_url) as socket:
        await subscribed(socket)
        proxy.is_silent = True
        devnet.control.mine()
        with pytest.raises(TimeoutError):
            await told(socket, 0.5)
        assert not socket.closed


async def test_a_dropped_web_socket_closes(node):
    _, proxy, client = node
    async with client.session.ws_connect(proxy.ws_url) as socket:
        await subscribed(socket)
        proxy.faults.plan(Fault.DROPPED_AFTER)
        await socket.send_json({"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []})
        message = await socket.receive()
        assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
