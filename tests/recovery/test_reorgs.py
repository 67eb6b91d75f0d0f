"""Reorgs of every depth above finality, after each step and in the middle of it: the same deal.

The node replaces its last blocks by empty ones and does not take their transactions back into its
pool: without us they would never be mined again.
"""

import asyncio
import contextlib
import itertools
import json
import signal
from pathlib import Path

import psycopg
import pytest

from holdfast.common.db import libpq_url
from holdfast.execution.model import WaitFor
from holdfast.model.deal import DealStatus, HoldReason
from tests.recovery.groups import GROUPS
from tests.recovery.scene import assert_ledger_is_the_chain, assert_same_deal

FINALITY = 4
BLOCK_SECONDS = 0.2
_DUST_WEI = 10**14  # a transfer's 21,000 gas at the few gwei that the node asks for
BY_NAME = {group.name: group for group in GROUPS}
# One group of each step.
CHOSEN = [BY_NAME[name] for name in ("fund", "open", "purchase", "second_tranche", "repay")]


@pytest.fixture
def scene(scene, tmp_path):
    """A chain on which four blocks make a transaction final, while legs count after one."""
    profile = json.loads(scene.devnet.profile_path.read_text())
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({**profile, "finality": FINALITY}))
    scene.settings["HOLDFAST_PROFILE"] = str(path)
    scene.devnet.control.mine(FINALITY + 1)  # the node cannot go back behind its start
    return scene


def set_finality(scene, depth):
    path = Path(scene.settings["HOLDFAST_PROFILE"])
    path.write_text(json.dumps({**json.loads(path.read_text()), "finality": depth}))


def reorg(scene, depth):
    scene.devnet.control.rpc.call("anvil_reorg", depth, [])


@contextlib.asynccontextmanager
async def blocks_go_on(scene):
    """Empty blocks beside those of our transactions, as on a chain that others use."""

    async def mine():
        while True:
            await asyncio.sleep(BLOCK_SECONDS)
            await asyncio.to_thread(scene.devnet.control.mine)

    mining = asyncio.create_task(mine())
    try:
        yield
    finally:
        mining.cancel()
        await asyncio.gather(mining, return_exceptions=True)


def sizes(scene):
    """How many transactions each block holds, the newest first."""
    rpc = scene.devnet.control.rpc
    for number in range(int(rpc.call("eth_blockNumber"), 16), 0, -1):
        yield len(rpc.call("eth_getBlockByNumber", hex(number), False)["transactions"])


def empty_at_the_end(scene):
    """How many blocks without a transaction the chain ends with."""
    return len(list(itertools.takewhile(lambda size: size == 0, sizes(scene))))


def blocks_of_last(scene, count):
    """How many blocks the last `count` transactions take: a node that mines at once may need one
    or one for each."""
    filled = itertools.dropwhile(lambda size: size == 0, sizes(scene))
    held = itertools.takewhile(lambda total: total < count, itertools.accumulate(filled))
    return len(list(held)) + 1


async def over(deal):
    async with blocks_go_on(deal.scene):
        return await deal.over()


def raised(scene):
    """The codes of all alerts, but for what a slow machine is told of."""
    query = "SELECT code FROM alerts WHERE code <> 'risk.tick_late' ORDER BY 1"
    with psycopg.connect(libpq_url(scene.database_url)) as connection:
        return [code for (code,) in connection.execute(query)]


async def loses(deal, depth, *, of):
    """Replace the last `depth` blocks from the last one that holds transactions of the group.

    A busy node that mines at once may add an empty block behind it.
    """
    reorg(deal.scene, min(depth + empty_at_the_end(deal.scene), FINALITY - 1))
    assert len(deal.observed().effects) < of.after


async def all_is_home(deal):
    """The last ether was sent once all else was final, is booked, and is not final itself."""
    group = BY_NAME["return_native"]
    await deal.until(lambda one: one.waits_for == WaitFor.FINALITY)
    assert len(deal.observed().effects) == group.before
    deal.scene.devnet.control.mine(FINALITY)
    await deal.mined(group.after)
    await deal.until(lambda one: one.group_id is None)


@pytest.mark.slow
@pytest.mark.parametrize("depth", range(1, FINALITY))
@pytest.mark.parametrize("group", CHOSEN, ids=lambda group: f"step{group.step}-{group.name}")
async def test_a_reorg_when_a_group_has_landed_leaves_the_same_deal(
    scene, undisturbed, group, depth
):
    """The next group is decided and signed on the state that goes, and goes out behind it."""
    deal = await scene.deal()
    worker = await scene.paused_at(f"advance.before_commit:{group.number + 1}")
    await deal.mined(group.after)
    await loses(deal, depth, of=group)
    worker.send(signal.SIGCONT)
    outcome = await over(deal)
    if group.step == 4:
        assert_home_again(deal, outcome, undisturbed)
    else:
        assert_same_deal(deal, outcome, undisturbed)
    assert raised(scene) == ["tx.reorg_reopened"]


@pytest.mark.parametrize("depth", range(1, FINALITY))
async def test_ether_that_a_reorg_brought_back_goes_home_again(scene, undisturbed, depth):
    deal = await scene.deal()
    async with scene.working():
        await all_is_home(deal)
        await loses(deal, depth, of=BY_NAME["return_native"])
        outcome = await over(deal)
    assert_home_again(deal, outcome, undisturbed)
    assert raised(scene) == ["tx.reorg_reopened"]


def assert_home_again(deal, outcome, undisturbed):
    """Interest and gas differed by some units the second time, which what was signed behind them
    could not know: an unwrap or a return of too much reverts, and what they left goes home after
    them, but for ether that the gas of moving it would eat.
    """
    assert outcome.status is DealStatus.COMPLETED
    verdict = deal.judged_by(undisturbed.effects)
    assert not verdict.lost
    ways_home = {"unwrap", "return_native", "return_token"}
    assert {kind for kind, *_ in verdict.duplicated} <= ways_home
    account = deal.places.deal
    expected = (f"left at {account}: ETH", f"ether of {account} off by", "a transaction reverted")
    assert [one for one in verdict.problems if not one.startswith(expected)] == []
    assert deal.scene.devnet.control.balance(account) < _DUST_WEI
    assert_ledger_is_the_chain(outcome)


async def test_dollars_that_a_reorg_leaves_over_go_home(scene, undisturbed):
    """The replaced blocks are earlier than those they replace, so that less interest is due than
    the return behind the repayment was signed for."""
    deal, group = await scene.deal(), BY_NAME["repay"]
    await deal.dies_at(f"advance.before_commit:{group.number}")
    scene.devnet.control.rpc.call("evm_increaseTime", 30)
    worker = await scene.paused_at("advance.before_commit:2")
    await deal.mined(group.after)
    await loses(deal, blocks_of_last(scene, group.after - group.before), of=group)
    worker.send(signal.SIGCONT)
    outcome = await over(deal)
    assert_home_again(deal, outcome, undisturbed)
    returned = [one for one in outcome.effects if one.kind == "return_token"]
    assert len(returned) == 2


async def test_ether_for_gas_is_still_there_for_dollars_that_a_reorg_kept_back(scene, undisturbed):
    """The replaced blocks are later than those they replace: more interest is due, so that the
    return behind the repayment is of too much, fails and has to be sent again."""
    set_finality(scene, 12)
    deal = await scene.deal()
    async with scene.working():
        await deal.until(lambda one: one.waits_for == WaitFor.FINALITY)
        since_repaying = len(deal.observed().effects) - BY_NAME["repay"].before
        reorg(scene, blocks_of_last(scene, since_repaying))
        scene.devnet.control.rpc.call("evm_increaseTime", 30)
        outcome = await over(deal)
    assert_home_again(deal, outcome, undisturbed)
    assert len(outcome.observed.failed) == 1


@pytest.mark.parametrize("point", ["tx.before_unmine", "tx.in_unmine", "tx.after_unmine"])
async def test_a_worker_killed_while_it_reopens_leaves_the_same_deal(scene, undisturbed, point):
    deal, group = await scene.deal(), BY_NAME["open"]
    await deal.dies_at(f"advance.before_commit:{group.number + 1}")
    await deal.mined(group.after)
    await loses(deal, 3, of=group)
    await deal.dies_at(point)
    async with scene.working():
        assert_same_deal(deal, await over(deal), undisturbed)


async def test_what_a_reorg_brought_back_moves_no_deal_before_the_reorg_is_seen_to(
    scene, undisturbed
):
    """The way home is undone, the loop that is to see to it stands still, another worker looks."""
    deal = await scene.deal()
    async with scene.working():
        await all_is_home(deal)
    signed = deal.signed()
    await loses(deal, 3, of=BY_NAME["return_native"])
    scene.bury_the_dead()
    leader = await scene.paused_at("tx.before_unmine")
    async with scene.working(), blocks_go_on(scene):
        await scene.workers[-1].says("tx.unmined")
        assert deal.signed() == signed
        outcome = await deal.over()
    await leader.kill()
    assert_home_again(deal, outcome, undisturbed)


async def test_a_reorg_of_what_nobody_has_read_yet_is_sent_again(scene, undisturbed):
    deal, group = await scene.deal(), BY_NAME["open"]
    await deal.dies_at(f"tx.after_broadcast:{group.number}")
    await deal.mined(group.after)
    unread = blocks_of_last(scene, group.after - group.before)  # the group before them was read
    await loses(deal, unread, of=group)
    assert len(deal.observed().effects) >= group.before
    async with scene.working():
        assert_same_deal(deal, await over(deal), undisturbed)
    assert raised(scene) == []  # nothing had counted as done


async def test_a_leg_that_reverts_the_second_time_is_settled_as_any_other(scene):
    """The desk freezes on the new branch, so that the tranche that had paid fails."""
    deal, group = await scene.deal(), BY_NAME["second_tranche"]
    worker = await scene.paused_at(f"advance.before_commit:{group.number + 1}")
    await deal.mined(group.after)
    await loses(deal, 2, of=group)
    scene.devnet.control.freeze()
    worker.send(signal.SIGCONT)
    async with blocks_go_on(scene):
        held = await deal.until(lambda one: one.status is DealStatus.HOLDING)
        assert held.hold_reason is HoldReason.REDEMPTION_FROZEN
        scene.devnet.control.thaw()
        outcome = await deal.over()
    assert outcome.status is DealStatus.COMPLETED
    assert_ledger_is_the_chain(outcome)


async def test_a_reorg_below_finality_holds_the_deal_and_calls_somebody(scene):
    """Here one block is final, so that every leg that counts is."""
    set_finality(scene, 1)
    deal, group = await scene.deal(), BY_NAME["open"]
    worker = await scene.paused_at(f"advance.before_commit:{group.number + 1}")
    await deal.mined(group.after)
    await loses(deal, 2, of=group)
    worker.send(signal.SIGCONT)
    async with blocks_go_on(scene):
        held = await deal.until(lambda one: one.status is DealStatus.HOLDING)
    assert held.hold_reason is HoldReason.REORG
    assert "tx.final_reorged" in raised(scene)
