"""Blocks and receipts as nodes write them."""

import pytest

from holdfast.chain.receipts import parse_head, parse_receipts, parse_transactions
from holdfast.common.errors import Broken, Transient
from holdfast.common.evm import Address, BlockHash, BlockRef, EventLog, Receipt, TxHash

HASH, PARENT, TX = "0x" + "aB" * 32, "0x" + "01" * 32, "0x" + "cd" * 32
REF = BlockRef(16, BlockHash(HASH.lower()), 1_700_000_000)
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"

BLOCK = {
    "number": "0x10",
    "hash": HASH,
    "parentHash": PARENT,
    "timestamp": hex(1_700_000_000),
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x5208",
    "baseFeePerGas": "0x7",
}
ENTRY = {
    "transactionHash": TX,
    "blockHash": HASH,
    "from": WETH.lower(),
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x3b9aca00",
    "logs": [
        {"address": WETH.lower(), "topics": ["0x" + "0f" * 32], "data": "0x0102", "logIndex": "0x3"}
    ],
}


def test_a_head_is_read_with_its_hash_in_lower_case():
    head = parse_head(BLOCK)
    assert head.ref == REF
    assert (head.parent, head.base_fee_wei) == (PARENT, 7)
    assert (head.gas_limit, head.gas_used) == (30_000_000, 21_000)


@pytest.mark.parametrize("without", [{}, {"baseFeePerGas": None}])
def test_a_chain_without_a_base_fee_has_none(without):
    block = {key: value for key, value in BLOCK.items() if key != "baseFeePerGas"} | without
    assert parse_head(block).base_fee_wei == 0


def test_a_receipt_is_read_whole():
    (receipt,) = parse_receipts([ENTRY], REF)
    log = EventLog(Address(WETH), (b"\x0f" * 32,), b"\x01\x02", 3)
    assert receipt == Receipt(
        tx_hash=TxHash(TX),
        block=REF,
        sender=Address(WETH),
        succeeded=True,
        gas_used=21_000,
        effective_gas_price_wei=10**9,
        logs=(log,),
    )
    assert receipt.fee_wei == 21_000 * 10**9


def test_a_reverted_transaction_did_not_succeed():
    (receipt,) = parse_receipts([ENTRY | {"status": "0x0", "logs": []}], REF)
    assert not receipt.succeeded
    assert receipt.logs == ()


OTHER = BlockRef(16, BlockHash("0x" + "ee" * 32), 1_700_000_000)


def test_a_receipt_of_another_block_is_a_reorg_or_a_node_that_disagrees_and_ends_nothing():
    with pytest.raises(Transient) as caught:
        parse_receipts([ENTRY], OTHER)
    assert caught.value.code == "chain.reorged"


def test_a_transaction_of_another_block_is_one_too():
    with pytest.raises(Transient) as caught:
        parse_transactions({"transactions": [{"blockHash": HASH}]}, OTHER)
    assert caught.value.code == "chain.reorged"


@pytest.mark.parametrize("block", [BLOCK | {"hash": None}, BLOCK | {"number": 16}, [], "0x10"])
def test_a_block_of_another_shape_is_refused(block):
    with pytest.raises(Broken) as caught:
        parse_head(block)
    assert caught.value.code == "chain.bad_answer"


@pytest.mark.parametrize("key", sorted(BLOCK.keys() - {"baseFeePerGas"}))
def test_a_block_without_a_field_is_refused(key):
    with pytest.raises(Broken) as caught:
        parse_head({name: value for name, value in BLOCK.items() if name != key})
    assert caught.value.code == "chain.bad_answer"


@pytest.mark.parametrize("key", sorted(ENTRY.keys()))
def test_a_receipt_without_a_field_is_refused(key):
    with pytest.raises(Broken):
        parse_receipts([{name: value for name, value in ENTRY.items() if name != key}], REF)
