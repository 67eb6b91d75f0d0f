"""Reorgs that take back what was final at its leg's depth, on a chain and journal in memory."""

import pytest
import pytest_asyncio

from holdfast.model.leg import Call
from holdfast.signing.model import Fees
from holdfast.transactions.loop import start
from holdfast.transactions.model import IntentStatus, Purpose
from holdfast.transactions.send_state import Patience
from tests.support.transactions import GWEI, SOMEBODY, group, signed, wish
from tests.unit.transactions.test_loop import Rig

FINALITY = 4
LANDED, REVERTED, SENT = IntentStatus.LANDED, IntentStatus.REVERTED, IntentStatus.SENT


@pytest_asyncio.fixture
async def rig():
    made = Rig(Patience(finality=FINALITY))
    made.journal.finality = FINALITY
    await made.restart()
    return made


async def landed(rig, wishes, first_nonce=0):
    await rig.record(wishes, first_nonce)
    await rig.sender.step()
    rig.chain.mine()
    await rig.settle()
    assert set(rig.statuses(wishes)) == {LANDED}


async def lands_again(rig, wishes):
    rig.chain.mine()
    await rig.settle()
    assert set(rig.statuses(wishes)) == {LANDED}
    effects = [tx.hash for tx in rig.chain.effects()]
    assert len(effects) == len(set(effects)) == len(wishes)


@pytest.mark.parametrize("depth", range(1, FINALITY))
async def test_the_same_bytes_land_again_after_a_reorg_above_finality(rig, depth):
    wishes = group(2)
    await landed(rig, wishes)
    for _ in range(depth - 1):
        rig.chain.mine()
    await rig.settle()
    first = [tx.hash for tx in rig.chain.effects()]
    rig.chain.fork(depth)
    await rig.settle()
    assert rig.statuses(wishes) == [SENT, SENT]
    await lands_again(rig, wishes)
    assert [tx.hash for tx in rig.chain.effects()] == first
    assert rig.journal.woken == [wishes[0].deal_id] * 2
    assert [one.status for one in rig.journal.reopened] == [LANDED, LANDED]


async def test_a_reorg_below_finality_is_told_and_changes_nothing(rig):
    wishes = group(2)
    await landed(rig, wishes)
    for _ in range(FINALITY - 1):
        rig.chain.mine()
    await rig.settle()
    rig.chain.fork(FINALITY)
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED, LANDED]
    assert [one.intent_id for one in rig.journal.lost] == [one.intent_id for one in wishes]
    assert rig.journal.reopened == []


async def test_a_node_that_falls_far_behind_gives_up_nothing_as_deep_as_finality(rig):
    wishes = group(2)
    await landed(rig, wishes)
    for _ in range(FINALITY):
        rig.chain.mine()
    await rig.settle()
    rig.chain.rewind(FINALITY + 1)
    await rig.settle()
    await rig.settle(seconds=11)
    assert rig.statuses(wishes) == [LANDED, LANDED]
    assert rig.journal.lost == rig.journal.reopened == []


async def test_a_node_that_lags_on_another_branch_gives_up_nothing_as_deep_as_finality(rig):
    wishes = group(2)
    await landed(rig, wishes)
    for _ in range(FINALITY + 1):
        rig.chain.mine()
    await rig.settle()
    rig.chain.rewind(FINALITY + 2)
    rig.chain.pool.clear()
    rig.chain.mine()
    await rig.settle()
    assert rig.journal.lost == []


async def test_a_restarted_loop_takes_no_old_head_for_another_branch(rig):
    wishes = group(2)
    await landed(rig, wishes)
    for _ in range(FINALITY):
        rig.chain.mine()
    await rig.settle(seconds=6)
    await rig.restart()
    rig.chain.rewind(FINALITY + 1)
    await rig.settle()
    await rig.settle(seconds=11)
    assert rig.statuses(wishes) == [LANDED, LANDED]
    assert rig.journal.lost == rig.journal.reopened == []


async def test_only_the_groups_in_lost_blocks_are_reopened(rig):
    early = group(2)
    late = [wish(deal_id=early[0].deal_id)]
    await landed(rig, early)
    await landed(rig, late, first_nonce=2)
    rig.chain.fork(1)
    await rig.settle()
    assert rig.statuses(early) == [LANDED, LANDED]
    assert rig.statuses(late) == [SENT]
    await lands_again(rig, [*early, *late])


async def test_a_dependent_that_was_not_mined_yet_goes_out_behind_the_reopened_one(rig):
    first = [wish()]
    await landed(rig, first)
    second = [wish(deal_id=first[0].deal_id)]
    before = [tx.hash for tx in rig.chain.effects()]
    rig.chain.loses_requests = True
    (dependent,) = await rig.record(second, first_nonce=1)
    await rig.sender.step()
    rig.chain.loses_requests = False
    rig.chain.fork(1)
    await rig.settle()
    await rig.settle(seconds=7)
    await lands_again(rig, [*first, *second])
    assert [tx.hash for tx in rig.chain.effects()] == [*before, dependent.last.tx_hash]


async def test_a_leg_may_revert_the_second_time(rig):
    (one,) = wishes = group(1)
    await landed(rig, wishes)
    rig.chain.fork(1)
    rig.chain.reverting = {rig.journal.intents[one.intent_id].last.tx_hash}
    await rig.settle()
    for _ in range(FINALITY):
        rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [REVERTED]


async def test_a_leg_that_reverted_is_not_given_up_before_no_reorg_can_have_it_land(rig):
    wishes = group(1)
    (intent,) = await rig.record(wishes)
    rig.chain.reverting = {intent.last.tx_hash}
    await rig.sender.step()
    for _ in range(FINALITY - 1):
        rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.MINED]
    rig.chain.fork(FINALITY - 1)
    rig.chain.reverting = set()
    await rig.settle()
    await lands_again(rig, wishes)
    assert rig.journal.reopened == []


async def test_a_nonce_that_somebody_else_used_is_no_ambiguity_while_it_waits_for_finality(rig):
    wishes = group(1)
    await rig.record(wishes)
    foreign = await signed(wish(call=Call(SOMEBODY, b"", 99)), 0, Fees(9 * GWEI, GWEI))
    await rig.chain.send_raw([foreign.raw])
    for _ in range(FINALITY - 1):
        rig.chain.mine()
        await rig.settle()
        await rig.settle()
        assert rig.statuses(wishes) == [SENT]
    rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) == [IntentStatus.DISPLACED]


async def test_a_deadline_that_passed_meanwhile_burns_the_nonce(rig):
    (one,) = wishes = group(1, deadline=rig.chain.time + 5)
    await landed(rig, wishes)
    rig.chain.fork(1)
    rig.chain.pool.clear()
    rig.chain.mine(seconds=10)
    await rig.settle()
    rig.chain.pool.clear()
    await rig.settle()
    for _ in range(FINALITY):
        rig.chain.mine()
    await rig.settle()
    assert rig.statuses(wishes) in ([LANDED], [IntentStatus.CANCELLED])
    purposes = [a.purpose for a in rig.journal.intents[one.intent_id].attempts]
    assert purposes == [Purpose.CALL, Purpose.CANCEL]
    assert len(rig.chain.effects()) == 1


async def test_after_a_restart_the_reopened_bytes_go_out_at_once(rig):
    wishes = group(2)
    await landed(rig, wishes)
    rig.chain.fork(1)
    await rig.watcher.step()  # taken back; the process ends before it sends anything
    assert rig.statuses(wishes) == [SENT, SENT]
    await rig.restart()
    await rig.settle()
    await lands_again(rig, wishes)


async def test_a_reorg_while_nobody_watched_reopens_no_more_than_is_gone(rig):
    """The place is on the lost branch, and what lies before it is not remembered."""
    early, late = group(2), [wish(index=2)]
    await landed(rig, early)
    await landed(rig, late)
    rig.chain.fork(1)
    await rig.restart()
    await rig.settle()
    assert rig.statuses(early) == [LANDED, LANDED]
    assert rig.statuses(late) == [SENT]
    await lands_again(rig, [*early, *late])


async def test_a_second_reorg_below_the_first_is_followed_too(rig):
    early, late = [wish()], [wish(index=2)]
    await landed(rig, early)
    await landed(rig, late)
    rig.chain.fork(1)
    await rig.watcher.step()
    assert [*rig.statuses(early), *rig.statuses(late)] == [LANDED, SENT]
    rig.chain.fork(2)
    await rig.settle()
    assert [*rig.statuses(early), *rig.statuses(late)] == [SENT, SENT]
    await lands_again(rig, [*early, *late])


async def test_a_chain_that_goes_back_for_long_takes_final_intents_back(rig):
    wishes = group(1)
    await landed(rig, wishes)
    rig.chain.rewind(1)
    await rig.settle()
    assert rig.statuses(wishes) == [LANDED]  # a node that lags looks the same for a while
    await rig.settle(seconds=10)
    assert rig.statuses(wishes) == [SENT]
    await lands_again(rig, wishes)


async def test_a_transaction_that_the_new_branch_has_already_lands_without_being_sent(rig):
    wishes = group(2)
    await landed(rig, wishes)
    rig.chain.fork(1, keeps=True)
    rig.chain.mine()
    sent = len(rig.chain.sent)
    while await rig.watcher.step():
        pass
    assert rig.statuses(wishes) == [LANDED, LANDED]
    assert len(rig.journal.reopened) == 2
    assert len(rig.chain.sent) == sent


async def test_the_replacement_may_land_where_the_first_attempt_was_before(rig):
    (one,) = wishes = group(1)
    (intent,) = await rig.record(wishes)
    await rig.sender.step()
    await rig.journal.add_attempt(intent, await signed(one, 0, Fees(9 * GWEI, 9 * GWEI), 2))
    rig.chain.mine()
    await rig.settle()
    assert rig.chain.effects()[0].hash == intent.last.tx_hash
    rig.chain.fork(1)
    rig.chain.base_fee = 5 * GWEI  # too dear for the first
    await rig.settle()
    await rig.settle(seconds=7)
    await lands_again(rig, wishes)
    assert rig.chain.effects()[0].hash == rig.journal.intents[one.intent_id].attempts[1].tx_hash


async def test_two_loops_take_back_once_and_land_once(rig):
    wishes = group(2)
    await landed(rig, wishes)
    _, other, shared = await start(rig.parts)
    shared.live.put(await rig.journal.live())
    rig.chain.fork(1)
    await other.step()
    await rig.settle()
    assert len(rig.journal.reopened) == 2
    await rig.settle(seconds=6)
    await lands_again(rig, wishes)


async def test_what_another_loop_took_for_final_is_taken_back_however_many_blocks_came_at_once(rig):
    wishes = group(2)
    await rig.record(wishes)
    await rig.sender.step()
    _, other, _ = await start(rig.parts)
    rig.chain.mine()
    await other.step()
    assert rig.statuses(wishes) == [LANDED, LANDED]
    rig.chain.fork(1)
    for _ in range(FINALITY):
        rig.chain.mine()
    await rig.settle(seconds=6)
    assert rig.journal.lost == []
    assert rig.statuses(wishes) == [SENT, SENT]
    await lands_again(rig, wishes)


async def test_old_blocks_are_followed_without_asking_for_the_state_they_had(rig):
    """Most nodes keep the state of the last 128 blocks only."""
    await rig.record([wish()])
    rig.chain.loses_requests = True
    await rig.sender.step()
    for _ in range(100):
        rig.chain.mine()
    asked = []
    real = rig.chain.nonces

    async def watched(accounts, at):
        asked.append(at.number)
        return await real(accounts, at)

    rig.chain.nonces = watched
    await rig.settle()
    assert asked == [100]
