"""A node's JSON for blocks and receipts, parsed by hand into the shared EVM values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from holdfast.chain.abi import address_of_hex
from holdfast.common.errors import Broken, Transient
from holdfast.common.evm import Address, BlockHash, BlockRef, EventLog, Receipt, TxHash

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = "Mapping[str, Any]"

MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What reading JSON of another shape than expected raises."""


@dataclass(frozen=True, slots=True)
class Head:
    """One block without its body; `base_fee_wei` is 0 on chains without a base fee."""

    ref: BlockRef
    parent: BlockHash
    base_fee_wei: int
    gas_limit: int
    gas_used: int


@dataclass(frozen=True, slots=True)
class Block:
    """One block and the receipts of all its transactions, read as of the same hash."""

    head: Head
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """One entry of an authorization list; it counts only where its signer's count fits.

    Source: EIP-7702.
    """

    chain_id: int
    target: Address
    nonce: int
    y_parity: int
    r: int
    s: int


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """One transaction in a block, whoever sent it; `target` is None where it made a contract."""

    tx_hash: TxHash
    sender: Address
    nonce: int
    target: Address | None
    value_wei: int
    selector: bytes
    block: BlockRef
    authorizations: tuple[Authorization, ...] = ()


def parse_head(block: Json) -> Head:
    """The head of a block as `eth_getBlockByNumber` gives it.

    Raises:
        Broken: `chain.bad_answer` when a field is missing or no number.
    """
    try:
        return Head(
            ref=BlockRef(
                int(block["number"], 16), _lower(block["hash"]), int(block["timestamp"], 16)
            ),
            parent=_lower(block["parentHash"]),
            base_fee_wei=int(block.get("baseFeePerGas") or "0x0", 16),
            gas_limit=int(block["gasLimit"], 16),
            gas_used=int(block["gasUsed"], 16),
        )
    except MALFORMED as error:
        raise Broken("chain.bad_answer", f"the node's block is malformed: {error!r}") from error


def parse_receipts(entries: list[Json], block: BlockRef) -> tuple[Receipt, ...]:
    """The receipts of `block` as `eth_getBlockReceipts` gives them.

    Raises:
        Broken: `chain.bad_answer` when a field is missing.
        Transient: `chain.reorged` when a receipt is of another block.
    """
    try:
        return tuple([_receipt(entry, block) for entry in entries])
    except MALFORMED as error:
        raise Broken("chain.bad_answer", f"the node's receipt is malformed: {error!r}") from error


def parse_transactions(block: Json, at: BlockRef) -> tuple[MinedTransaction, ...]:
    """The transactions of the block `at`, given whole, in order.

    Raises:
        Broken: `chain.bad_answer` when a field is missing.
        Transient: `chain.reorged` when one is of another block.
    """
    try:
        return tuple([_transaction(entry, at) for entry in block["transactions"]])
    except MALFORMED as error:
        raise Broken(
            "chain.bad_answer", f"the node's transaction is malformed: {error!r}"
        ) from error


def parse_log(entry: Json) -> EventLog:
    """One log entry; one of `MALFORMED` when it is."""
    return EventLog(
        address=address_of_hex(entry["address"]),
        topics=tuple([bytes.fromhex(topic[2:]) for topic in entry["topics"]]),
        data=bytes.fromhex(entry["data"][2:]),
        log_index=int(entry["logIndex"], 16),
    )


def _transaction(entry: Json, at: BlockRef) -> MinedTransaction:
    _require_of(at, entry)
    target = entry["to"]
    return MinedTransaction(
        tx_hash=TxHash(entry["hash"].lower()),
        sender=address_of_hex(entry["from"]),
        nonce=int(entry["nonce"], 16),
        target=None if target is None else address_of_hex(target),
        value_wei=int(entry["value"], 16),
        selector=bytes.fromhex(entry["input"][2:10]),
        block=at,
        authorizations=tuple(map(_authorization, entry.get("authorizationList") or ())),
    )


def _authorization(entry: Json) -> Authorization:
    return Authorization(
        chain_id=int(entry["chainId"], 16),
        target=address_of_hex(entry["address"]),
        nonce=int(entry["nonce"], 16),
        y_parity=int(entry["yParity"], 16),
        r=int(entry["r"], 16),
        s=int(entry["s"], 16),
    )


def _receipt(entry: Json, block: BlockRef) -> Receipt:
    _require_of(block, entry)
    return Receipt(
        tx_hash=TxHash(entry["transactionHash"].lower()),
        block=block,
        sender=address_of_hex(entry["from"]),
        succeeded=entry["status"] == "0x1",
        gas_used=int(entry["gasUsed"], 16),
        effective_gas_price_wei=int(entry["effectiveGasPrice"], 16),
        logs=tuple([parse_log(log) for log in entry["logs"]]),
    )


def _require_of(block: BlockRef, entry: Json) -> None:
    if _lower(entry["blockHash"]) != block.hash:
        # Another branch's: the chain changed between two answers, or two nodes disagree.
        raise Transient(
            "chain.reorged",
            f"what is of block {entry['blockHash']} came for block {block.hash}",
            block=block.number,
        )


def _lower(text: str) -> BlockHash:
    return BlockHash(text.lower())
