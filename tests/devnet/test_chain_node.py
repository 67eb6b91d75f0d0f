"""The chain client on a real node: pinned to one block, and exact about what it knows."""

from dataclasses import replace

import pytest
import pytest_asyncio
from eth_account import Account

from holdfast.chain.multicall import Reverted, block_timestamp, eth_balance
from holdfast.chain.node import BlockTag, Node
from holdfast.chain.profiles import ProfileKind
from holdfast.chain.rpc import Rpc
from holdfast.chain.sending import SendOutcome
from holdfast.chain.simulation import SimCall
from holdfast.common.errors import Rejected, Transient
from holdfast.common.evm import BlockHash, TxHash, checksummed
from holdfast.common.money import WAD
from holdfast.model.leg import Call
from holdfast.protocols.aave_v3.pool import AavePool
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.native import native_transfer
from holdfast.protocols.weth import Weth
from tests.support.actor import ALICE, Actor

NOBODY = checksummed(b"\x77" * 20)
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # anvil's first account


@pytest_asyncio.fixture
async def node(devnet):
    client = Node(Rpc.over_http(devnet.url), devnet.profile)
    await client.connect()
    yield client
    await client.close()


@pytest.fixture
def actor(devnet, node):
    return Actor(devnet, node)


async def test_the_devnet_is_refused_under_a_production_profile(devnet):
    client = Node(Rpc.over_http(devnet.url), replace(devnet.profile, kind=ProfileKind.PRODUCTION))
    with pytest.raises(Rejected) as caught:
        await client.connect()
    await client.close()
    assert caught.value.code == "node.test_node"


async def test_reads_stay_at_their_block_while_the_chain_moves_on(devnet, node, actor):
    token = Erc20(devnet.profile.weth.require_address())
    before = await actor.head()
    await actor.run(Weth(token.address).deposit(3 * WAD))
    after = await actor.head()
    multicall3 = devnet.profile.require_multicall3()
    reads = [token.balance_of(ALICE), block_timestamp(multicall3), eth_balance(multicall3, ALICE)]
    balance_before, time_before, ether_before = await node.read(reads, before)
    balance_after, time_after, ether_after = await node.read(reads, after)
    assert (balance_before, balance_after) == (0, 3 * WAD)
    assert (time_before, time_after) == (before.timestamp, after.timestamp)
    assert ether_before - ether_after > 3 * WAD
    assert await node.native_balances([ALICE], before) == {ALICE: ether_before}
    nonces = [(await node.nonces([ALICE], at))[ALICE] for at in (before, after)]
    assert nonces[1] - nonces[0] == 1


async def test_code_hashes_are_those_the_profile_pins(devnet, node):
    pinned = devnet.profile.code_hashes
    found = await node.code_hashes([*pinned, NOBODY], (await node.head()).ref)
    assert found == {**pinned, NOBODY: ""}


async def test_a_block_that_was_reorged_away_answers_nothing(devnet, node, actor):
    await actor.run(native_transfer(NOBODY, 1))
    gone = await actor.head()
    devnet.control.rpc.call("anvil_reorg", 1, [])
    replaced = await node.block(gone.number)
    assert replaced.ref.hash != gone.hash
    for reading in (
        node.read([Erc20(devnet.profile.usdt.require_address()).total_supply()], gone),
        node.nonces([ALICE], gone),
        node.simulate([SimCall(ALICE, native_transfer(NOBODY, 1), 21_000)], gone),
    ):
        with pytest.raises(Transient) as caught:
            await reading
        assert caught.value.code == "chain.block_gone"
    with pytest.raises(Transient) as caught:
        await node.receipts(gone)
    assert caught.value.code == "chain.block_missing"


async def test_heads_come_by_tag_and_number(node, actor):
    await actor.run(native_transfer(NOBODY, 1))
    latest = await node.head()
    assert await node.block(latest.ref.number) == latest
    finalized = await node.head(BlockTag.FINALIZED)
    assert finalized.ref.number <= (await node.head(BlockTag.SAFE)).ref.number <= latest.ref.number
    with pytest.raises(Transient):
        await node.block(latest.ref.number + 1)


async def test_all_receipts_of_a_block_come_at_once(devnet, node):
    control = devnet.control
    control.set_manual_mining()
    before = (await node.head()).ref.number
    for value in (1, 2, 3):
        request = {"from": ALICE, "to": NOBODY, "value": hex(value)}
        control.rpc.call("eth_sendTransaction", request)
    control.mine()
    block = await node.block_receipts(before + 1)
    assert len(block.receipts) == 3
    assert {receipt.sender for receipt in block.receipts} == {ALICE}
    assert all(receipt.succeeded and receipt.gas_used == 21_000 for receipt in block.receipts)
    assert block.receipts == await node.receipts(block.head.ref)
    assert await node.blocks(before, before + 1) == [await node.block_receipts(before), block]
    hashes = [receipt.tx_hash for receipt in block.receipts]
    found = await node.find_receipts([*hashes[1:], TxHash("0x" + "12" * 32)])
    assert found == list(block.receipts[1:])
    paid = sum(receipt.fee_wei for receipt in block.receipts) + 1 + 2 + 3
    parent = await node.block(before)
    balances = [
        (await node.native_balances([ALICE], at))[ALICE] for at in (parent.ref, block.head.ref)
    ]
    assert balances[0] - balances[1] == paid


async def test_a_reverting_read_is_an_answer_only_where_that_is_allowed(devnet, node):
    at = (await node.head()).ref
    pool = AavePool(devnet.profile.require_aave().pool)
    # The token contract has no getReserveData.
    wrong = AavePool(devnet.profile.weth.require_address()).revision()
    supply = Erc20(devnet.profile.usdt.require_address()).total_supply()
    first, second, third = await node.read(
        [
            pool.revision(),
            replace(wrong, target=pool.address, data=b"\0\0\0\0", allow_failure=True),
            supply,
        ],
        at,
    )
    assert first == 1
    assert isinstance(second, Reverted)
    assert third > 0
    with pytest.raises(Rejected):
        await node.read([replace(wrong, target=pool.address, data=b"\0\0\0\0")], at)


async def test_reads_of_hundreds_of_accounts_stay_under_the_nodes_gas_cap(devnet, node):
    pool = AavePool(devnet.profile.require_aave().pool)
    accounts = [checksummed(number.to_bytes(20)) for number in range(1, 301)]
    answers = await node.read([pool.account(one) for one in accounts], (await node.head()).ref)
    assert len(answers) == 300


class TestSimulation:
    async def test_calls_of_two_senders_build_on_each_other(self, devnet, node, actor):
        weth = devnet.profile.weth.require_address()
        steps = [
            SimCall(ALICE, Weth(weth).deposit(WAD), 100_000),
            SimCall(ALICE, Erc20(weth).transfer(NOBODY, WAD), 100_000),
            SimCall(NOBODY, Erc20(weth).transfer(ALICE, WAD), 100_000),
        ]
        results = await node.simulate(steps, await actor.head())
        assert [one.ok for one in results] == [True] * 3
        assert all(one.is_sequential and one.gas_used > 21_000 for one in results)
        expected = Erc20(weth).expected_transfer(NOBODY, ALICE)
        assert any(expected.matches(log) for log in results[2].logs)
        (balance,) = await node.read([Erc20(weth).balance_of(ALICE)], await actor.head())
        assert balance == 0  # nothing was sent

    async def test_a_revert_is_told_with_its_reason_and_stops_nothing_after_it(
        self, devnet, node, actor
    ):
        usdt = devnet.profile.usdt.require_address()
        pool = AavePool(devnet.profile.require_aave().pool)
        steps = [
            SimCall(ALICE, Erc20(usdt).transfer(NOBODY, 1), 100_000),
            SimCall(ALICE, pool.borrow(usdt, 10**6, ALICE), 500_000),
            SimCall(ALICE, native_transfer(NOBODY, 1), 21_000),
        ]
        first, second, third = await node.simulate(steps, await actor.head())
        assert (first.ok, first.error) == (False, "balance")
        assert (second.ok, second.error) == (False, "34")  # COLLATERAL_BALANCE_IS_ZERO
        assert third.ok

    async def test_a_call_that_runs_out_of_gas_fails(self, devnet, node, actor):
        weth = devnet.profile.weth.require_address()
        (result,) = await node.simulate(
            [SimCall(ALICE, Weth(weth).deposit(1), 25_000)], await actor.head()
        )
        assert not result.ok
        assert result.gas_used == 25_000

    async def test_the_sender_that_cannot_pay_is_named(self, node, actor):
        steps = [
            SimCall(ALICE, native_transfer(NOBODY, WAD), 21_000),
            SimCall(NOBODY, native_transfer(ALICE, 2 * WAD), 21_000),
            SimCall(ALICE, native_transfer(NOBODY, WAD), 21_000),
        ]
        first, second, third = await node.simulate(steps, await actor.head())
        assert first.ok
        assert "nsufficient funds" in second.error
        assert third.error == "an earlier call was refused"

    async def test_time_in_the_simulated_block_is_as_asked(self, devnet, node, actor):
        at = await actor.head()
        call = Call(devnet.profile.require_multicall3(), bytes.fromhex("0f28c97d"))  # block time
        step = [SimCall(ALICE, call, 100_000)]
        (soon,) = await node.simulate(step, at)
        (later,) = await node.simulate(step, at, timestamp=at.timestamp + 3_600)
        assert int.from_bytes(soon.return_data) == at.timestamp + 1
        assert int.from_bytes(later.return_data) == at.timestamp + 3_600


class TestSending:
    def signed(self, node, nonce, **fields):
        account = Account.from_key(KEY)
        values = {
            "chainId": 138,
            "nonce": nonce,
            "to": NOBODY,
            "value": 1,
            "gas": 21_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
        }
        return bytes(account.sign_transaction(values | fields).raw_transaction)

    async def nonce(self, node):
        sender = Account.from_key(KEY).address
        return (await node.nonces([sender], (await node.head()).ref))[sender]

    async def outcome(self, node, raw):
        (answer,) = await node.send_raw([raw])
        return answer.outcome

    async def test_the_nodes_refusals_are_told_apart(self, devnet, node):
        devnet.control.set_manual_mining()
        nonce = await self.nonce(node)
        raw = self.signed(node, nonce)
        assert await self.outcome(node, raw) is SendOutcome.ACCEPTED
        assert await self.outcome(node, raw) is SendOutcome.ALREADY_KNOWN
        cheaper = self.signed(node, nonce, maxFeePerGas=10**10, maxPriorityFeePerGas=1)
        assert await self.outcome(node, cheaper) is SendOutcome.UNDERPRICED
        devnet.control.mine()
        assert await self.outcome(node, raw) is SendOutcome.NONCE_TOO_LOW
        rich = self.signed(node, nonce + 1, value=10**30)
        assert await self.outcome(node, rich) is SendOutcome.INSUFFICIENT_FUNDS
        starved = self.signed(node, nonce + 1, gas=20_000)
        assert await self.outcome(node, starved) is SendOutcome.REJECTED
        assert await self.outcome(node, b"\xde\xad") is SendOutcome.REJECTED
        huge = self.signed(node, nonce + 1, gas=2**40, maxFeePerGas=10**8)
        assert await self.outcome(node, huge) is SendOutcome.REJECTED
        other = self.signed(node, nonce + 1, chainId=1)
        assert await self.outcome(node, other) is SendOutcome.REJECTED

    async def test_a_fee_under_the_base_fee_is_underpriced(self, devnet, node):
        raw = self.signed(node, await self.nonce(node), maxFeePerGas=1, maxPriorityFeePerGas=1)
        assert await self.outcome(node, raw) is SendOutcome.UNDERPRICED

    async def test_a_batch_is_answered_in_order(self, node):
        nonce = await self.nonce(node)
        raws = [self.signed(node, nonce + step) for step in range(3)]
        answers = await node.send_raw([*raws, b"\x00"])
        assert [one.outcome for one in answers] == [SendOutcome.ACCEPTED] * 3 + [
            SendOutcome.REJECTED
        ]

    async def test_a_dead_node_leaves_sends_unknown_and_reads_transient(self, devnet, node):
        raw = self.signed(node, await self.nonce(node))
        devnet.stop()
        assert await self.outcome(node, raw) is SendOutcome.UNKNOWN
        with pytest.raises(Transient) as caught:
            await node.head()
        assert caught.value.code == "rpc.unreachable"


async def test_a_tip_is_suggested(node):
    assert 0 <= await node.suggest_tip_wei() < 10**12


async def test_a_block_hash_nobody_knows_is_transient(node, actor):
    unknown = replace(await actor.head(), hash=BlockHash("0x" + "12" * 32))
    with pytest.raises(Transient):
        await node.nonces([ALICE], unknown)
