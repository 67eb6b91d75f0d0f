"""The chain loop on a real node and a real database: one intent, one mined effect."""

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
import pytest_asyncio
from eth_account import Account

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.sending import SendAnswer, SendOutcome
from holdfast.common.alerts import Severity
from holdfast.common.boundary import unobserved
from holdfast.common.leader import LeaderLock
from holdfast.common.notify import Signal
from holdfast.common.system_clock import SystemClock
from holdfast.model.leg import ExpectedEvent
from holdfast.protocols.weth import Weth
from holdfast.signing.model import Fees
from holdfast.transactions.fees import quote
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.loop import ChainLoop
from holdfast.transactions.model import IntentStatus
from holdfast.transactions.parts import Pace, Parts
from holdfast.transactions.send_state import Patience
from holdfast.transactions.service import Transactions
from holdfast.transactions.store.recording import CHANNEL
from tests.support.alarm import KeptAlarm
from tests.support.reorgs import KeptReorgs
from tests.support.transactions import (
    ADDRESSES,
    GWEI,
    POLICY,
    SOMEBODY,
    Woken,
    authorization,
    group,
    keys,
    wish,
)

ETHER = 10**18
OFF = False
MOST_GROUPS = 20  # three at once do; a machine that stands still for a second loses a block
HANGS_SECONDS = 60  # a bound for what never comes; on an idle machine all of it takes a second
QUICK = Pace(head=0.02, scan=0.1, reload=0.5, place=0.2)


class Crashed(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Desk:
    """One database and one node, with everything between them."""

    def __init__(self, devnet, database, url, node):
        self.devnet, self.database, self.url = devnet, database, url
        self.node = node
        self.woken = Woken()
        self.alarm = KeptAlarm()
        self.pace = QUICK
        self.service = Transactions(keys)

    def parts(self, boundary=unobserved, network=None, **patience):
        chain_id = self.devnet.profile.chain_id
        return Parts(
            chain_id=chain_id,
            fee_model=self.devnet.profile.fee_model,
            network=network or self.node,
            journal=PostgresJournal(
                self.database,
                chain_id,
                self.woken,
                boundary,
                reorgs=KeptReorgs(3),
                alarm=self.alarm,
            ),
            keys=keys,
            clock=SystemClock(),
            boundary=boundary,
            patience=Patience(**patience),
            pace=self.pace,
        )

    @asynccontextmanager
    async def running(self, **options):
        parts = self.parts(**options)
        async with Signal(self.url, CHANNEL) as signal:
            loop = ChainLoop(parts, LeaderLock(self.url, "chain:138"), signal)
            task = asyncio.create_task(loop.run())
            try:
                yield task
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def fees(self):
        head = await self.node.head()
        return quote(POLICY, head.base_fee_wei, GWEI)

    async def record(self, wishes, fees=None):
        head = await self.node.head()
        nonces = await self.node.nonces(sorted({one.sender for one in wishes}), head.ref)
        chosen = fees or quote(POLICY, head.base_fee_wei, GWEI)
        async with self.database.begin() as session:
            return await self.service.record(session, wishes, chosen, nonces)

    async def outcomes(self, wishes):
        async with self.database.begin() as session:
            found = await self.service.outcomes(session, wishes[0].deal_id)
        by_leg = {outcome.leg_id: outcome for outcome in found}
        return [by_leg[one.leg_id] for one in wishes]

    async def reach(self, wishes, *statuses, seconds=HANGS_SECONDS):
        async with asyncio.timeout(seconds):
            while True:
                found = await self.outcomes(wishes)
                if [one.status for one in found] == list(statuses):
                    return found
                await asyncio.sleep(0.02)

    async def nonce(self, index):
        head = await self.node.head()
        return (await self.node.nonces([ADDRESSES[index]], head.ref))[ADDRESSES[index]]

    def call(self, method, *params):
        return self.devnet.control.rpc.call(method, *params)


@pytest_asyncio.fixture
async def desk(devnet, database, database_url):
    for address in ADDRESSES.values():
        devnet.control.set_balance(address, 1_000 * ETHER)
    devnet.control.set_balance(SOMEBODY, 0)
    node = Node(Rpc.over_http(devnet.url), devnet.profile)
    await node.connect()
    yield Desk(devnet, database, database_url, node)
    await node.close()


LANDED, CANCELLED = IntentStatus.LANDED, IntentStatus.CANCELLED
AMBIGUOUS, SENT = IntentStatus.AMBIGUOUS, IntentStatus.SENT
DISPLACED = IntentStatus.DISPLACED


def crash_at(name):
    def boundary(passed):
        if passed == name:
            raise Crashed(name)

    return boundary


async def test_a_group_is_sent_mined_and_settled_and_its_deal_woken_once(desk):
    weth = Weth(desk.devnet.profile.weth.require_address())
    first, second = group(2, gas_limit=100_000)
    deposit = replace(first, call=weth.deposit(ETHER), expected=weth.expected_deposit(first.sender))
    async with desk.running():
        done = await desk.record([deposit, second])
        one, two = await desk.reach([deposit, second], LANDED, LANDED)
    assert [one.tx_hash, two.tx_hash] == [entry.tx_hash for entry in done]
    assert deposit.expected.matches(one.receipt.logs[0])
    assert one.receipt.succeeded
    assert two.nonce == one.nonce + 1
    assert desk.devnet.control.balance(SOMEBODY) == 1
    assert desk.woken.deals == [first.deal_id]


@pytest.mark.parametrize(
    "boundary",
    [
        "tx.before_broadcast",
        "tx.after_broadcast",
        "tx.before_receipts",
        "tx.in_receipts",
        "tx.after_receipts",
    ],
)
async def test_a_crash_at_any_boundary_ends_in_the_same_bytes_mined_once(desk, boundary):
    wishes = group(3)
    done = await desk.record(wishes)
    with pytest.raises(BaseExceptionGroup):
        async with desk.running(boundary=crash_at(boundary)) as crashing:
            await asyncio.wait_for(crashing, HANGS_SECONDS)
    async with desk.running():
        outcomes = await desk.reach(wishes, LANDED, LANDED, LANDED)
    assert [one.tx_hash for one in outcomes] == [one.tx_hash for one in done]
    assert await desk.nonce(1) == 3
    assert desk.devnet.control.balance(SOMEBODY) == 3


async def test_nothing_is_sent_of_a_transaction_that_rolled_back(desk):
    async with desk.running():
        head = await desk.node.head()
        fees = quote(POLICY, head.base_fee_wei, GWEI)
        with suppress(Crashed):
            async with desk.database.begin() as session:
                await desk.service.record(session, group(2), fees, {ADDRESSES[1]: 0})
                raise Crashed
        await asyncio.sleep(0.4)
    assert await desk.nonce(1) == 0


async def test_two_loops_at_once_have_no_double_effect(desk):
    async def work():
        async with Signal(desk.url, CHANNEL) as signal:
            await ChainLoop(desk.parts(), None, signal).work()  # no lock: both believe they lead

    loops = [asyncio.create_task(work()) for _ in range(2)]
    batches = [group(3, index) for index in (1, 2, 3, 4)]
    for wishes in batches:
        await desk.record(wishes)
    for wishes in batches:
        await desk.reach(wishes, LANDED, LANDED, LANDED)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    assert desk.devnet.control.balance(SOMEBODY) == 12
    assert [await desk.nonce(index) for index in (1, 2, 3, 4)] == [3, 3, 3, 3]


class Deaf(Node):
    """Delivers what is sent, but the answer never arrives."""

    async def send_raw(self, transactions):
        await super().send_raw(transactions)
        return [SendAnswer(SendOutcome.UNKNOWN, "timed out")] * len(transactions)


async def test_an_answer_lost_after_delivery_is_settled_by_the_chain(desk):
    wishes = group(2)
    deaf = Deaf(Rpc.over_http(desk.devnet.url), desk.devnet.profile)
    async with desk.running(network=deaf):
        await desk.record(wishes)
        await desk.reach(wishes, LANDED, LANDED)
    await deaf.close()
    assert desk.devnet.control.balance(SOMEBODY) == 2


def hold_blocks(desk, base_fee_wei):
    """Mine only when told, at a base fee that stays where it is."""
    desk.call("evm_setAutomine", OFF)
    mine_at(desk, base_fee_wei)


def mine_at(desk, base_fee_wei):
    desk.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee_wei))
    desk.call("evm_mine")


async def sent(desk, wishes):
    return await desk.reach(wishes, *[SENT] * len(wishes))


async def attempts(desk, wanted):
    async with desk.database.begin() as session:
        rows = await session.exec_driver_sql(
            "SELECT attempt_no, purpose, tx_hash, cap_wei, tip_wei FROM attempts "
            "WHERE intent_id = %(id)s ORDER BY attempt_no",
            {"id": wanted.intent_id},
        )
        return rows.all()


async def test_an_underpriced_attempt_is_replaced_at_its_nonce_and_lands(desk):
    hold_blocks(desk, GWEI)
    one = wish()
    async with desk.running(blocks=2, seconds=3600):
        await desk.record([one], Fees(cap_wei=2 * GWEI, tip_wei=GWEI))
        await sent(desk, [one])
        for _ in range(3):
            mine_at(desk, 5 * GWEI)  # above the cap: the pool cannot use it
            await asyncio.sleep(0.3)
        (done,) = await mined(desk, [one], 5 * GWEI)
    tried = await attempts(desk, one)
    assert len(tried) >= 2
    for older, newer in itertools.pairwise(tried):
        # 12.5 % = 9/8
        assert newer.cap_wei * 8 >= older.cap_wei * 9
        assert newer.tip_wei * 8 >= older.tip_wei * 9
    assert done.status is LANDED
    assert done.tx_hash == done.receipt.tx_hash != tried[0].tx_hash
    assert done.nonce == 0
    assert await desk.nonce(1) == 1


async def mined(desk, wishes, base_fee_wei):
    """Mine until every intent is final."""
    async with asyncio.timeout(HANGS_SECONDS):
        while True:
            mine_at(desk, base_fee_wei)
            await asyncio.sleep(0.1)
            outcomes = await desk.outcomes(wishes)
            if all(one.is_final for one in outcomes):
                return outcomes


async def no_op_sent(desk, wanted):
    """Return once the node holds the no-op in the intent's place: no block can mine the call."""
    async with asyncio.timeout(HANGS_SECONDS):
        while True:
            last = (await attempts(desk, wanted))[-1]
            if last.purpose == "cancel" and is_pooled(desk, last.tx_hash):
                return
            await asyncio.sleep(0.02)


async def pooled(desk, tx_hash):
    """Return once the transaction waits in the node's pool."""
    async with asyncio.timeout(HANGS_SECONDS):
        while not is_pooled(desk, tx_hash):  # noqa: ASYNC110 - the node's pool
            await asyncio.sleep(0.02)


def is_pooled(desk, tx_hash):
    held = desk.call("eth_getTransactionByHash", tx_hash)
    return held is not None and held["blockHash"] is None


async def test_an_attempt_past_its_deadline_becomes_a_no_op_at_its_nonce(desk):
    hold_blocks(desk, GWEI)
    now = desk.devnet.control.chain_time()
    one = wish(deadline=now + 100)
    after = wish(deal_id=one.deal_id, group_id=one.group_id)
    # The pool drops what the base fee outgrows, so the second one needs to be sent again.
    async with desk.running(blocks=1000, seconds=3600, push_seconds=0.3):
        await desk.record([one, after], Fees(cap_wei=2 * GWEI, tip_wei=GWEI))
        await sent(desk, [one, after])
        desk.call("evm_increaseTime", 200)
        mine_at(desk, 5 * GWEI)
        await no_op_sent(desk, one)
        done, followed = await mined(desk, [one, after], GWEI)
    assert done.status is CANCELLED
    assert followed.status is LANDED  # its nonce was not stalled
    assert [row.purpose for row in await attempts(desk, one)] == ["call", "cancel"]
    assert desk.devnet.control.balance(SOMEBODY) == 1  # only the second transfer happened
    assert desk.woken.deals == [one.deal_id]


async def test_a_deadline_that_passed_before_the_first_broadcast_sends_only_the_no_op(desk):
    one = wish(deadline=desk.devnet.control.chain_time() - 1)
    await desk.record([one])
    async with desk.running():
        (done,) = await desk.reach([one], CANCELLED)
    first, no_op = await attempts(desk, one)
    assert done.tx_hash == no_op.tx_hash
    assert desk.call("eth_getTransactionByHash", first.tx_hash) is None


async def test_a_group_can_be_cancelled_while_it_waits(desk):
    hold_blocks(desk, GWEI)
    wishes = group(2)
    async with desk.running(blocks=1000, seconds=3600):
        await desk.record(wishes, Fees(cap_wei=2 * GWEI, tip_wei=GWEI))
        await sent(desk, wishes)
        async with desk.database.begin() as session:
            assert await desk.service.cancel_group(session, wishes[0].group_id) == 2
        for one in wishes:
            await no_op_sent(desk, one)
        outcomes = await mined(desk, wishes, GWEI)
    assert [one.status for one in outcomes] == [CANCELLED, CANCELLED]
    assert desk.devnet.control.balance(SOMEBODY) == 0


async def send_elsewhere(desk, index, nonce):
    signer = await keys.open(keys.ref(index))
    foreign = {
        "to": SOMEBODY,
        "value": 7,
        "nonce": nonce,
        "gas": 21_000,
        "chainId": 138,
        "maxFeePerGas": 50 * GWEI,
        "maxPriorityFeePerGas": GWEI,
    }
    raw = Account.sign_transaction(foreign, signer._key.secret).raw_transaction
    return desk.call("eth_sendRawTransaction", "0x" + raw.hex())


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_nonce_used_elsewhere_displaces_one_intent_with_proof_and_no_other(desk, place):
    wishes = group(3)
    await desk.record(wishes)
    for nonce in range(place):  # what is in front must be mined before the foreign one can be
        desk.call("evm_setAutomine", OFF)
        await send_elsewhere(desk, 2, nonce)
    desk.call("evm_setAutomine", OFF)
    foreign = await send_elsewhere(desk, 1, place)
    expected = [LANDED, LANDED, LANDED]
    expected[place] = DISPLACED
    async with desk.running(push_seconds=0.2):
        await asyncio.sleep(0.5)
        desk.call("evm_setAutomine", not OFF)
        desk.call("evm_mine")
        outcomes = await desk.reach(wishes, *expected)
    proof = outcomes[place].evidence
    assert proof["foreign_tx_hash"] == foreign
    assert proof["nonce"] == place
    assert desk.call("eth_getTransactionByHash", foreign)["blockHash"] == proof["block_hash"]
    assert outcomes[place].receipt is None
    assert await desk.nonce(1) == 3
    assert desk.devnet.control.balance(SOMEBODY) == 2 + 7 + 7 * place
    assert desk.woken.deals == [wishes[0].deal_id]
    (alert,) = desk.alarm.alerts
    assert (alert.code, alert.severity) == ("tx.displaced", Severity.CRITICAL)
    assert alert.subject == str(wishes[place].intent_id)


async def test_a_nonce_moved_by_an_authorization_displaces_its_intent_and_the_next_one_goes_on(
    desk,
):
    wishes = group(2)
    await desk.record(wishes)
    sponsor = await keys.open(keys.ref(2))
    carrying = {
        "type": 4,
        "to": SOMEBODY,
        "value": 7,
        "nonce": 0,
        "gas": 100_000,
        "chainId": 138,
        "maxFeePerGas": 50 * GWEI,
        "maxPriorityFeePerGas": GWEI,
        "data": "0x",
        "authorizationList": [await authorization(1, 0)],
    }
    raw = Account.sign_transaction(carrying, sponsor._key.secret).raw_transaction
    foreign = desk.call("eth_sendRawTransactionSync", "0x" + raw.hex())["transactionHash"]
    assert await desk.nonce(1) == 1  # of an account that has sent nothing
    async with desk.running(push_seconds=0.2):
        outcomes = await desk.reach(wishes, DISPLACED, LANDED)
    proof = outcomes[0].evidence
    assert (proof["moved_by"], proof["foreign_tx_hash"]) == ("authorization", foreign)
    assert desk.call("eth_getTransactionByHash", foreign)["blockHash"] == proof["block_hash"]
    assert desk.devnet.control.balance(SOMEBODY) == 1 + 7
    (alert,) = desk.alarm.alerts
    assert alert.code == "tx.displaced"


async def test_a_gap_is_filled_with_no_ops_that_are_recorded_before_they_are_sent(desk):
    wishes = group(2)
    fees = await desk.fees()
    async with desk.database.begin() as session:
        # numbered after two transactions that a reorg took back: the chain has none
        await desk.service.record(session, wishes, fees, {ADDRESSES[1]: 2})
    async with desk.running(seconds=0.3, push_seconds=0.2):
        await desk.reach(wishes, LANDED, LANDED)
    assert await desk.nonce(1) == 4
    assert desk.devnet.control.balance(SOMEBODY) == 2
    async with desk.database.begin() as session:
        rows = await session.exec_driver_sql(
            "SELECT nonce, status FROM intents WHERE nonce < 2 ORDER BY nonce"
        )
        assert rows.all() == [(0, CANCELLED), (1, CANCELLED)]
    assert desk.alarm.codes == ["tx.gap_filled"] * 2


async def test_a_call_that_is_not_mined_in_time_frees_its_nonce(desk):
    hold_blocks(desk, GWEI)
    one, after = group(2)
    async with desk.running(timeout_seconds=1.0, seconds=3600, blocks=1000):
        await desk.record([one], Fees(cap_wei=2 * GWEI, tip_wei=GWEI))
        await sent(desk, [one])
        await no_op_sent(desk, one)
        await desk.record([after])
        done, followed = await mined(desk, [one, after], GWEI)
    assert (done.status, followed.status) == (CANCELLED, LANDED)
    assert [row.purpose for row in await attempts(desk, one)] == ["call", "cancel"]
    assert desk.devnet.control.balance(SOMEBODY) == 1


async def test_what_is_mined_while_its_cancellation_is_asked_for_stays_mined(desk):
    hold_blocks(desk, GWEI)
    (one,) = group(1)
    async with desk.running(seconds=3600, blocks=1000):
        await desk.record([one], Fees(cap_wei=2 * GWEI, tip_wei=GWEI))
        await sent(desk, [one])
        mine_at(desk, GWEI)
        async with desk.database.begin() as session:
            await desk.service.cancel_group(session, one.group_id)
        (done,) = await desk.reach([one], LANDED)
    assert done.receipt.succeeded
    assert await desk.nonce(1) == 1


async def test_above_the_ceiling_it_waits_with_an_alert_and_lands_when_gas_is_cheap_again(desk):
    hold_blocks(desk, GWEI)
    one = wish(fee_ceiling_wei=4 * GWEI)
    async with desk.running(blocks=1, seconds=3600, push_seconds=0.2):
        await desk.record([one], Fees(cap_wei=2 * GWEI, tip_wei=GWEI))
        await sent(desk, [one])
        for _ in range(3):
            mine_at(desk, 9 * GWEI)
            await asyncio.sleep(0.3)
        await desk.reach([one], IntentStatus.STUCK)
        tried = await attempts(desk, one)
        (done,) = await mined(desk, [one], GWEI)
    assert all(row.cap_wei <= 4 * GWEI for row in tried)
    assert done.status is LANDED
    assert desk.alarm.codes == ["tx.fee_ceiling"]


async def test_a_receipt_without_the_legs_event_is_ambiguous(desk):
    expected = ExpectedEvent(desk.devnet.profile.weth.require_address(), (b"\x01" * 32,))
    one = wish(expected=expected)
    async with desk.running():
        await desk.record([one])
        (done,) = await desk.reach([one], AMBIGUOUS)
    assert done.evidence["reason"] == "event_missing"
    assert done.receipt.succeeded
    assert desk.woken.deals == [one.deal_id]


async def test_a_revert_is_final_as_reverted(desk):
    weth = Weth(desk.devnet.profile.weth.require_address())
    one = wish(call=weth.withdraw(5 * ETHER), gas_limit=100_000)  # it has none
    async with desk.running():
        await desk.record([one])
        (done,) = await desk.reach([one], IntentStatus.REVERTED)
    assert not done.receipt.succeeded
    assert done.receipt.fee_wei > 0


async def test_a_receipt_counts_only_at_its_depth(desk):
    desk.call("evm_setAutomine", OFF)
    one = wish(depth=3)
    async with desk.running():
        await desk.record([one])
        await sent(desk, [one])
        desk.call("evm_mine")
        (seen,) = await desk.reach([one], IntentStatus.MINED)
        desk.call("evm_mine")
        await asyncio.sleep(0.3)
        assert (await desk.outcomes([one]))[0].status is IntentStatus.MINED  # 2 of 3
        desk.call("evm_mine")
        (done,) = await desk.reach([one], LANDED)
    assert done.receipt == seen.receipt


async def test_a_reorg_drops_the_receipt_and_the_same_bytes_land_again(desk):
    desk.call("evm_setAutomine", OFF)
    one = wish(depth=3)
    async with desk.running():
        (recorded,) = await desk.record([one])
        await sent(desk, [one])
        desk.call("evm_mine")
        (before,) = await desk.reach([one], IntentStatus.MINED)
        desk.call("anvil_reorg", 1, [])  # the block is replaced by an empty one
        await desk.reach([one], SENT)
        await pooled(desk, recorded.tx_hash)  # sent again
        for _ in range(3):
            desk.call("evm_mine")
        (after,) = await desk.reach([one], LANDED)
    assert after.tx_hash == before.tx_hash == recorded.tx_hash
    assert after.receipt.block.hash != before.receipt.block.hash
    assert await desk.nonce(1) == 1


async def test_blocks_missed_while_nobody_watched_are_read(desk):
    first = group(2)
    await desk.record(first)
    with pytest.raises(BaseExceptionGroup):
        async with desk.running(boundary=crash_at("tx.after_broadcast")) as crashing:
            await asyncio.wait_for(crashing, HANGS_SECONDS)
    desk.devnet.control.mine(70)  # more than one chunk of blocks on top of ours
    async with desk.running():
        await desk.reach(first, LANDED, LANDED)


async def test_with_a_block_a_second_each_group_takes_one_block(desk, monkeypatch):
    desk.call("evm_setAutomine", OFF)
    desk.call("evm_setIntervalMining", 1)
    monkeypatch.setattr(desk, "pace", Pace.of_chain(1))
    blocks = []
    async with desk.running():
        while len(blocks) < MOST_GROUPS and not ends_in_three_running(blocks):
            wishes = group(4)
            await desk.record(wishes)
            outcomes = await desk.reach(wishes, *[LANDED] * 4)
            (block,) = {one.receipt.block.number for one in outcomes}
            blocks.append(block)
    assert ends_in_three_running(blocks), blocks


def ends_in_three_running(blocks):
    """Whether no block passed between the last three groups."""
    return len(blocks) >= 3 and blocks[-1] - blocks[-3] == 2
