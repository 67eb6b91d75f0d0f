"""One chain through one node: every read is pinned, and what cannot be known is not guessed."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode as general

from holdfast.chain import abi
from holdfast.chain.bundles import bundle
from holdfast.chain.endpoint import Endpoint
from holdfast.chain.multicall import Read, Reverted
from holdfast.chain.node import BlockTag, Node
from holdfast.chain.profiles import ChainProfile, FeeModel, ProfileKind
from holdfast.chain.rpc import MAX_BATCH, Rpc
from holdfast.chain.sending import SendOutcome
from holdfast.chain.transport import LostError, NotSentError
from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.evm import BlockHash, BlockRef, checksummed, keccak256
from holdfast.common.ids import ChainId
from holdfast.common.money import Token
from tests.support.fake_node import FakeTransport, error, result

GENESIS, HASH, PARENT = ("0x" + digit * 64 for digit in "abc")
TX = "0x" + "d" * 64
MULTICALL3, ALICE, BOB = (checksummed(bytes([number]) * 20) for number in (1, 2, 3))
AT = BlockRef(7, BlockHash(HASH), 1_700_000_000)
ONE = (1).to_bytes(32)
PIN = {"blockHash": HASH, "requireCanonical": True}
BLOCK = {
    "number": "0x7",
    "hash": HASH,
    "parentHash": PARENT,
    "timestamp": hex(1_700_000_000),
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x5208",
    "baseFeePerGas": "0x7",
    "transactions": [TX],
}
RECEIPT = {
    "transactionHash": TX,
    "blockHash": HASH,
    "from": ALICE,
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x7",
    "logs": [],
}
PROFILE = ChainProfile(
    chain_id=ChainId(138),
    name="devnet",
    kind=ProfileKind.DEVNET,
    rpc_urls=(),
    native=Token(ChainId(138), "ETH", 18),
    confirmations=1,
    block_time_seconds=0,
    fee_model=FeeModel.EIP1559,
    gas_price_ceiling_wei=10**9,
    genesis_hash=BlockHash(GENESIS),
    multicall3=MULTICALL3,
)


def node_of(profile=PROFILE, **methods):
    transport = FakeTransport(**methods)
    return Node(Rpc(Endpoint(transport)), profile), transport


def identity(genesis=GENESIS, version="anvil/v1"):
    return {
        "eth_chainId": lambda: result("0x8a"),
        "eth_getBlockByNumber": lambda number, full: result(BLOCK | {"hash": genesis}),
        "web3_clientVersion": lambda: result(version),
    }


async def test_a_node_of_the_profiles_chain_is_taken_in_one_exchange():
    node, transport = node_of(**identity())
    await node.connect()
    assert transport.exchanges == 1


async def test_a_node_of_another_chain_with_the_same_id_is_refused():
    node, _ = node_of(**identity(genesis=PARENT))
    with pytest.raises(Rejected) as caught:
        await node.connect()
    assert caught.value.code == "node.genesis"


async def test_a_node_that_will_not_name_itself_is_not_taken():
    node, _ = node_of(
        **identity() | {"web3_clientVersion": lambda: error(-32_601, "no such method")}
    )
    with pytest.raises(Broken):
        await node.connect()


async def test_a_head_is_asked_for_by_how_settled_it_must_be():
    node, transport = node_of(eth_getBlockByNumber=lambda tag, full: result(BLOCK))
    head = await node.head(BlockTag.FINALIZED)
    assert head.ref == AT
    assert transport.asked == [("eth_getBlockByNumber", ["finalized", False])]


async def test_a_block_the_node_does_not_have_yet_is_transient():
    node, _ = node_of(eth_getBlockByNumber=lambda tag, full: result(None))
    with pytest.raises(Transient) as caught:
        await node.block(9)
    assert caught.value.code == "chain.block_missing"


async def test_receipts_are_asked_for_by_the_blocks_hash():
    node, transport = node_of(eth_getBlockReceipts=lambda block: result([RECEIPT]))
    (receipt,) = await node.receipts(AT)
    assert receipt.block == AT
    assert transport.asked == [("eth_getBlockReceipts", [HASH])]


async def test_every_transaction_of_a_block_is_told_with_who_sent_it_and_at_which_nonce():
    entry = {
        "hash": TX,
        "blockHash": HASH,
        "from": "0x" + "11" * 20,
        "to": None,
        "nonce": "0x5",
        "value": "0x2a",
        "input": "0x0102030405",
    }
    node, transport = node_of(
        eth_getBlockByHash=lambda block, full: result(BLOCK | {"transactions": [entry]})
    )
    (found,) = await node.transactions(AT)
    assert (found.tx_hash, found.nonce, found.value_wei, found.block) == (TX, 5, 42, AT)
    assert found.sender.lower() == "0x" + "11" * 20
    assert found.target is None
    assert found.selector == b"\x01\x02\x03\x04"
    assert transport.asked == [("eth_getBlockByHash", [HASH, True])]


async def test_a_transaction_of_another_block_is_not_believed():
    entry = {"hash": TX, "blockHash": PARENT, "from": "0x" + "11" * 20, "to": None}
    node, _ = node_of(
        eth_getBlockByHash=lambda block, full: result(BLOCK | {"transactions": [entry]})
    )
    with pytest.raises(Transient) as caught:
        await node.transactions(AT)
    assert caught.value.code == "chain.reorged"


async def test_a_block_comes_with_its_receipts_in_one_exchange():
    node, transport = node_of(
        eth_getBlockByNumber=lambda tag, full: result(BLOCK),
        eth_getBlockReceipts=lambda block: result([RECEIPT]),
    )
    block = await node.block_receipts(7)
    assert block.head.ref == AT
    assert [receipt.tx_hash for receipt in block.receipts] == [TX]
    assert transport.exchanges == 1


@pytest.mark.parametrize("entries", [[], [RECEIPT | {"transactionHash": PARENT}]])
async def test_receipts_of_another_fork_than_the_head_are_not_taken(entries):
    node, _ = node_of(
        eth_getBlockByNumber=lambda tag, full: result(BLOCK),
        eth_getBlockReceipts=lambda block: result(entries),
    )
    with pytest.raises(Transient) as caught:
        await node.block_receipts(7)
    assert caught.value.code == "chain.reorged"


async def test_a_run_of_blocks_comes_in_one_exchange_and_in_order():
    def block(number, full):
        return result(
            BLOCK | {"number": number, "transactions": [], "hash": "0x" + number[2:] * 64}
        )

    node, transport = node_of(
        eth_getBlockByNumber=block, eth_getBlockReceipts=lambda number: result([])
    )
    blocks = await node.blocks(7, 9)
    assert [one.head.ref.number for one in blocks] == [7, 8, 9]
    assert transport.exchanges == 1


async def test_a_run_that_reaches_past_the_head_is_transient():
    node, _ = node_of(
        eth_getBlockByNumber=lambda number, full: result(BLOCK if number == "0x7" else None),
        eth_getBlockReceipts=lambda number: result([RECEIPT] if number == "0x7" else None),
    )
    with pytest.raises(Transient) as caught:
        await node.blocks(7, 8)
    assert caught.value.code == "chain.block_missing"


async def test_mined_receipts_are_found_by_hash_and_the_others_left_out():
    node, _ = node_of(
        eth_getTransactionReceipt=lambda one: result(
            RECEIPT | {"blockNumber": "0x7"} if one == TX else None
        ),
        eth_getBlockByNumber=lambda number, full: result(BLOCK),
    )
    (receipt,) = await node.find_receipts([TX, PARENT])
    assert (receipt.tx_hash, receipt.block) == (TX, AT)
    assert await node.find_receipts([PARENT]) == []


async def test_a_receipt_whose_block_is_no_longer_canonical_is_not_taken():
    node, _ = node_of(
        eth_getTransactionReceipt=lambda one: result(RECEIPT | {"blockNumber": "0x7"}),
        eth_getBlockByNumber=lambda number, full: result(BLOCK | {"hash": PARENT}),
    )
    with pytest.raises(Transient) as caught:
        await node.find_receipts([TX])
    assert caught.value.code == "chain.reorged"


async def test_a_node_that_cannot_say_whether_it_is_mined_raises():
    node, _ = node_of(eth_getTransactionReceipt=lambda one: error(-32_000, "busy"))
    with pytest.raises(Transient):
        await node.find_receipts([TX])


def aggregate(*answers, timestamp=AT.timestamp):
    """Multicall3's answer; the first read is always the time of the block that it is read from."""
    whole = ((True, timestamp.to_bytes(32)), *answers)
    return result("0x" + general(["(bool,bytes)[]"], [whole]).hex())


async def test_reads_are_one_call_to_multicall_pinned_by_hash():
    number = (42).to_bytes(32)
    node, transport = node_of(eth_call=lambda call, at: aggregate((True, number), (False, b"")))
    reads = [Read(ALICE, b"", abi.uint), Read(BOB, b"", abi.uint, allow_failure=True)]
    assert await node.read(reads, AT) == [42, Reverted("reverted without a reason", b"")]
    ((method, (call, pin)),) = transport.asked
    assert (method, call["to"], pin) == ("eth_call", MULTICALL3, PIN)


async def test_reads_past_the_gas_of_one_call_go_out_as_two_in_one_exchange():
    node, transport = node_of(eth_call=lambda call, at: aggregate((True, ONE)))
    assert await node.read([Read(ALICE, b"", abi.uint, gas=15_000_000)] * 2, AT) == [1, 1]
    assert (len(transport.asked), transport.exchanges) == (2, 1)


async def test_an_answer_from_another_block_is_asked_for_again():
    answers = [aggregate((True, bytes(32)), timestamp=AT.timestamp + 1), aggregate((True, ONE))]
    node, _ = node_of(eth_call=lambda call, at: answers.pop(0))
    assert await node.read([Read(ALICE, b"", abi.uint)], AT) == [1]


async def test_a_node_that_keeps_answering_from_another_block_is_transient():
    other = aggregate((True, ONE), timestamp=AT.timestamp + 1)
    node, transport = node_of(eth_call=lambda call, at: other)
    with pytest.raises(Transient) as caught:
        await node.read([Read(ALICE, b"", abi.uint)], AT)
    assert (caught.value.code, transport.exchanges) == ("chain.other_block", 2)


async def test_bundles_are_one_call_pinned_by_hash_and_get_their_own_words():
    words = [(True, n.to_bytes(32)) for n in (5, 6, 7)]
    node, transport = node_of(eth_call=lambda call, at: aggregate(*words))
    bundles = [bundle([Read(ALICE, b"", abi.uint)] * n) for n in (1, 2)]
    assert await node.read_bundles(bundles, AT) == [[5], [6, 7]]
    ((method, (call, pin)),) = transport.asked
    assert (method, call["to"], pin) == ("eth_call", MULTICALL3, PIN)


async def test_bundles_answered_from_another_block_are_asked_for_again():
    answers = [aggregate((True, ONE), timestamp=AT.timestamp + 1), aggregate((True, ONE))]
    node, _ = node_of(eth_call=lambda call, at: answers.pop(0))
    assert await node.read_bundles([bundle([Read(ALICE, b"", abi.uint)])], AT) == [[1]]


async def test_a_read_that_reverts_once_only_is_no_revert():
    answers = [aggregate((False, b"")), aggregate((True, ONE))]
    node, _ = node_of(eth_call=lambda call, at: answers.pop(0))
    assert await node.read([Read(ALICE, b"", abi.uint)], AT) == [1]


async def test_a_read_that_reverts_again_is_rejected():
    node, transport = node_of(eth_call=lambda call, at: aggregate((False, b"")))
    with pytest.raises(Rejected) as caught:
        await node.read([Read(ALICE, b"", abi.uint)], AT)
    assert (caught.value.code, transport.exchanges) == ("chain.read_reverted", 2)


async def test_a_read_at_a_block_that_was_reorged_away_is_transient():
    node, _ = node_of(eth_call=lambda call, at: error(-32_000, "hash is not currently canonical"))
    with pytest.raises(Transient) as caught:
        await node.read([Read(ALICE, b"", abi.uint)], AT)
    assert caught.value.code == "chain.block_gone"


@pytest.mark.parametrize(
    "fault",
    [
        error(3, "execution reverted"),
        error(-32_000, "Execution reverted", "0xdeadbeef"),  # Besu
        error(-32_000, "out of gas"),
    ],
)
async def test_a_call_that_fails_at_any_block_is_not_taken_for_a_reorg(fault):
    node, _ = node_of(eth_call=lambda call, at: fault)
    with pytest.raises(Rejected) as caught:
        await node.read([Read(ALICE, b"", abi.uint)], AT)
    assert caught.value.code == "rpc.reverted"


async def test_a_method_the_node_does_not_serve_is_broken():
    node, _ = node_of()
    with pytest.raises(Broken) as caught:
        await node.nonces([ALICE], AT)
    assert caught.value.code == "rpc.unsupported"


async def test_balances_are_by_account():
    node, _ = node_of(
        eth_call=lambda call, at: aggregate(*((True, n.to_bytes(32)) for n in (5, 6)))
    )
    assert await node.native_balances([ALICE, BOB], AT) == {ALICE: 5, BOB: 6}


async def test_nonces_are_by_account_and_pinned():
    node, transport = node_of(
        eth_getTransactionCount=lambda account, at: result("0x9" if account == ALICE else "0x0")
    )
    assert await node.nonces([ALICE, BOB], AT) == {ALICE: 9, BOB: 0}
    assert all(params[1] == PIN for _, params in transport.asked)


async def test_an_account_without_code_has_no_code_hash():
    node, _ = node_of(
        eth_getCode=lambda account, at: result("0x6001" if account == ALICE else "0x")
    )
    expected = "0x" + keccak256(b"\x60\x01").hex()
    assert await node.code_hashes([ALICE, BOB], AT) == {ALICE: expected, BOB: ""}


async def test_sends_are_answered_one_by_one_in_one_exchange():
    answers = {"0x01": result(TX), "0x02": error(-32_003, "nonce too low")}
    node, transport = node_of(eth_sendRawTransaction=lambda raw: answers[raw])
    first, second = await node.send_raw([b"\x01", b"\x02"])
    assert first.outcome is SendOutcome.ACCEPTED
    assert second.outcome is SendOutcome.NONCE_TOO_LOW
    assert transport.exchanges == 1


@pytest.mark.parametrize("failure", [LostError("TimeoutError"), NotSentError("refused")])
async def test_a_send_that_nobody_answered_has_an_unknown_outcome(failure):
    node, transport = node_of()
    transport.fails_with = failure
    (answer,) = await node.send_raw([b"\x01"])
    assert answer.outcome is SendOutcome.UNKNOWN
    assert str(failure) in answer.text


async def test_answers_of_one_part_survive_that_the_next_is_lost():
    class DiesLater(FakeTransport):
        async def post(self, body, timeout_seconds):
            if self.exchanges == 1:
                raise LostError("dropped")
            return await super().post(body, timeout_seconds)

    node = Node(Rpc(Endpoint(DiesLater(eth_sendRawTransaction=lambda raw: result(TX)))), PROFILE)
    answers = await node.send_raw([b"\x01"] * (MAX_BATCH + 1))
    outcomes = [answer.outcome for answer in answers]
    assert outcomes == [SendOutcome.ACCEPTED] * MAX_BATCH + [SendOutcome.UNKNOWN]


@pytest.mark.parametrize(
    ("model", "tip"), [(FeeModel.EIP1559, 3), (FeeModel.LEGACY, 5), (FeeModel.ZERO_GAS, 0)]
)
async def test_the_tip_follows_the_chains_fee_model(model, tip):
    node, _ = node_of(
        replace(PROFILE, fee_model=model),
        eth_maxPriorityFeePerGas=lambda: result("0x3"),
        eth_gasPrice=lambda: result("0x5"),
    )
    assert await node.suggest_tip_wei() == tip


async def test_closing_closes_the_connections():
    node, transport = node_of()
    await node.close()
    assert transport.closed
