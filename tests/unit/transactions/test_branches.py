"""Nodes that disagree: one on a branch that was left proves nothing, neither there nor gone."""

from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import replace

import pytest
import pytest_asyncio

from holdfast.chain.receipts import Block
from holdfast.common.errors import Transient
from holdfast.model.leg import Call
from holdfast.signing.model import Fees
from holdfast.transactions.model import IntentStatus, Place
from holdfast.transactions.send_state import Patience
from holdfast.transactions.trail import Trail
from tests.support.fake_chain import FakeChain
from tests.support.transactions import GWEI, SOMEBODY, group, signed, wish
from tests.unit.transactions.test_loop import Rig

FINALITY = 4


@pytest_asyncio.fixture
async def rig():
    made = Rig(Patience(finality=FINALITY))
    made.journal.finality = FINALITY
    await made.restart()
    return made


def left_behind(chain):
    """A node that stays on the branch which `chain` has now."""
    other = copy(chain)
    other.blocks_ = list(chain.blocks_)
    return other


@asynccontextmanager
async def answering(rig, other, to):
    """Have `other` answer for single blocks up to number `to`, and for what it alone has."""
    chain = rig.chain
    real = chain.block, chain.nonces, chain.transactions

    def knows(node, at):
        return at.number < len(node.blocks_) and node.blocks_[at.number].head.ref == at

    async def block(number):
        return await (other.block(number) if number <= to else real[0](number))

    async def nonces(accounts, at):
        return await (other.nonces if knows(other, at) else real[1])(accounts, at)

    async def transactions(at):
        return await (other.transactions if knows(other, at) else real[2])(at)

    chain.block, chain.nonces, chain.transactions = block, nonces, transactions
    yield
    chain.block, chain.nonces, chain.transactions = real


@asynccontextmanager
async def unseen_receipts(chain):
    """Have blocks come without their receipts, so that the loop has to search for them."""
    real = chain.blocks

    async def blocks(first, last):
        return [Block(one.head, ()) for one in await real(first, last)]

    chain.blocks = blocks
    yield
    chain.blocks = real


async def mined(chain, blocks):
    for _ in range(blocks):
        chain.mine()


async def test_a_node_on_an_old_branch_has_nothing_lost_that_is_as_deep_as_finality(rig):
    wishes = group(2)
    await rig.record(wishes)
    await rig.sender.step()
    old = FakeChain(time=5_000)
    await mined(old, 3)
    await mined(rig.chain, FINALITY + 1)
    await rig.settle(seconds=6)
    rig.chain.fork(1)  # of the very block that the journal names as its place
    rig.chain.mine()
    await rig.restart()
    async with answering(rig, old, to=2):
        for _ in range(3):
            with suppress(Transient):
                await rig.watcher.step()
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.LANDED] * 2
    assert rig.journal.lost == rig.journal.reopened == []


async def test_a_block_is_not_held_because_a_node_on_its_branch_still_has_it():
    chain = FakeChain()
    await mined(chain, 3)
    gone = Place(2, (await chain.block(2)).ref.hash)
    old = left_behind(chain)
    chain.fork(2)
    await mined(chain, 2)
    head = await chain.head()
    trail = Trail(Place(head.ref.number, head.ref.hash), chain)
    assert not await trail.holds(gone)
    trail = Trail(Place(head.ref.number, head.ref.hash), old)
    with pytest.raises(Transient):
        await trail.holds(gone)


async def test_blocks_below_the_place_are_read_once_and_in_parallel():
    chain, asked = FakeChain(), []
    await mined(chain, 100)
    real = chain.block

    async def watched(number):
        asked.append(number)
        return await real(number)

    chain.block = watched
    head = await chain.head()
    trail = Trail(Place(head.ref.number, head.ref.hash), chain)
    for _ in range(2):
        assert await trail.holds(Place(40, chain.blocks_[40].head.ref.hash))
    assert asked == list(range(100, 40, -1))


async def test_a_receipt_in_a_block_that_was_left_settles_nothing(rig):
    """On the branch that was left the call succeeded; on ours it reverted."""
    wishes = group(1)
    (intent,) = await rig.record(wishes)
    rig.chain.reverting = {intent.last.tx_hash}
    await rig.sender.step()
    await mined(rig.chain, FINALITY)
    (receipt,) = rig.chain.blocks_[1].receipts
    elsewhere = replace(
        receipt, succeeded=True, block=replace(receipt.block, hash="0x" + "ab" * 32)
    )
    real = rig.chain.find_receipts

    async def find_receipts(_hashes):
        return [elsewhere]

    rig.chain.find_receipts = find_receipts
    async with unseen_receipts(rig.chain):
        await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.SENT]
    rig.chain.find_receipts = real
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.REVERTED]


async def test_a_foreign_transaction_in_a_block_that_was_left_displaces_nothing(rig):
    wishes = group(1)
    (intent,) = await rig.record(wishes)
    rig.chain.loses_requests = True
    await rig.sender.step()
    rig.chain.loses_requests = False
    foreign = await signed(wish(call=Call(SOMEBODY, b"", 99)), 0, Fees(9 * GWEI, GWEI))
    await rig.chain.send_raw([foreign.raw])
    rig.chain.mine()
    old = left_behind(rig.chain)
    rig.chain.fork(1)
    await rig.chain.send_raw([intent.last.raw])
    await mined(rig.chain, FINALITY)
    real = rig.chain.find_receipts

    async def find_receipts(_hashes):
        return []

    rig.chain.find_receipts = find_receipts
    async with unseen_receipts(rig.chain), answering(rig, old, to=1):
        for _ in range(3):
            with suppress(Transient):
                await rig.watcher.step()
    assert rig.statuses(wishes) != [IntentStatus.DISPLACED]
    rig.chain.find_receipts = real
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.LANDED]


async def test_what_one_node_says_is_gone_and_the_others_show_is_not_taken_back(rig):
    """The node that lies is asked no more once the nodes were compared."""
    wishes = group(2)
    await rig.record(wishes)
    await rig.sender.step()
    honest = rig.chain.blocks_
    await mined(rig.chain, 1)
    await rig.settle(seconds=6)
    rig.chain.blocks_ = list(honest)
    rig.chain.fork(1)
    await mined(rig.chain, 2)

    async def recheck():
        rig.chain.blocks_ = honest

    rig.chain.recheck = recheck
    with pytest.raises(Transient) as refused:
        await rig.watcher.step()
    assert refused.value.code == "chain.reorged"
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.LANDED] * 2
    assert rig.journal.lost == rig.journal.reopened == []


async def test_a_head_below_the_place_at_a_start_is_a_node_that_lags(rig):
    wishes = group(2)
    await rig.record(wishes)
    await rig.sender.step()
    await mined(rig.chain, 3)
    await rig.settle(seconds=6)
    place = await rig.journal.place()
    await rig.restart()
    newest = [rig.chain.blocks_.pop() for _ in range(3)]
    await rig.settle(seconds=9)
    assert await rig.journal.place() == place
    rig.chain.blocks_ += reversed(newest)
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.LANDED] * 2
    assert rig.journal.lost == rig.journal.reopened == []
