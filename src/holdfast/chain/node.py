"""One chain through one node: heads, pinned reads, receipts, simulation and sends.

Everything that a decision reads is pinned to one block by hash (EIP-1898, canonical only), so a
reorg between two reads is an error and never a mixture of two histories.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from holdfast.chain.blocks import (
    find_receipts,
    head_of,
    head_request,
    present,
    read_blocks,
    read_heads,
)
from holdfast.chain.bundles import decode_bundles, encode_bundles
from holdfast.chain.endpoint import Fault, Request
from holdfast.chain.logs import LogPage, MinedLog, read_page, read_span
from holdfast.chain.multicall import (
    block_timestamp,
    decode_aggregate,
    encode_aggregate,
    eth_balance,
    within_gas,
)
from holdfast.chain.pins import OtherBlock, pinned, pinned_error
from holdfast.chain.profiles import ChainProfile, FeeModel, verify_node
from holdfast.chain.receipts import (
    Block,
    Head,
    MinedTransaction,
    parse_receipts,
    parse_transactions,
)
from holdfast.chain.rpc import MAX_BATCH, Rpc
from holdfast.chain.sending import SendAnswer, send_answer, unanswered
from holdfast.chain.simulator import Simulator
from holdfast.common.errors import Ambiguous, Rejected, Transient
from holdfast.common.evm import Address, BlockRef, Receipt, TxHash, keccak256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.bundles import Bundle
    from holdfast.chain.logs import LogFilter
    from holdfast.chain.multicall import Read
    from holdfast.chain.simulation import SimCall, SimResult


class BlockTag(StrEnum):
    """How settled a head must be."""

    LATEST = "latest"
    SAFE = "safe"
    FINALIZED = "finalized"


class Node:
    """The chain of `profile` as the node behind `rpc` shows it; call `connect` first."""

    def __init__(self, rpc: Rpc, profile: ChainProfile) -> None:
        self._rpc = rpc
        self._profile = profile
        self._simulator = Simulator(rpc)

    @property
    def profile(self) -> ChainProfile:
        """The chain that is meant."""
        return self._profile

    async def connect(self) -> None:
        """Check that the node serves the profile's chain.

        Raises:
            Rejected: what `verify_node` finds wrong.
            Transient: `rpc.unreachable` when the node does not answer.
        """
        chain, genesis, version = await self._rpc.results(
            Request("eth_chainId", ()),
            head_request("0x0"),
            Request("web3_clientVersion", ()),
        )
        verify_node(self._profile, int(chain, 16), genesis["hash"], version)

    async def close(self) -> None:
        """Close the connections to the node."""
        await self._rpc.close()

    async def head(self, tag: BlockTag = BlockTag.LATEST) -> Head:
        """The newest block that is as settled as `tag` says."""
        return await self._head(tag, tag)

    async def recheck(self) -> None:
        """Compare the nodes with each other now; those that disagree are asked no more."""
        await self._rpc.check()

    async def block(self, number: int) -> Head:
        """The canonical block `number`.

        Raises:
            Transient: `chain.block_missing` when the node has no such block yet.
        """
        return await self._head(hex(number), number)

    async def receipts(self, at: BlockRef) -> tuple[Receipt, ...]:
        """The receipts of every transaction in the block `at`, in order.

        Raises:
            Transient: `chain.block_missing` when the node does not have the block (any more).
        """
        answer = await self._rpc.call("eth_getBlockReceipts", at.hash)
        return parse_receipts(present(answer, at.number), at)

    async def transactions(self, at: BlockRef) -> tuple[MinedTransaction, ...]:
        """Every transaction in the block `at`, whoever sent it, in order.

        Raises:
            Transient: `chain.block_missing` when the node does not have the block (any more).
        """
        (answer,) = await self._rpc.results(Request("eth_getBlockByHash", (at.hash, True)))
        return parse_transactions(present(answer, at.number), at)

    async def block_receipts(self, number: int) -> Block:
        """The canonical block `number` and its receipts, in one exchange; raises as `blocks`."""
        (block,) = await self.blocks(number, number)
        return block

    async def blocks(self, first: int, last: int) -> list[Block]:
        """The canonical blocks from `first` to `last`, both included, in one exchange.

        Raises:
            Transient: `chain.block_missing`; `chain.reorged` when one changed in between.
        """
        return await read_blocks(self._rpc, first, last)

    async def logs(self, first: int, last: int, filters: Sequence[LogFilter]) -> LogPage:
        """The blocks from `first` to `last` with their logs; raises as `read_page`."""
        return await read_page(self._rpc, first, last, filters)

    async def span(
        self, first: int, last: int, filters: Sequence[LogFilter]
    ) -> tuple[Head, tuple[MinedLog, ...]]:
        """The logs from block `first` to `last`, and the head of `last`; raises as `read_page`."""
        return await read_span(self._rpc, first, last, filters)

    async def heads(self, numbers: Sequence[int]) -> list[Head]:
        """The canonical blocks with these numbers; `chain.block_missing` without one."""
        return await read_heads(self._rpc, numbers)

    async def find_receipts(self, hashes: Sequence[TxHash]) -> list[Receipt]:
        """The receipts of those of the transactions that this node shows as mined.

        That one is missing proves nothing: another node, or this one later, may have it.

        Raises:
            Transient: `chain.reorged` when a block changed in between.
        """
        return await find_receipts(self._rpc, hashes)

    async def read(self, reads: Sequence[Read[Any]], at: BlockRef) -> list[Any]:
        """The answers of `reads` at block `at`, in their order, in one exchange.

        A read with `allow_failure` that reverts answers `Reverted`.

        Raises:
            Rejected: `chain.read_reverted` when another read reverts.
            Transient: `chain.block_gone` when the block is not canonical (any more),
                `chain.other_block` when the node answers from another one.
        """
        try:
            return await self._read(reads, at)
        except (OtherBlock, Rejected):
            # While it mines, anvil answers reads of its newest block from a mixture of that one
            # and the next. Asked again the block is an older one, which it answers exactly.
            return await self._read(reads, at)

    async def _read(self, reads: Sequence[Read[Any]], at: BlockRef) -> list[Any]:
        target = self._profile.require_multicall3()
        parts = [(block_timestamp(target), *part) for part in within_gas(reads)]
        calls = [{"to": target, "input": "0x" + encode_aggregate(part).hex()} for part in parts]
        answers = await self._at("eth_call", [(call,) for call in calls], at)
        values: list[Any] = []
        for part, answer in zip(parts, answers, strict=True):
            timestamp, *found = decode_aggregate(part, bytes.fromhex(answer[2:]))
            if timestamp != at.timestamp:
                raise OtherBlock(at, timestamp)
            values += found
        return values

    async def read_bundles(self, bundles: Sequence[Bundle], at: BlockRef) -> list[list[int]]:
        """The words of each bundle at block `at`, in the order of its reads; raises as `read`."""
        try:
            return await self._read_bundles(bundles, at)
        except (OtherBlock, Rejected):  # as in `read`
            return await self._read_bundles(bundles, at)

    async def _read_bundles(self, bundles: Sequence[Bundle], at: BlockRef) -> list[list[int]]:
        target = self._profile.require_multicall3()
        stamp = block_timestamp(target)
        parts = list(within_gas(bundles))
        inputs = ["0x" + encode_bundles(stamp, part).hex() for part in parts]
        answers = await self._at(
            "eth_call", [({"to": target, "input": one},) for one in inputs], at
        )
        found: list[list[int]] = []
        for part, answer in zip(parts, answers, strict=True):
            timestamp, words = decode_bundles(stamp, part, bytes.fromhex(answer[2:]))
            if timestamp != at.timestamp:
                raise OtherBlock(at, timestamp)
            found += words
        return found

    async def native_balances(
        self, accounts: Sequence[Address], at: BlockRef
    ) -> dict[Address, int]:
        """The native balance of each account at block `at`, in wei."""
        target = self._profile.require_multicall3()
        values = await self.read([eth_balance(target, account) for account in accounts], at)
        return dict(zip(accounts, values, strict=True))

    async def nonces(self, accounts: Sequence[Address], at: BlockRef) -> dict[Address, int]:
        """How many transactions of each account the chain had mined by block `at`."""
        answers = await self._at("eth_getTransactionCount", [(one,) for one in accounts], at)
        return {one: int(answer, 16) for one, answer in zip(accounts, answers, strict=True)}

    async def code_hashes(self, contracts: Sequence[Address], at: BlockRef) -> dict[Address, str]:
        """The keccak-256 of each contract's code as 0x text; empty text where there is no code."""
        answers = await self._at("eth_getCode", [(one,) for one in contracts], at)
        return {one: _code_hash(answer) for one, answer in zip(contracts, answers, strict=True)}

    async def send_raw(self, transactions: Sequence[bytes]) -> list[SendAnswer]:
        """Hand signed transactions to the node, in order; never raises for what the node does.

        The outcome is `unknown` wherever the chain has to tell whether it was taken.
        """
        answers: list[SendAnswer] = []
        for start in range(0, len(transactions), MAX_BATCH):
            answers += await self._send_part(transactions[start : start + MAX_BATCH])
        return answers

    async def simulate(
        self, steps: Sequence[SimCall], at: BlockRef, *, timestamp: int | None = None
    ) -> list[SimResult]:
        """What each call would do in the block after `at`, one after the other.

        Args:
            steps: the calls in the order in which they would be mined.
            at: the block on which they build.
            timestamp: of the simulated block, in seconds; one second after `at` when not given.

        Raises:
            Transient: `chain.block_gone` when the block is not canonical (any more).
        """
        time = at.timestamp + 1 if timestamp is None else timestamp
        return await self._simulator.simulate(steps, at, time)

    async def suggest_tip_wei(self) -> int:
        """The tip the node suggests, in wei per gas: the whole price on a legacy chain, 0 if free.

        A suggestion only; the caller's ceiling bounds it.
        """
        match self._profile.fee_model:
            case FeeModel.EIP1559:
                return int(await self._rpc.call("eth_maxPriorityFeePerGas"), 16)
            case FeeModel.LEGACY:
                return int(await self._rpc.call("eth_gasPrice"), 16)
            case FeeModel.ZERO_GAS:
                return 0

    async def _head(self, where: str, wanted: int | str) -> Head:
        (answer,) = await self._rpc.results(head_request(where))
        return head_of(answer, wanted)

    async def _send_part(self, transactions: Sequence[bytes]) -> list[SendAnswer]:
        requests = [Request("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in transactions]
        try:
            return [send_answer(answer) for answer in await self._rpc.submit(requests)]
        except (Ambiguous, Transient) as error:
            return unanswered(error.message, len(transactions))

    async def _at(
        self, method: str, arguments: Sequence[tuple[Any, ...]], at: BlockRef
    ) -> list[Any]:
        pin = pinned(at)
        answers = await self._rpc.batch([Request(method, (*one, pin)) for one in arguments])
        for answer in answers:
            if isinstance(answer, Fault):
                raise pinned_error(method, answer, at)
        return answers


def _code_hash(code: str) -> str:
    raw = bytes.fromhex(code[2:])
    return "0x" + keccak256(raw).hex() if raw else ""
